/** @file Settings over settings: flags over a file, and this session's over those of a run that is continued. */
import { resolve as absolute } from 'node:path';
import { UserError } from '../base/errors.ts';
import { named } from '../base/speech.ts';
import { isModelFile } from '../networks/model-reference.ts';
import { type Resolution, resolve } from './config.ts';
import { foldKd, readMethods } from './method-rows.ts';
import type { Table } from './row.ts';
import { type Config, type ConfigInput, settings } from './settings.ts';
import { checkShape } from './shape.ts';
import { asList, type Dict, isDict } from './values.ts';
import * as world from './world.ts';

const merge = (under: unknown, over: unknown): unknown =>
  isDict(under) && isDict(over)
    ? Object.fromEntries(
        [...new Set([...Object.keys(under), ...Object.keys(over)])].map((key) => [
          key,
          over[key] === undefined ? under[key] : merge(under[key], over[key]),
        ]),
      )
    : over;

/** What belongs to a schedule of another kind, or to other losses or teachers, goes with them. */
function withoutReplaced(under: Dict, over: Dict, table: Table): Dict {
  const left = { ...under };
  if (over.schedule !== undefined && over.schedule !== under.schedule) {
    for (const [key, { group }] of Object.entries(table)) {
      if (group === 'Learning-rate schedule') delete left[key];
    }
  }
  if (typeof over.method === 'string' || Array.isArray(over.method)) {
    const names = new Set(readMethods(over.method).map(({ name }) => world.findLoss(name).name));
    for (const key of ['weight', 'methodOption']) {
      if (!isDict(left[key])) continue;
      left[key] = Object.fromEntries(
        Object.entries(left[key]).filter(([name]) => names.has(world.losses.fullName(name))),
      );
    }
    if (!names.has('kd')) delete left.alpha;
  }
  if (over.teacher !== undefined && asList(over.teacher).length !== asList(under.teacher).length) {
    for (const key of ['teacherModel', 'teacherWeights', 'ensemble']) delete left[key];
  }
  // A weight or option of kd's stands in one of two places; the one that is given anew counts.
  const folded = foldKd(over, world);
  const hidden: Dict = foldKd(left, world);
  for (const key of ['alpha', 'temperature']) if (folded[key] !== undefined) hidden[key] = folded[key];
  return hidden;
}

/** `over` wins, setting by setting; weights and options of losses one by one. */
export function mergeSettings(under: ConfigInput, over: ConfigInput, table: Table = settings): ConfigInput {
  return merge(withoutReplaced(under, over, table), foldKd(over, world)) as ConfigInput;
}

/** `./my-loss.ts@both` without the views it acts on. */
const withoutView = (name: string): string => name.replace(/@(x|both)$/, '');

const isMoved = ({ path }: Table[string], ...values: unknown[]): boolean =>
  path === 'file' ||
  ((path === 'network' || path === 'part') &&
    values.flatMap(asList).every((value) => isModelFile(withoutView(String(value)))));

/**
 * The configuration of a run that is continued with this session's settings.
 *
 * @throws UserError for a setting that contradicts the run, naming it and both values
 */
export function continueConfig(saved: Config, given: ConfigInput, table: Table = settings): Resolution {
  const before: Dict = { ...saved };
  const now = { ...before };
  for (const [key, value] of Object.entries(foldKd(checkShape(given, table), world))) {
    const row = table[key];
    if (!row) continue;
    const whole = isDict(value) && isDict(before[key]) ? merge(before[key], value) : value;
    const settled = row.settle ? row.settle(whole as never, before, world) : whole;
    const [has, had] = [settled, before[key]].map((item) => JSON.stringify(item));
    if (has !== had && row.scope !== 'machine' && !isMoved(row, settled, before[key])) {
      const from = had === undefined ? 'the run to resume, which has none' : `the ${had} of the run to resume`;
      throw new UserError(`${named(key)} ${has} differs from ${from}`, {
        hint: 'leave it out to continue, or start a new run in another folder',
      });
    }
    now[key] = settled;
  }
  return resolve(now, table);
}

/** A configuration that means the same in any working folder. */
export function withAbsolutePaths<T extends object>(config: T, table: Table = settings): T {
  const whole = (path: 'file' | 'network' | 'part', value: unknown): unknown => {
    if (Array.isArray(value)) return value.map((one) => whole(path, one));
    return typeof value === 'string' && (path === 'file' || isModelFile(value)) ? absolute(value) : value;
  };
  const entries = Object.entries(config).map(([key, value]) => {
    const path = table[key]?.path;
    return [key, path ? whole(path, value) : value];
  });
  return Object.fromEntries(entries) as T;
}
