/** @file What is said about a setting that is wrong: where it stands, its flag, the name that was probably meant. */
import { inspect } from 'node:util';
import type { z } from 'zod';
import { nearest } from '../base/suggest.ts';
import { normalizationNames } from '../networks/teacher-normalization.ts';
import { methodShape } from './methods.ts';
import { configKeys, ensembleShape, kdShape, pickShape, scheduleShapes, strongShape, teacherShape } from './schema.ts';

const strongFlags: Readonly<Record<string, string>> = {
  scheme: '--augment',
  draw: '--draw',
  weight: '--strong-weight',
  labels: '--strong-labels',
  passes: '--passes',
  'pick.criterion': '--pick',
  'pick.factor': '--pick-factor',
  'pick.keep': '--pick-keep',
  'pick.updateStatistics': '--pick-updates-statistics',
};

const teachersFlags: Readonly<Record<string, string>> = {
  model: '--teacher-model',
  weight: '--teacher-weights',
  normalization: '--teacher-normalization',
};
const methodFlags: Readonly<Record<string, string>> = { weight: '--weight', options: '--method-option' };

/**
 * The flag a setting has on the command line, if it has one: `batchSize` is `--batch-size`, `kd.temperature` is
 * `--temperature`, `model` is `--student` where it is distilled.
 */
export function flagOf(path: readonly PropertyKey[], task?: unknown): string | undefined {
  const [first, second] = path;
  if (first === 'task') return undefined;
  if (first === 'teacher') return teachersFlags[String(second)] ?? '--teacher';
  if (first === 'teachers') return teachersFlags[String(path[2])] ?? '--teacher';
  if (first === 'methods') return methodFlags[String(path[2])] ?? '--method';
  if (first === 'kd') return second === undefined ? undefined : `--${String(second)}`;
  if (first === 'schedule') {
    if (second === 'milestones') return '--milestones';
    return second === undefined || second === 'kind' ? '--schedule' : undefined;
  }
  if (first === 'standard') return '--base-augment';
  if (first === 'strong') return strongFlags[path.slice(1).join('.')];
  if (first === 'model' && task === 'distill') return '--student';
  return `--${String(first).replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`;
}

/** The settings that may stand at a place in the configuration. */
function keysAt(path: readonly PropertyKey[], value: unknown): string[] {
  if (path.length === 0) return [...configKeys];
  if (path[0] === 'teacher') return Object.keys(teacherShape);
  if (path[0] === 'teachers') return Object.keys(ensembleShape);
  if (path[0] === 'methods') return Object.keys(methodShape);
  if (path[0] === 'kd') return Object.keys(kdShape);
  if (path[0] === 'strong') return Object.keys(path[1] === 'pick' ? pickShape : strongShape);
  const { kind } = value as { kind: keyof typeof scheduleShapes };
  return ['kind', ...Object.keys(scheduleShapes[kind] ?? {})];
}

/** Settings below the first level by their own names, for those who look for them on the first. */
const nested = new Map(
  Object.entries({ kd: kdShape, schedule: Object.assign({}, ...Object.values(scheduleShapes)) as object }).flatMap(
    ([parent, shape]) => Object.keys(shape).map((key): [string, string] => [key, `${parent}.${key}`]),
  ),
);

function unknownSetting(path: readonly PropertyKey[], key: string, holder: unknown): string {
  const known = keysAt(path, holder);
  const near = nearest(key, known);
  const below = path.length === 0 && !near ? nearest(key, nested.keys()) : undefined;
  const guess = near ? [...path, near].join('.') : below && nested.get(below);
  const which = path.length > 0 ? `; known there: ${known.join(', ')}` : '';
  return `unknown setting '${[...path, key].join('.')}'${guess ? `; did you mean '${guess}'?` : which}`;
}

/** A value as a person would write it, on one line. */
export const shown = (value: unknown): string => inspect(value, { breakLength: Number.POSITIVE_INFINITY, depth: 3 });

/** One line about what zod found. */
export function complain(issue: z.core.$ZodIssue, value: Record<string, unknown>): string {
  let given: unknown = value;
  for (const key of issue.path) given = (given as Record<PropertyKey, unknown> | undefined)?.[key];
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => unknownSetting(issue.path, key, given)).join('\n');
  }
  const flag = issue.path.length > 0 ? flagOf(issue.path, value.task) : undefined;
  const where = `${issue.path.join('.')}${flag ? ` (${flag})` : ''}`;
  if (given === undefined) return `${where} is missing`;
  if (issue.code === 'invalid_union' && issue.path.at(-1) === 'normalization') {
    const known = normalizationNames.join(', ');
    return `${where}: must be one of ${known}, or mean and std of three numbers each, std above 0; got ${shown(given)}`;
  }
  const choices =
    issue.code === 'invalid_value'
      ? issue.values.map(String)
      : issue.code === 'invalid_union'
        ? Object.keys(scheduleShapes)
        : undefined;
  if (choices) {
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
