/** @file How the images that a network takes are normalised: as its file says, or as the person does. */
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

const explicit = 'mean=0.5071,0.4867,0.4408;std=1';

/** Numbers of pixels on the scale 0 to 255, as some scripts have them. */
const onScale = (values: readonly number[]): boolean => values.every((value) => Math.abs(value) <= 2);
const scaleHint = 'is on the scale 0 to 255; divide by 255';

const channels = z.tuple([z.number(), z.number(), z.number()]).refine(onScale, scaleHint);
const explicitSchema = z.strictObject({
  mean: channels,
  std: channels.refine((std) => std.every((value) => value > 0), 'must be > 0'),
});

/** `mean=0.5,0.5,0.5;std=0.25`: one value is every channel's. Undefined for other text. */
function explicitIn(text: string): unknown {
  const parts = text
    .split(/\s*[;\s]\s*(?=mean|std)/i)
    .map((part) => /^(mean|std)\s*[=:]\s*\[?([^\]]*)\]?;?$/i.exec(part.trim()));
  if (parts.length !== 2 || parts.some((part) => part === null)) return undefined;
  const entries = parts.map((part) => {
    const numbers = part![2]!
      .split(/[\s,/]+/)
      .filter((item) => item !== '')
      .map(Number);
    return [part![1]!.toLowerCase(), numbers.length === 1 ? [numbers[0], numbers[0], numbers[0]] : numbers];
  });
  return Object.fromEntries(entries);
}

/** What is wrong with a normalization given as text, or what it is; null for the dataset's own. */
function parse(text: string): Normalization | null | { problem: string } {
  if (text === 'same') return null;
  if (Object.hasOwn(named, text)) return named[text]!;
  const parsed = explicitSchema.safeParse(explicitIn(text));
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0]!;
  return {
    problem: /mean|std/i.test(text)
      ? `'${text}' is no normalization: ${String(path[0] ?? 'it')}: ${message}; write '${explicit}'`
      : `${unknownName('normalization', text, normalizationNames).message} (known: ${normalizationNames.join(', ')}, or '${explicit}')`,
  };
}

const problemOf = (text: string): string | undefined => {
  const parsed = parse(text);
  return parsed && 'problem' in parsed ? parsed.problem : undefined;
};

/** What a setting may say: a name (`same` is the dataset's own), or mean and standard deviation a channel, as text too. */
export const normalizationSchema = z.union([
  z.string().refine((text) => problemOf(text) === undefined, { error: ({ input }) => problemOf(String(input)) ?? '' }),
  explicitSchema,
]);

export type NormalizationSetting = z.infer<typeof normalizationSchema>;

/** Mean and standard deviation of a setting. @throws UserError for an unknown name */
export function settingNormalization(setting: NormalizationSetting, data: Normalization, flag: string): Normalization {
  if (typeof setting !== 'string') return setting;
  const parsed = parse(setting) ?? data;
  if ('problem' in parsed) throw new UserError(`${flag}: ${parsed.problem}`);
  return parsed;
}

/** `mean 0.5, 0.5, 0.5, std 0.25, 0.25, 0.25`. */
export const normalizationText = ({ mean, std }: Normalization): string =>
  `mean ${mean.join(', ')}, std ${std.join(', ')}`;

const equal = (a: Normalization, b: Normalization): boolean => normalizationText(a) === normalizationText(b);

/** What a file says of the normalisation of its images. */
export interface SaidNormalization {
  normalization: Normalization;
  /** Nobody said it: `import` took it to be the dataset's. */
  normalizationAssumed?: boolean | undefined;
}

/**
 * The normalisation of a network's images: what its file says; else what was asked for; else the dataset's, with a note. What
 * a file only assumes gives way to what was asked for.
 *
 * @param flag how it is asked for
 * @throws UserError if the file says one thing and the person another
 */
export function teacherNormalization(
  path: string,
  own: SaidNormalization | null,
  setting: NormalizationSetting | undefined,
  data: Normalization,
  flag = '--teacher-normalization',
): { normalization: Normalization; note?: string } {
  const asked = setting === undefined ? undefined : settingNormalization(setting, data, flag);
  if (own) {
    if (asked === undefined) return { normalization: own.normalization };
    if (own.normalizationAssumed || equal(asked, own.normalization)) return { normalization: asked };
    throw new UserError(
      `${path} says itself how its images are normalised: ${normalizationText(own.normalization)}; ${flag} is for files that do not`,
      { hint: `leave ${flag} out, or import the weights anew with --normalization` },
    );
  }
  if (asked) return { normalization: asked };
  return {
    normalization: data,
    note: `note: ${path} does not say how its images were normalised; taken to be as the dataset's are, ${normalizationText(data)} (${flag})`,
  };
}
