/** @file A configuration from what a user wrote: checked, with every default filled in. */
import { UserError } from '../base/errors.ts';
import { isOwnReference } from '../base/registry.ts';
import { flagName, named, toGive } from '../base/speech.ts';
import { nearest } from '../base/suggest.ts';
import { shown } from './errors.ts';
import { foldKd } from './method-rows.ts';
import type { Draft, NoEffect, Setting, Table } from './row.ts';
import { checkObjective } from './settings/distilling.ts';
import { type Config, type ConfigInput, settings } from './settings.ts';
import { checkShape } from './shape.ts';
import type { Dict } from './values.ts';
import * as world from './world.ts';

export { type Config, type ConfigInput, configKeys } from './settings.ts';

/**
 * Types an experiment's settings, and nothing else: for configuration files, and for settings that several runs share.
 *
 * @example
 * const shared = defineExperiment({ data: 'cifar100', epochs: 40, schedule: 'cosine' });
 * await runExperiment({ ...shared, model: 'resnet20' }, { out: 'runs/alone' });
 */
export const defineExperiment = <const T extends ConfigInput>(
  config: T & { [K in Exclude<keyof T, keyof ConfigInput>]: never },
): T => config;

function checkName(key: string, { names, path }: Setting, value: unknown): void {
  const known = names?.(world);
  if (!known || path === 'network' || known.includes(String(value)) || isOwnReference(String(value))) return;
  const guess = nearest(String(value), known);
  throw new UserError(
    `${named(key)}: must be ${known.join(', ')}, got ${shown(value)}${guess ? `; did you mean '${guess}'?` : ''}`,
  );
}

const foreign = (task: 'train' | 'distill'): NoEffect =>
  task === 'distill'
    ? {
        why: 'it is for learning from a teacher; plain training has none',
        hint: `give ${toGive('teacher')}: thrive distill`,
      }
    : { why: `distillation trains a ${toGive('student')}`, hint: `give ${toGive('student')} instead` };

/** What makes `value` of a setting one with no effect beside those resolved so far. */
function noEffect(row: Setting, given: Draft): NoEffect | undefined {
  if (row.task && row.task !== given.task) return foreign(row.task);
  return row.needs?.(given, world) || undefined;
}

/** A configuration, and what of it was written: the rest is derived from that. */
export interface Resolution {
  config: Config;
  written: ConfigInput;
}

/**
 * Check a configuration and fill in its defaults. Loads nothing. Resolving a resolved configuration changes nothing.
 *
 * @throws UserError naming what is wrong: unknown, of a wrong shape, missing, or without effect beside the others
 */
export function resolve(input: unknown, table: Table = settings): Resolution {
  const written = checkShape(input, table);
  const task = written.task ?? (written.teacher === undefined ? 'train' : 'distill');
  const values = foldKd({ ...written, task }, world);
  const missing = Object.entries(table).filter(
    ([key, row]) => row.required && values[key] === undefined && (row.task ?? task) === task,
  );
  if (missing.length > 0) {
    throw new UserError(missing.map(([key]) => `${key} (${flagName(key)}) is missing`).join('\n'));
  }
  const given: Dict = {};
  for (const [key, row] of Object.entries(table)) {
    const own = values[key];
    const none = noEffect(row, given);
    if (none) {
      if (own === undefined) continue;
      throw new UserError(
        `${named(key)} has no effect: ${none.why}`,
        none.hint === undefined ? {} : { hint: none.hint },
      );
    }
    const value = own ?? (typeof row.default === 'function' ? row.default(given, world) : row.default);
    if (value === undefined) continue;
    checkName(key, row, value);
    given[key] = row.settle ? row.settle(value as never, given, world) : value;
  }
  if (task === 'distill') checkObjective(given, world);
  return { config: given as unknown as Config, written: written as ConfigInput };
}

/** The same, without what was written. */
export const resolveConfig = (input: unknown, table: Table = settings): Config => resolve(input, table).config;
