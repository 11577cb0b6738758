import { Registry } from '../base/registry.ts';
import { autoaugment } from './autoaugment.ts';
import { cutmix } from './cutmix.ts';
import { cutout } from './cutout.ts';
import { cropFlip, flip } from './flip.ts';
import { identity } from './identity.ts';
import { mixup } from './mixup.ts';
import { patchmix } from './patchmix.ts';
import { randaugment, trivialaugment } from './randaugment.ts';
import { randomErasing } from './random-erasing.ts';
import { type Mix, type Parameters, type Scheme, withOptions } from './scheme.ts';

/** Every scheme, the paper's first; and those of the user's that were loaded. */
export const augmentations = new Registry<Scheme>('augmentation', [
  identity,
  flip,
  cropFlip,
  cutout,
  autoaugment,
  mixup,
  cutmix,
  randaugment,
  trivialaugment,
  randomErasing,
  patchmix,
]);

export const schemes: readonly Scheme[] = augmentations.list;
export const schemeNames: readonly string[] = augmentations.names;

/**
 * The scheme of a name, or of a file that was loaded, with its options.
 *
 * @throws UserError that names the nearest one; for an option that is not known or not allowed
 */
export function schemeByName(name: string, options?: Readonly<Record<string, unknown>>): Scheme {
  const scheme = augmentations.get(name);
  return options ? withOptions(scheme, options) : scheme;
}

/** The mixing part of a scheme's parameters, or null where images are not mixed. */
export function mixOf(scheme: Scheme, parameters: Parameters): Mix | null {
  const { partner, lambda } = parameters;
  return scheme.mixes && partner instanceof Int32Array && lambda instanceof Float64Array ? { partner, lambda } : null;
}

/** One of the augmentations that the paper ranks: a scheme, picked from or not. */
export interface PaperAugmentation {
  /** As in the paper's figures. */
  title: string;
  scheme: string;
  pick: 'student-entropy' | 'teacher-entropy' | null;
}

/** The nine augmentations of the paper's figures, in its legend's order (paper's later version, section 5). */
export const paperAugmentations: readonly PaperAugmentation[] = [
  { title: 'Identity', scheme: 'identity', pick: null },
  { title: 'Flip', scheme: 'flip', pick: null },
  { title: 'Crop+Flip', scheme: 'crop+flip', pick: null },
  { title: 'Cutout', scheme: 'cutout', pick: null },
  { title: 'AutoAugment', scheme: 'autoaugment', pick: null },
  { title: 'Mixup', scheme: 'mixup', pick: null },
  { title: 'CutMix', scheme: 'cutmix', pick: null },
  { title: 'CutMixPick (S. ent.)', scheme: 'cutmix', pick: 'student-entropy' },
  { title: 'CutMixPick (T. ent.)', scheme: 'cutmix', pick: 'teacher-entropy' },
];
