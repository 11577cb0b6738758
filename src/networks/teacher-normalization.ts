/** @file How the images a teacher takes are normalised: as its file says, or as the person does. */
import { z } from 'zod';
import type { Normalization } from '../augment/index.ts';
import { UserError } from '../base/errors.ts';
import { unknownName } from '../base/suggest.ts';

/** Usual ones by name; mean and standard deviation of pixels on the scale 0 to 1. */
const named: Readonly<Record<string, Normalization>> = {
  imagenet: { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
  /** From -1 to 1. */
  half: { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] },
  /** From 0 to 1. */
  unit: { mean: [0, 0, 0], std: [1, 1, 1] },
  /** From 0 to 255. */
  pixels: { mean: [0, 0, 0], std: [1 / 255, 1 / 255, 1 / 255] },
};

export const normalizationNames: readonly string[] = ['same', ...Object.keys(named)];

const channels = z.tuple([z.number(), z.number(), z.number()]);

/** What a configuration may say: a name (`same` is the dataset's own), or mean and standard deviation a channel. */
export const normalizationSchema = z.union([
  z.string().refine((name) => normalizationNames.includes(name), {
    error: ({ input }) =>
      `${unknownName('normalization', String(input), normalizationNames).message} (known: ${normalizationNames.join(', ')})`,
  }),
  z.strictObject({ mean: channels, std: channels.refine((std) => std.every((value) => value > 0), 'must be > 0') }),
]);

export type NormalizationSetting = z.infer<typeof normalizationSchema>;

/**
 * The normalisation of a teacher's images: what its own file says; else what was asked for; else the dataset's, with a note.
 *
 * @throws UserError if the file says one thing and the person another
 */
export function teacherNormalization(
  path: string,
  own: Normalization | null,
  setting: NormalizationSetting | undefined,
  data: Normalization,
): { normalization: Normalization; note?: string } {
  if (own) {
    if (setting === undefined) return { normalization: own };
    throw new UserError(
      `${path} says itself how its images are normalised; --teacher-normalization is for files that do not`,
    );
  }
  if (setting === undefined) {
    return {
      normalization: data,
      note: `note: ${path} does not say how its images were normalised; taken to be as the dataset's are (--teacher-normalization)`,
    };
  }
  if (typeof setting !== 'string') return { normalization: setting };
  if (setting === 'same') return { normalization: data };
  if (!Object.hasOwn(named, setting)) throw unknownName('normalization', setting, normalizationNames);
  return { normalization: named[setting]! };
}
