/** @file Settings over settings: flags over a file, and this session's over those of a run that is continued. */
import { resolve } from 'node:path';
import { UserError } from '../base/errors.ts';
import { isModelFile } from '../networks/model-reference.ts';
import { type Config, type ConfigInput, flagOf, resolveConfig, type TeacherSettings } from './config.ts';

type Settings = Partial<ConfigInput>;

type Dict = Record<string, unknown>;

const isDict = (value: unknown): value is Dict => typeof value === 'object' && value !== null && !Array.isArray(value);

function merge(under: Dict, over: Dict): Dict {
  const merged = { ...under };
  for (const [key, value] of Object.entries(over)) {
    const below = under[key];
    // What has another kind has other settings too.
    const joins = isDict(below) && isDict(value) && (below.kind === value.kind || value.kind === undefined);
    if (value !== undefined) merged[key] = joins ? merge(below, value) : value;
  }
  return merged;
}

/** A teacher given by its file alone, as the object that says the same. */
const spelledOut = (settings: Settings): Dict =>
  typeof settings.teacher === 'string' ? { ...settings, teacher: { checkpoint: settings.teacher } } : { ...settings };

/** kd's weight and temperature may stand with the methods too: not where they are given anew. */
function withoutKd(methods: readonly unknown[], kd: Settings['kd'] = {}): unknown[] {
  return methods.map((method) => {
    if (!isDict(method) || String(method.name).toLowerCase() !== 'kd') return method;
    const { weight, options, ...rest } = method;
    const left = isDict(options) ? { ...options } : options;
    if (isDict(left) && kd.temperature !== undefined) delete left.temperature;
    return {
      ...rest,
      ...(weight === undefined || kd.alpha !== undefined ? {} : { weight }),
      ...(left === undefined ? {} : { options: left }),
    };
  });
}

/**
 * `over` wins, setting by setting and on every level: a temperature leaves the weights beside it alone. A schedule of another
 * kind replaces the whole schedule.
 */
export function mergeSettings(under: Settings, over: Settings): Settings {
  const below = spelledOut(under);
  // One teacher replaces several, and several one.
  if (over.teachers) delete below.teacher;
  if (over.teacher) {
    delete below.teachers;
    delete below.ensemble;
  }
  if (Array.isArray(below.methods) && !over.methods) below.methods = withoutKd(below.methods, over.kd);
  return merge(below, spelledOut(over)) as Settings;
}

/**
 * Settings that may change between a run and its continuation: they are about the machine, not the experiment. A file may have
 * moved; whether it is still the same is for its hash to say.
 */
const machineSettings: ReadonlySet<string> = new Set([
  'dataDir',
  'threads',
  'device',
  'evaluateEvery',
  'gradientEvery',
  'teacher.checkpoint',
  'teachers.checkpoint',
  'init',
]);

/** A setting's name, whichever of several it is about. */
const settingOf = (path: readonly string[]): string => path.filter((key) => !/^\d+$/.test(key)).join('.');

const movedFile = (path: readonly string[], ...values: unknown[]): boolean =>
  ['model', 'teacher.model', 'teachers.model'].includes(settingOf(path)) &&
  values.every((value) => typeof value === 'string' && isModelFile(value));

/** Paths of the settings in which two configurations differ. */
function differences(a: unknown, b: unknown, path: readonly string[] = []): string[][] {
  if (isDict(a) && isDict(b)) {
    // Schedules of two kinds differ in their kind; what else they hold cannot be compared.
    if (a.kind !== b.kind) return [[...path, 'kind']];
    const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])];
    return keys.flatMap((key) => differences(a[key], b[key], [...path, key]));
  }
  if (Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every(isDict)) {
    return a.flatMap((item, i) => differences(item, b[i], [...path, String(i)]));
  }
  return JSON.stringify(a) === JSON.stringify(b) ? [] : [[...path]];
}

const at = (value: unknown, path: readonly string[]): unknown =>
  path.reduce<unknown>((holder, key) => (holder as Dict | undefined)?.[key], value);

/**
 * The configuration of a run that is continued with this session's settings.
 *
 * @throws UserError for a setting that contradicts the run, naming its flag and both values
 */
export function continueConfig(saved: Config, settings: Settings): Config {
  const now = resolveConfig(mergeSettings(saved, settings));
  for (const path of differences(saved, now)) {
    if (machineSettings.has(settingOf(path))) continue;
    if (movedFile(path, at(saved, path), at(now, path))) continue;
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
  const { dataDir, teacher, teachers, model, init } = config;
  const network = (reference: string): string => (isModelFile(reference) ? resolve(reference) : reference);
  const absolute = <T extends TeacherSettings>(one: T): T => ({
    ...one,
    checkpoint: resolve(one.checkpoint),
    ...(one.model ? { model: network(one.model) } : {}),
  });
  return {
    ...config,
    model: network(model),
    ...(dataDir ? { dataDir: resolve(dataDir) } : {}),
    ...(init ? { init: resolve(init) } : {}),
    ...(teacher ? { teacher: absolute(teacher) } : {}),
    ...(teachers ? { teachers: teachers.map(absolute) } : {}),
  };
}
