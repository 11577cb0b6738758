/** @file Augmentations by name, several at once, with picking: what `--augment` of `thrive score` and `show-augment` takes. */
import { paperAugmentations, schemeNames } from '../augment/index.ts';
import { UserError } from '../base/errors.ts';
import { nearest, unknownName } from '../base/suggest.ts';
import { type Criterion, checkPickOptions, criteria, type PickOptions, pickDefaults } from '../distill/pick.ts';

/** How x' is made: a scheme, and what is picked from a pool of its views. */
export interface ViewSpec {
  scheme: string;
  pick: PickOptions | null;
}

/** Between a scheme and what its views are picked by: `cutmix+pick:teacher-entropy`. */
const PICK = '+pick:';

/** As it is written: `cutmix`, `cutmix+pick:kl`. */
export const viewName = ({ scheme, pick }: ViewSpec): string => (pick ? `${scheme}${PICK}${pick.criterion}` : scheme);

/** The place of a view in the paper's list of nine (its pools: two views, half kept); -1 where it is not there. */
export function paperIndex({ scheme, pick }: ViewSpec): number {
  if (pick && (pick.factor !== pickDefaults.factor || pick.keep !== pickDefaults.keep)) return -1;
  return paperAugmentations.findIndex((paper) => paper.scheme === scheme && paper.pick === (pick?.criterion ?? null));
}

function parseOne(text: string, pool: { factor: number; keep: number }): ViewSpec {
  const at = text.indexOf('+pick');
  const scheme = at < 0 ? text : text.slice(0, at);
  if (!schemeNames.includes(scheme)) {
    const guess = nearest(scheme, schemeNames);
    const corrected = guess && text.replace(scheme, guess);
    throw new UserError(`unknown augmentation '${text}'${corrected ? `; did you mean '${corrected}'?` : ''}`, {
      hint: `known: all, ${schemeNames.join(', ')}; each also as NAME${PICK}CRITERION`,
    });
  }
  if (at < 0) return { scheme, pick: null };
  const criterion = text.slice(at + PICK.length);
  if (!text.startsWith(PICK, at) || criterion === '') {
    throw new UserError(`'${text}' does not say what its views are picked by`, {
      hint: `write ${scheme}${PICK}CRITERION; known: ${criteria.join(', ')}`,
    });
  }
  if (!(criteria as readonly string[]).includes(criterion)) throw unknownName('picking criterion', criterion, criteria);
  return { scheme, pick: checkPickOptions({ criterion: criterion as Criterion, ...pool }) };
}

/**
 * The views that a list names: schemes and `SCHEME+pick:CRITERION`, separated by commas; `all` stands for the paper's nine.
 * Each comes once.
 *
 * @param pool views of each batch in a pool, and the share of it that is kept
 * @throws UserError for a name that is not known, and for a pool that cannot be picked from
 */
export function parseViews(list: string, pool: { factor?: number; keep?: number } = {}): ViewSpec[] {
  const options = { factor: pool.factor ?? pickDefaults.factor, keep: pool.keep ?? pickDefaults.keep };
  const names = list
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  if (names.length === 0) throw new UserError('--augment names no augmentation', { hint: 'all, or cutmix,mixup' });
  const views = names.flatMap((name) =>
    name === 'all'
      ? paperAugmentations.map(({ scheme, pick: criterion }) => ({
          scheme,
          pick: criterion && checkPickOptions({ criterion, ...options }),
        }))
      : [parseOne(name, options)],
  );
  return [...new Map(views.map((view) => [viewName(view), view])).values()];
}

/** The title of a view as in the paper's figures; its name where it is not there. */
export const viewTitle = (spec: ViewSpec): string => paperAugmentations[paperIndex(spec)]?.title ?? viewName(spec);
