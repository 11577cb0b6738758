/** @file What is said about a setting that is wrong: where it stands, the name that was probably meant. */
import { inspect } from 'node:util';
import type { z } from 'zod';
import { flagName, named } from '../base/speech.ts';
import { nearest } from '../base/suggest.ts';
import { normalizationNames } from '../networks/teacher-normalization.ts';

/** A value as a person would write it, on one line. */
export const shown = (value: unknown): string => inspect(value, { breakLength: Number.POSITIVE_INFINITY, depth: 3 });

/** `former` says what settings were called before. */
export function unknownSetting(
  key: string,
  known: readonly string[],
  former: Readonly<Record<string, string>>,
): string {
  if (Object.hasOwn(former, key)) return `unknown setting '${key}': it is ${former[key]} now`;
  const kebab = known.find((name) => flagName(name) === `--${key}`);
  const guess = kebab ?? nearest(key, known);
  return `unknown setting '${key}'${guess ? `; did you mean '${guess}'?` : ''}`;
}

/** One line about what zod found in the value of a setting. */
export function complain(key: string, issue: z.core.$ZodIssue, value: unknown): string {
  let given = value;
  for (const part of issue.path) given = (given as Record<PropertyKey, unknown> | undefined)?.[part];
  const below = issue.path.join('.');
  const where = below === '' ? named(key) : named(key, below);
  if (issue.code === 'invalid_union' && key === 'teacherNormalization') {
    const known = normalizationNames.join(', ');
    return `${where}: must be one of ${known}, or mean and std of three numbers each, std above 0; got ${shown(given)}`;
  }
  if (issue.code === 'invalid_union') return `${where}: must be a name or a list of names, got ${shown(given)}`;
  if (issue.code === 'invalid_value') {
    const choices = issue.values.map(String);
    const guess = typeof given === 'string' ? nearest(given, choices) : undefined;
    return `${where}: must be ${choices.join(', ')}, got ${shown(given)}${guess ? `; did you mean '${guess}'?` : ''}`;
  }
  const message = issue.message
    .replace(/^(Invalid input|Too small|Too big): /, '')
    .replace(/, received .*$/, '')
    .replace(/^expected (\w+) to be ([<>=]+)/, 'must be $2 ')
    .replace(/^expected int$/, 'must be a whole number')
    .replace(/^expected (?=[aeio])/, 'must be an ')
    .replace(/^expected (?=\w+$)/, 'must be a ');
  return `${where}: ${message}, got ${shown(given)}`;
}
