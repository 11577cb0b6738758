/** @file The options of a loss, an augmentation, a criterion: a default, what is allowed, and what it means, in one place for checks, configuration and help. */
import { UserError } from './errors.ts';
import { nearest } from './suggest.ts';

export interface OptionSpec<T = unknown> {
  default: T;
  /** One line for people. */
  description: string;
  /** What is allowed, as in `must be …`. */
  rule: string;
  allows(value: unknown): value is T;
}

// biome-ignore lint/complexity/noBannedTypes: a part without options has none
export type OptionSpecs = Readonly<Record<string, OptionSpec>> | Readonly<{}>;
export type OptionValues<Specs> = { readonly [Key in keyof Specs]: Specs[Key] extends OptionSpec<infer T> ? T : never };

const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);

export const positive = (value: number, description: string): OptionSpec<number> => ({
  default: value,
  description,
  rule: 'a number > 0',
  allows: (given): given is number => isNumber(given) && given > 0,
});

export const nonNegative = (value: number, description: string): OptionSpec<number> => ({
  default: value,
  description,
  rule: 'a number >= 0',
  allows: (given): given is number => isNumber(given) && given >= 0,
});

/** In [0, 1]. */
export const probability = (value: number, description: string): OptionSpec<number> => ({
  default: value,
  description,
  rule: 'a number from 0 to 1',
  allows: (given): given is number => isNumber(given) && given >= 0 && given <= 1,
});

/** Two numbers, the smaller first. */
export const range = (
  low: number,
  high: number,
  description: string,
  [least, most]: readonly [number, number] = [0, Number.POSITIVE_INFINITY],
): OptionSpec<readonly [number, number]> => ({
  default: [low, high],
  description,
  rule: `two numbers, the smaller first, above ${least}${Number.isFinite(most) ? ` and at most ${most}` : ''}`,
  allows: (given): given is readonly [number, number] =>
    Array.isArray(given) &&
    given.length === 2 &&
    given.every((item) => isNumber(item) && item > least && item <= most) &&
    given[0] <= given[1],
});

/** What is decided elsewhere unless given: `whose` says where, as in `the dataset's`. */
export const elsewhere = <T>(spec: OptionSpec<T>, whose: string): OptionSpec<T | null> => ({
  default: null,
  description: `${spec.description}; ${whose} unless given`,
  rule: `${spec.rule} (or null: ${whose})`,
  allows: (given): given is T | null => given === null || spec.allows(given),
});

/** In [0, 1). */
export const fraction = (value: number, description: string): OptionSpec<number> => ({
  default: value,
  description,
  rule: 'a number from 0 to below 1',
  allows: (given): given is number => isNumber(given) && given >= 0 && given < 1,
});

export const count = (value: number, description: string, least = 1): OptionSpec<number> => ({
  default: value,
  description,
  rule: `an integer >= ${least}`,
  allows: (given): given is number => Number.isSafeInteger(given) && (given as number) >= least,
});

export const flag = (value: boolean, description: string): OptionSpec<boolean> => ({
  default: value,
  description,
  rule: 'true or false',
  allows: (given): given is boolean => typeof given === 'boolean',
});

export const oneOf = <const T extends string>(names: readonly T[], value: T, description: string): OptionSpec<T> => ({
  default: value,
  description,
  rule: `one of ${names.join(', ')}`,
  allows: (given): given is T => names.some((name) => name === given),
});

export const positives = (value: readonly number[], description: string): OptionSpec<readonly number[]> => ({
  default: value,
  description,
  rule: 'a list of numbers > 0',
  allows: (given): given is readonly number[] =>
    Array.isArray(given) && given.length > 0 && given.every((item) => isNumber(item) && item > 0),
});

/**
 * Every option of a part with its default where none is given.
 *
 * @throws UserError for an unknown option, naming the nearest, or a value that is not allowed
 */
export function resolveOptions<Specs extends OptionSpecs>(
  part: string,
  specs: Specs,
  given: Readonly<Record<string, unknown>> = {},
): OptionValues<Specs> {
  const known = new Map<string, OptionSpec>(Object.entries(specs));
  for (const [name, value] of Object.entries(given)) {
    const spec = known.get(name);
    if (!spec) {
      const guess = nearest(name, known.keys());
      throw new UserError(`${part} has no option '${name}'${guess ? `; did you mean '${guess}'?` : ''}`, {
        hint: known.size > 0 ? `its options: ${[...known.keys()].join(', ')}` : 'it has no options',
      });
    }
    if (!spec.allows(value)) {
      throw new UserError(`${part}: ${name} must be ${spec.rule}, got ${JSON.stringify(value) ?? String(value)}`, {
        hint: spec.description,
      });
    }
  }
  const values = Object.fromEntries(
    [...known].map(([name, spec]) => [name, name in given ? given[name] : spec.default]),
  );
  return values as OptionValues<Specs>;
}
