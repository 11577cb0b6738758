/** @file Settings over settings: flags over a file, and this session's over those of a run that is continued. */
import { resolve } from 'node:path';
import { UserError } from '../base/errors.ts';
import { type Config, type ConfigInput, flagOf, resolveConfig } from './config.ts';

type Settings = Partial<ConfigInput>;

const given = <T extends object>(settings: T): Partial<T> =>
  Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined)) as Partial<T>;

const teacherOf = (teacher: Settings['teacher']): Partial<NonNullable<Config['teacher']>> =>
  typeof teacher === 'string' ? { checkpoint: teacher } : given({ ...teacher });

/**
 * `over` wins, setting by setting: a temperature leaves the weights beside it alone. A schedule of another kind replaces the
 * whole schedule.
 */
export function mergeSettings(under: Settings, over: Settings): Settings {
  const merged: Settings = { ...given(under), ...given(over) };
  if (under.kd && over.kd) merged.kd = { ...under.kd, ...given(over.kd) };
  if (under.teacher && over.teacher) {
    merged.teacher = { ...teacherOf(under.teacher), ...teacherOf(over.teacher) } as NonNullable<Config['teacher']>;
  }
  if (under.schedule && over.schedule && under.schedule.kind === over.schedule.kind) {
    merged.schedule = { ...under.schedule, ...given(over.schedule) } as NonNullable<ConfigInput['schedule']>;
  }
  return merged;
}

/**
 * Settings that may change between a run and its continuation: they are about the machine, not the experiment. A teacher file
 * may have moved; whether it is still the same is for its hash to say.
 */
const machineSettings: ReadonlySet<string> = new Set(['dataDir', 'threads', 'device', 'teacher.checkpoint']);

/** Paths of the settings in which two configurations differ. */
function differences(a: unknown, b: unknown, path: readonly string[] = []): string[][] {
  const isRecord = (value: unknown): value is Record<string, unknown> =>
    typeof value === 'object' && value !== null && !Array.isArray(value);
  if (isRecord(a) && isRecord(b)) {
    // Schedules of two kinds differ in their kind; what else they hold cannot be compared.
    if (a.kind !== b.kind) return [[...path, 'kind']];
    const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])];
    return keys.flatMap((key) => differences(a[key], b[key], [...path, key]));
  }
  return JSON.stringify(a) === JSON.stringify(b) ? [] : [[...path]];
}

const at = (value: unknown, path: readonly string[]): unknown =>
  path.reduce<unknown>((holder, key) => (holder as Record<string, unknown> | undefined)?.[key], value);

/**
 * The configuration of a run that is continued with this session's settings.
 *
 * @throws UserError for a setting that contradicts the run, naming its flag and both values
 */
export function continueConfig(saved: Config, settings: Settings): Config {
  const now = resolveConfig(mergeSettings(saved, settings));
  for (const path of differences(saved, now)) {
    if (machineSettings.has(path.join('.'))) continue;
    const [has, had] = [now, saved].map((config) => JSON.stringify(at(config, path)));
    const from = had === undefined ? 'the run to resume, which has none' : `the ${had} of the run to resume`;
    throw new UserError(`${flagOf(path, saved.task) ?? path.join('.')} ${has ?? 'missing'} differs from ${from}`, {
      hint: 'leave it out to continue, or start a new run with another --out',
    });
  }
  return now;
}

/** A configuration that means the same in any working folder. */
export function withAbsolutePaths(config: Config): Config {
  const { dataDir, teacher } = config;
  return {
    ...config,
    ...(dataDir ? { dataDir: resolve(dataDir) } : {}),
    ...(teacher ? { teacher: { ...teacher, checkpoint: resolve(teacher.checkpoint) } } : {}),
  };
}
