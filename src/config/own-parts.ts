/** @file The parts of the user's in a configuration: loaded before it is resolved, told apart in its fingerprint. */
import { augmentations, type Scheme } from '../augment/index.ts';
import { isPart, type PartKind } from '../base/part.ts';
import { isOwnReference, partLabel, type Registry } from '../base/registry.ts';
import type { DatasetInfo } from '../data/index.ts';
import { datasets, isImagePath } from '../data/registry.ts';
import { type LossDefinition, losses } from '../distill/losses/index.ts';
import { type CriterionDefinition, criterionRegistry } from '../distill/pick/index.ts';
import { addPart, loadPart } from '../parts/index.ts';
import { readMethods } from './method-rows.ts';
import type { ConfigInput } from './settings.ts';
import { asList, type Dict } from './values.ts';

/** Settings in code: where a name goes, what `defineLoss` and the others return goes too. */
export type ExperimentInput = Omit<ConfigInput, 'data' | 'augment' | 'pick' | 'method'> & {
  data?: string | DatasetInfo | undefined;
  augment?: string | Scheme | undefined;
  pick?: string | CriterionDefinition | undefined;
  method?: string | LossDefinition | readonly (string | LossDefinition)[] | undefined;
};

/** Which settings name parts, and of which kind. */
const kinds = { data: 'dataset', augment: 'augmentation', pick: 'criterion', method: 'loss' } as const;
const registries: Readonly<Record<keyof typeof kinds, Registry<{ name: string }>>> = {
  data: datasets,
  augment: augmentations,
  pick: criterionRegistry,
  method: losses,
};

async function loadOne(kind: PartKind, value: unknown): Promise<unknown> {
  if (isPart(value, kind)) return addPart(kind, value);
  if (typeof value === 'string') {
    const references = kind === 'loss' ? readMethods(value).map(({ name }) => name) : [value];
    for (const reference of references) await loadPart(kind, reference);
  }
  return value;
}

/**
 * The step before a configuration is resolved: files that it names are loaded, objects become known, so that everything after
 * finds them by name. What is of a wrong shape is left for the check of the whole.
 *
 * @throws UserError for a file that is not there or exports nothing of its kind
 */
export async function loadParts(written: ExperimentInput): Promise<ConfigInput> {
  const loaded: Dict = { ...written };
  for (const [key, kind] of Object.entries(kinds)) {
    const value = loaded[key];
    if (value === undefined) continue;
    loaded[key] = Array.isArray(value)
      ? await Promise.all(value.map((one) => loadOne(kind, one)))
      : await loadOne(kind, value);
    // One loss that was given as an object is a list of one.
    if (key === 'method' && typeof value === 'object' && !Array.isArray(value)) loaded[key] = [loaded[key]];
  }
  return loaded as ConfigInput;
}

/** What a fingerprint says of the parts: names without folders, and the hash of each that is the user's. */
export function partIdentities(config: Dict): Dict {
  const fields: Dict = {};
  const parts: Dict = {};
  for (const key of Object.keys(kinds) as (keyof typeof kinds)[]) {
    const references =
      key === 'method'
        ? readMethods(asList(config.method).map(String)).map(({ name }) => name)
        : asList(config[key]).map(String);
    const own = references.filter((name) => isOwnReference(name) && !(key === 'data' && isImagePath(name)));
    if (own.length === 0) continue;
    parts[key] = own.map((reference) => registries[key].identity(reference).sha256);
    fields[key] = Array.isArray(config[key])
      ? asList(config[key]).map((name) => partLabel(String(name)))
      : partLabel(String(config[key]));
  }
  return Object.keys(parts).length > 0 ? { ...fields, parts } : {};
}
