/** @file Augmentations by name, several at once, with picking: what `--augment` of `thrive score` and `show-augment` takes. */
import { augmentations, paperAugmentations, type Scheme, schemeByName, schemeNames } from '../augment/index.ts';
import { UserError } from '../base/errors.ts';
import { isOwnReference, partLabel } from '../base/registry.ts';
import { named } from '../base/speech.ts';
import { nearest } from '../base/suggest.ts';
import {
  checkPickOptions,
  criteria,
  criterionRegistry,
  type PickOptions,
  pickDefaults,
} from '../distill/pick/index.ts';

/** How x' is made: a scheme, and what is picked from a pool of its views. */
export interface ViewSpec {
  /** By name, or the path of a file that was loaded. */
  scheme: string;
  /** Of the scheme, where some were given. */
  options?: Readonly<Record<string, unknown>> | undefined;
  pick: PickOptions | null;
}

/** Options by the name of what they belong to: `{ cutmix: { alpha: 0.5 } }`. */
export type OptionsByName = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** What goes for every view of a list. */
export interface ViewOptions {
  /** Views of each batch in a pool, and the share of it that is kept. */
  factor?: number | undefined;
  keep?: number | undefined;
  augmentOption?: OptionsByName | undefined;
  pickOption?: OptionsByName | undefined;
}

/** Between a scheme and what its views are picked by: `cutmix+pick:teacher-entropy`. */
const PICK = '+pick:';

/** As it is written: `cutmix`, `cutmix+pick:kl`; a file by its name alone. */
export const viewName = ({ scheme, pick }: ViewSpec): string =>
  pick ? `${partLabel(scheme)}${PICK}${partLabel(pick.criterion)}` : partLabel(scheme);

/** The scheme of a view, with its options. */
export const viewScheme = ({ scheme, options }: ViewSpec): Scheme => schemeByName(scheme, options);

/** The place of a view in the paper's list of nine (its pools: two views, half kept); -1 where it is not there. */
export function paperIndex({ scheme, options, pick }: ViewSpec): number {
  if (options || pick?.options) return -1;
  if (pick && (pick.factor !== pickDefaults.factor || pick.keep !== pickDefaults.keep)) return -1;
  return paperAugmentations.findIndex((paper) => paper.scheme === scheme && paper.pick === (pick?.criterion ?? null));
}

function parseOne(text: string, pool: { factor: number; keep: number }): ViewSpec {
  const at = text.indexOf('+pick');
  const scheme = at < 0 ? text : text.slice(0, at);
  if (isOwnReference(scheme)) augmentations.get(scheme);
  else if (!schemeNames.includes(scheme)) {
    const guess = nearest(scheme, schemeNames);
    const corrected = guess && text.replace(scheme, guess);
    throw new UserError(`unknown augmentation '${text}'${corrected ? `; did you mean '${corrected}'?` : ''}`, {
      hint: `known: all, ${schemeNames.join(', ')}, or the path of a file; each also as NAME${PICK}CRITERION`,
    });
  }
  if (at < 0) return { scheme, pick: null };
  const criterion = text.slice(at + PICK.length);
  if (!text.startsWith(PICK, at) || criterion === '') {
    throw new UserError(`'${text}' does not say what its views are picked by`, {
      hint: `write ${scheme}${PICK}CRITERION; known: ${criteria.join(', ')}`,
    });
  }
  return { scheme, pick: checkPickOptions({ criterion, ...pool }) };
}

/** The names of a list, without empty ones. */
export const viewNames = (list: string): string[] =>
  list
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');

/** The files among what a list names: augmentations and criteria of the user's. */
export function viewFiles(list: string): { augmentations: string[]; criteria: string[] } {
  const parts = viewNames(list).map((name) => name.split(PICK));
  return {
    augmentations: parts.flatMap(([scheme = '']) => (isOwnReference(scheme) ? [scheme] : [])),
    criteria: parts.flatMap(([, criterion = '']) => (isOwnReference(criterion) ? [criterion] : [])),
  };
}

/**
 * The views that a list names: schemes and `SCHEME+pick:CRITERION`, separated by commas; `all` stands for the paper's nine.
 * Each comes once.
 *
 * @throws UserError for a name that is not known, for a pool that cannot be picked from, and for options of what is not named
 */
export function parseViews(list: string, given: ViewOptions = {}): ViewSpec[] {
  const pool = { factor: given.factor ?? pickDefaults.factor, keep: given.keep ?? pickDefaults.keep };
  const names = viewNames(list);
  if (names.length === 0)
    throw new UserError(`${named('augment')} names no augmentation`, { hint: 'all, or cutmix,mixup' });
  const views = names.flatMap((name) =>
    name === 'all'
      ? paperAugmentations.map(({ scheme, pick: criterion }) => ({
          scheme,
          pick: criterion && checkPickOptions({ criterion, ...pool }),
        }))
      : [parseOne(name, pool)],
  );
  const unique = [...new Map(views.map((view) => [`${view.scheme} ${view.pick?.criterion ?? ''}`, view])).values()];
  const schemes = unique.map(({ scheme }) => scheme);
  const picked = unique.flatMap(({ pick }) => pick?.criterion ?? []);
  const ofScheme = augmentations.options(schemes, given.augmentOption, '--augment-option');
  const ofCriterion = criterionRegistry.options(picked, given.pickOption, '--pick-option');
  return unique.map(({ scheme, pick }) => {
    const [options, picking] = [ofScheme.get(scheme), pick && ofCriterion.get(pick.criterion)];
    return {
      scheme,
      ...(options ? { options } : {}),
      pick: pick && { ...pick, ...(picking ? { options: picking } : {}) },
    };
  });
}

/** The title of a view as in the paper's figures; its name where it is not there. */
export const viewTitle = (spec: ViewSpec): string => paperAugmentations[paperIndex(spec)]?.title ?? viewName(spec);
