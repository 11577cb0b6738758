/** @file The step before a run in which files of the user's, and objects, become parts that a name finds. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { augmentations } from '../augment/index.ts';
import type { Scheme } from '../augment/scheme.ts';
import { codeHash } from '../base/code-hash.ts';
import { UserError } from '../base/errors.ts';
import { isFileReference } from '../base/file-reference.ts';
import { definers, isPart, type PartKind, partText } from '../base/part.ts';
import { objectReference, type Registry } from '../base/registry.ts';
import { nearest } from '../base/suggest.ts';
import type { DatasetInfo } from '../data/dataset.ts';
import { datasetInfo, datasets, isImagePath } from '../data/registry.ts';
import { losses } from '../distill/losses/index.ts';
import type { LossDefinition } from '../distill/losses/loss.ts';
import { type CriterionDefinition, criterionRegistry } from '../distill/pick/index.ts';
import type { Origin } from './errors.ts';
import { ownAugmentation } from './own-augmentation.ts';
import { ownCriterion } from './own-criterion.ts';
import { ownDataset } from './own-dataset.ts';
import { ownLoss } from './own-loss.ts';
import { importUserModule } from './user-module.ts';

/** What each kind is when it is defined. */
export interface Parts {
  loss: LossDefinition;
  augmentation: Scheme;
  criterion: CriterionDefinition;
  dataset: DatasetInfo;
}

/** Each kind's registry, and the guard that says where in the user's file something went wrong. */
const kinds: {
  readonly [Kind in PartKind]: (reference: string, part: unknown, origin: Origin, sha256: string) => void;
} = {
  loss: (reference, part, origin, sha256) =>
    losses.add(reference, { part: ownLoss(part as LossDefinition, origin), sha256 }),
  augmentation: (reference, part, origin, sha256) =>
    augmentations.add(reference, { part: ownAugmentation(part as Scheme, origin), sha256 }),
  criterion: (reference, part, origin, sha256) =>
    criterionRegistry.add(reference, { part: ownCriterion(part as CriterionDefinition, origin), sha256 }),
  dataset: (reference, part, origin, sha256) =>
    datasets.add(reference, { part: ownDataset(part as DatasetInfo, origin), sha256 }),
};

/** The registry of each kind: its parts by name, and those that were loaded. */
export const registries: Readonly<Record<PartKind, Registry<{ name: string }>>> = {
  loss: losses,
  augmentation: augmentations,
  criterion: criterionRegistry,
  dataset: datasets,
};

function checkFile(kind: PartKind, reference: string): void {
  const there = existsSync(reference) ? statSync(reference) : undefined;
  if (there?.isFile()) return;
  if (there) {
    throw new UserError(`${reference} is a folder, not a file that exports a ${kind}`, {
      hint: 'give the path of the file in it',
    });
  }
  const folder = dirname(reference);
  const listed = existsSync(folder) && statSync(folder).isDirectory() ? readdirSync(folder) : [];
  const near = nearest(basename(reference), listed);
  const name = nearest(basename(reference).replace(/\.[cm]?[jt]s$/i, ''), registries[kind].names);
  throw new UserError(
    `there is no file ${reference} that could export a ${kind}${near ? `; did you mean '${join(folder, near)}'?` : ''}`,
    { hint: name ? `one that is here is named without a path: ${name}` : 'paths are relative to the working folder' },
  );
}

/** What a file exports of a kind: its default, or the only one of that kind by whatever name. */
function partIn(kind: PartKind, exported: Record<string, unknown>, reference: string): { name: string } {
  const { default: standard } = exported;
  if (isPart(standard, kind)) return standard;
  const found = Object.entries(exported).filter(([, value]) => isPart(value, kind));
  if (found.length === 1) return found[0]![1] as { name: string };
  if (found.length > 1) {
    throw new UserError(`${reference} exports several of a kind: ${found.map(([name]) => name).join(', ')}`, {
      hint: `export default the ${kind} that is meant`,
    });
  }
  const others = Object.values(exported).flatMap((value) =>
    (Object.keys(definers) as PartKind[]).filter((other) => isPart(value, other)),
  );
  const names = Object.keys(exported).filter((name) => name !== '__esModule');
  const what =
    others.length > 0
      ? `it exports ${others[0] === 'augmentation' ? 'an' : 'a'} ${others[0]}`
      : `it exports ${names.join(', ') || 'nothing'}`;
  throw new UserError(`${reference} exports no ${kind}: ${what}`, {
    hint: `export default ${definers[kind]}({ … }), with ${definers[kind]} from 'thrive'`,
  });
}

const loaded = new Map<string, string>();

/**
 * Load the part that a file exports, so that its path goes wherever a name does. A name is left alone. The file is code and runs
 * as such; one that is as it was is not run again.
 *
 * @throws UserError for a file that is not there, does not parse, throws or exports nothing of the kind
 */
export async function loadPart(kind: PartKind, reference: string): Promise<void> {
  // A folder or a list of images is a dataset as it is: there is no code to run.
  if (!isFileReference(reference) || (kind === 'dataset' && isImagePath(reference))) return;
  checkFile(kind, reference);
  const path = resolve(reference);
  const sha256 = codeHash(path);
  if (loaded.get(`${kind} ${path}`) === sha256) return;
  const part = partIn(kind, await importUserModule(reference, `the ${kind}`), reference);
  kinds[kind](path, part, { what: `the ${kind} ${part.name} of ${reference}`, file: path }, sha256);
  loaded.set(`${kind} ${path}`, sha256);
}

/** Make a part that was given as an object known; the reference it goes by. */
export function addPart(kind: PartKind, part: { name: string }): string {
  const reference = objectReference(part.name);
  const sha256 = createHash('sha256').update(partText(part)).digest('hex');
  kinds[kind](reference, part, { what: `the ${kind} ${part.name}`, file: null }, sha256);
  return reference;
}

/** How a dataset is recorded: its name, or where its file lies. */
export const datasetReference = (reference: string): string =>
  isFileReference(reference) || isImagePath(reference) ? resolve(reference) : datasets.canonical(reference);

/** The dataset of a name or of a file, which is loaded. @throws UserError */
export async function openDataset(reference: string): Promise<DatasetInfo> {
  await loadPart('dataset', reference);
  return datasetInfo(reference);
}
