/**
 * @file What differs between rows, and whether it should: a fair comparison changes one thing. Settings come from the fingerprints,
 * so a setting that this file does not know is compared like any other.
 */
import { unknownName } from '../base/suggest.ts';
import type { Setting, Table } from '../config/row.ts';
import { settings } from '../config/settings.ts';
import { type Dict, isDict } from '../config/values.ts';
import { paperMilestones } from '../nn/schedule.ts';
import { objectiveLabel } from './label.ts';

/** Where a row has no such setting at all: the temperature of a student that has no teacher. */
export const absent: unique symbol = Symbol('absent');

/**
 * `unfair`: a setting that is not the one compared. `compute`: what the row cost, which follows from what is compared.
 * `machine`: what the time was measured on. `hindsight`: touches the best epoch alone.
 */
export type DifferenceKind = 'compared' | 'unfair' | 'compute' | 'machine' | 'hindsight';

export interface Difference {
  /** As it is called in the configuration: `epochs`, `temperature`. */
  setting: string;
  /** In words. */
  title: string;
  kind: DifferenceKind;
  /** Most common first; `rows` are indices. Rows without the setting are in none. */
  values: { value: unknown; shown: string; rows: number[] }[];
}

/** One row's settings by path. */
export type Settings = Map<string, unknown>;

const rows: Table = settings;

/** What is compared beside a run's settings. */
const titles: Readonly<Record<string, string>> = {
  ...Object.fromEntries(Object.entries(rows).map(([key, { title }]) => [key, title ?? key])),
  objective: 'objective',
  modelSha256: "file of the student's network",
  'teacher.sha256': "teacher's weights",
  'teacher.model': 'teacher',
  'teacher.share': "teachers' weights in the ensemble",
  'teacher.modelSha256': "file of the teacher's network",
  seeds: 'seeds',
  finished: 'finished',
  thrive: 'version of Thrive',
  libtorch: 'libtorch',
  imagesSeen: 'images seen',
  teacherForwards: 'teacher forwards',
  studentForwards: 'student forwards',
};

export const titleOf = (setting: string): string => titles[setting] ?? setting;

const rowOf = (setting: string): Setting | undefined => rows[setting.split('.')[0] ?? ''];

/** Whether a setting is part of the objective. */
const ofObjective = (setting: string): boolean => rowOf(setting)?.objective === true;

/** Whether only some rows have a setting: those with a teacher, a second view, … */
const isConditional = (setting: string): boolean => {
  const row = rowOf(setting);
  return row?.task !== undefined || row?.needs !== undefined;
};

const within = (setting: string, group: string): boolean => setting === group || setting.startsWith(`${group}.`);

/** Kinds of settings that count as one: what a schedule holds depends on its kind. */
const wholes = new Set(['schedule', 'init', 'weight', 'methodOption']);

function flatten(value: unknown, path: string, into: Settings): void {
  if (isDict(value) && !wholes.has(path)) {
    for (const [key, item] of Object.entries(value)) flatten(item, path === '' ? key : `${path}.${key}`, into);
  } else if (value !== undefined && !(value === null && isConditional(path))) {
    into.set(path, value);
  }
}

/** The paper's milestones are a rule; rows that follow it have the same schedule, whatever their epochs. */
function scheduleOf(fields: Dict): Dict {
  const { milestones, epochs, schedule } = fields;
  const parts = Object.keys(rows).filter((key) => rows[key]?.group === 'Learning-rate schedule' && key in fields);
  const { schedule: _kind, ...rest } = Object.fromEntries(parts.map((key) => [key, fields[key]]));
  const counted = typeof epochs === 'number' && epochs >= 1;
  const rule =
    counted && milestones !== undefined && JSON.stringify(milestones) === JSON.stringify(paperMilestones(epochs));
  return { kind: schedule, ...rest, ...(rule ? { milestones: 'in proportion to the epochs' } : {}) };
}

/** Several teachers as one: their names, weights and hashes side by side. */
function severalTeachers(teachers: readonly unknown[]): Dict {
  const members = teachers.filter(isDict);
  const of = (key: string): string => members.map((member) => String(member[key] ?? '?')).join('+');
  return { model: of('model'), sha256: of('sha256'), share: of('weight') };
}

/** The settings in a fingerprint's fields, by path, as they can be compared. */
export function settingsOf(fields: Dict): Settings {
  const { protocol, teacher, ...rest } = fields;
  const others = Object.entries(rest).filter(([key]) => rows[key]?.group !== 'Learning-rate schedule');
  const compared: Settings = new Map();
  flatten(
    {
      ...Object.fromEntries(others),
      ...(fields.schedule === undefined ? {} : { schedule: scheduleOf(fields) }),
      teacher: Array.isArray(teacher) ? severalTeachers(teacher) : teacher,
      // The protocol follows from the share that is held out, where that is known.
      ...(fields.holdout === undefined ? { protocol } : {}),
    },
    '',
    compared,
  );
  compared.set('objective', objectiveLabel(fields));
  // Their names are the objective's.
  for (const part of ['task', 'augment', 'pick', 'strongLabels', 'method']) compared.delete(part);
  return compared;
}

/** Object keys in one order, so that equal settings are equal texts. */
export const canonical = (value: unknown): string =>
  value === absent
    ? 'absent'
    : (JSON.stringify(value, (_, item: unknown) =>
        isDict(item) ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1))) : item,
      ) ?? 'undefined');

/** Nested settings without braces: `crd negatives 4096`, `at, kd`. */
function inWords(value: unknown): string {
  if (Array.isArray(value)) return value.map(inWords).join(', ');
  if (!isDict(value)) return String(value);
  return Object.entries(value)
    .filter(([, item]) => item !== null && item !== undefined && !(isDict(item) && Object.keys(item).length === 0))
    .map(([key, item]) => (key === 'name' ? String(item) : `${key} ${inWords(item)}`))
    .join(' ');
}

/** A setting's value in few words. */
export function show(setting: string, value: unknown): string {
  if (value === absent || value === undefined || value === null) {
    return setting === 'limitTrain' || setting === 'limitTest' ? 'all' : 'none';
  }
  if (/sha256$/i.test(setting)) {
    return String(value)
      .split('+')
      .map((hash) => hash.slice(0, 8))
      .join('+');
  }
  if (setting === 'init' && isDict(value)) return String(value.sha256).slice(0, 8);
  if (setting === 'schedule' && isDict(value)) {
    const { kind, ...rest } = value;
    const numbers = Object.entries(rest).map(
      ([key, item]) => `${key} ${Array.isArray(item) ? item.join(' ') : String(item)}`,
    );
    return [String(kind), ...numbers].join(' ');
  }
  if (typeof value === 'number') return value.toLocaleString('en-US', { maximumSignificantDigits: 12 });
  if (Array.isArray(value) && value.every((item) => typeof item !== 'object')) return value.join(' ');
  return inWords(value);
}

/** What is compared, as the person names it, and whether a setting is part of it. */
export type Compared = (setting: string) => boolean;

/** What names the terms of the objective. */
const terms: readonly string[] = ['objective', 'task', 'augment', 'pick', 'strongLabels', 'method'];

/** Settings that go with one that is varied: how x' is made with its scheme, weights with the losses. */
const goesWith = (setting: string, varied: string): boolean =>
  (varied === 'augment' && rowOf(setting)?.group === 'Second view and picking') ||
  (varied === 'pick' && setting.startsWith('pick')) ||
  (varied === 'method' && (setting === 'weight' || setting === 'methodOption'));

/**
 * `vary` names settings or groups of them (`epochs`, `augment`, `temperature`, `objective`). Without it the objective is what is
 * compared: its terms; where those are the same everywhere, their numbers.
 */
export function compared(vary: readonly string[] | undefined, all: readonly Settings[]): Compared {
  if (!vary) {
    const several = new Set(all.map((row) => row.get('objective'))).size > 1;
    return (setting) => setting === 'objective' || (!several && ofObjective(setting));
  }
  const known = new Set(['teacher', 'versions', ...Object.keys(titles)]);
  for (const row of all) for (const setting of row.keys()) known.add(setting);
  for (const name of vary) if (!known.has(name)) throw unknownName('setting', name, [...known].sort());
  return (setting) =>
    setting === 'objective'
      ? vary.some((name) => terms.includes(name))
      : vary.some((name) => within(setting, name) || goesWith(setting, name)) ||
        (vary.includes('objective') && ofObjective(setting)) ||
        (vary.includes('versions') && (setting === 'thrive' || setting === 'libtorch'));
}

/** The values that rows have for a setting, most common first; null where they are one. */
export function valuesOf(setting: string, values: readonly unknown[]): Difference['values'] | null {
  const groups = new Map<string, Difference['values'][number]>();
  for (const [row, value] of values.entries()) {
    if (value === absent) continue;
    const key = canonical(value);
    const group = groups.get(key);
    if (group) group.rows.push(row);
    else groups.set(key, { value: value ?? null, shown: show(setting, value), rows: [row] });
  }
  return groups.size > 1 ? [...groups.values()].sort((a, b) => b.rows.length - a.rows.length) : null;
}

/** Whether rows with the same losses agree in a setting of their recipe. */
function followsRecipe(setting: string, all: readonly Settings[]): boolean {
  const byLosses = new Map<string, string>();
  return all.every((row) => {
    if (!row.has(setting)) return true;
    const losses = canonical(row.get('weight') ?? null) + String(row.has('alpha'));
    const value = canonical(row.get(setting));
    const before = byLosses.get(losses) ?? value;
    byLosses.set(losses, value);
    return before === value;
  });
}

/** Every setting in which rows differ. */
export function differences(all: readonly Settings[], isCompared: Compared): Difference[] {
  const names = new Set(all.flatMap((row) => [...row.keys()]));
  return [...names].flatMap((setting): Difference[] => {
    const missing = isConditional(setting) ? absent : undefined;
    const values = valuesOf(
      setting,
      all.map((row) => (row.has(setting) ? row.get(setting) : missing)),
    );
    if (!values) return [];
    if (rows[setting]?.recipe && followsRecipe(setting, all)) return [];
    // Losses that differ in name are the objective's difference; the same ones with other numbers are not.
    if ((setting === 'weight' || setting === 'methodOption') && differInName(values)) return [];
    return [{ setting, title: titleOf(setting), kind: isCompared(setting) ? 'compared' : 'unfair', values }];
  });
}

const differInName = (values: Difference['values']): boolean =>
  new Set(values.map(({ value }) => Object.keys(isDict(value) ? value : {}).join())).size === values.length;
