/**
 * @file What differs between rows, and whether it should: a fair comparison changes one thing. Settings come from the fingerprints,
 * so a setting that this file does not know is compared like any other.
 */
import { unknownName } from '../base/suggest.ts';
import { paperMilestones } from '../nn/schedule.ts';
import { hasKd, methodNames, objectiveLabel } from './label.ts';

type Dict = Record<string, unknown>;

const isDict = (value: unknown): value is Dict => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Where a row has no such setting at all: the temperature of a student that has no teacher. */
export const absent: unique symbol = Symbol('absent');

/**
 * `unfair`: a setting that is not the one compared. `compute`: what the row cost, which follows from what is compared.
 * `machine`: what the time was measured on. `hindsight`: touches the best epoch alone.
 */
export type DifferenceKind = 'compared' | 'unfair' | 'compute' | 'machine' | 'hindsight';

export interface Difference {
  /** Where it stands in the configuration: `epochs`, `kd.temperature`. */
  setting: string;
  /** In words. */
  title: string;
  kind: DifferenceKind;
  /** Most common first; `rows` are indices. Rows without the setting are in none. */
  values: { value: unknown; shown: string; rows: number[] }[];
}

/** One row's settings by path. */
export type Settings = Map<string, unknown>;

const titles: Record<string, string> = {
  objective: 'objective',
  task: 'learns from',
  data: 'dataset',
  limitTrain: 'training images',
  limitTest: 'test images',
  holdout: 'share held out to choose the best epoch',
  model: 'student',
  modelSha256: "file of the student's network",
  batchSize: 'batch size',
  lr: 'learning rate',
  weightDecay: 'weight decay',
  standard: 'base augmentation',
  init: 'weights to start from',
  'teacher.sha256': "teacher's weights",
  'teacher.model': 'teacher',
  'teacher.share': "teachers' weights in the ensemble",
  ensemble: 'what of the teachers is averaged',
  'teacher.modelSha256': "file of the teacher's network",
  'kd.temperature': 'temperature',
  'kd.alpha': 'weight of KD',
  'kd.gamma': 'weight of the labels',
  'strong.weight': "weight of the term on x'",
  'strong.draw': 'draws of the augmentation',
  'strong.passes': "passes of x and x'",
  'strong.pick.factor': 'views in a pool',
  'strong.pick.keep': 'share of a pool kept',
  'strong.pick.updateStatistics': 'picking moves statistics',
  methods: 'further losses',
  seeds: 'seeds',
  finished: 'finished',
  thrive: 'version of Thrive',
  libtorch: 'libtorch',
  evaluateEvery: 'epochs between measurements',
  imagesSeen: 'images seen',
  teacherForwards: 'teacher forwards',
  studentForwards: 'student forwards',
};

export const titleOf = (setting: string): string => titles[setting] ?? setting;

/** Groups of settings that the objective is made of. */
const objectiveGroups = ['task', 'kd', 'strong', 'methods', 'studentTaps', 'teacherTaps'];

/** Settings that only rows with a teacher, a second view, … have. */
const conditional = ['kd', 'strong', 'teacher', 'ensemble', 'methods', 'studentTaps', 'teacherTaps'];

/** Weights of the terms belong to the recipe of a method: only rows with the same methods should have the same. */
const recipe = ['kd.alpha', 'kd.gamma', 'strong.weight'];

const within = (setting: string, group: string): boolean => setting === group || setting.startsWith(`${group}.`);
const withinAny = (setting: string, groups: readonly string[]): boolean =>
  groups.some((group) => within(setting, group));

/** Kinds of settings that count as one: what a schedule holds depends on its kind. */
const wholes = new Set(['schedule', 'init', 'methods']);

function flatten(value: unknown, path: string, into: Settings): void {
  if (isDict(value) && !wholes.has(path)) {
    for (const [key, item] of Object.entries(value)) flatten(item, path === '' ? key : `${path}.${key}`, into);
  } else if (value !== undefined && !(value === null && withinAny(path, conditional))) {
    into.set(path, value);
  }
}

/** The paper's milestones are a rule; rows that follow it have the same schedule, whatever their epochs. */
function scheduleOf(schedule: unknown, epochs: unknown): unknown {
  if (!isDict(schedule) || schedule.kind !== 'step' || typeof epochs !== 'number' || epochs < 1) return schedule;
  const rule = JSON.stringify(schedule.milestones) === JSON.stringify(paperMilestones(epochs));
  return rule ? { ...schedule, milestones: 'in proportion to the epochs' } : schedule;
}

/** Several teachers as one: their names, weights and hashes side by side. */
function severalTeachers(teachers: readonly unknown[]): Dict {
  const members = teachers.filter(isDict);
  const of = (key: string): string => members.map((member) => String(member[key] ?? '?')).join('+');
  return { model: of('model'), sha256: of('sha256'), share: of('weight') };
}

/** The settings in a fingerprint's fields, by path, as they can be compared. */
export function settingsOf(fields: Dict): Settings {
  const { schedule, protocol, strong, kd, teacher, ...rest } = fields;
  const settings: Settings = new Map();
  const teaches = hasKd(fields);
  const alpha = isDict(kd) ? kd.alpha : undefined;
  flatten(
    {
      ...rest,
      schedule: scheduleOf(schedule, fields.epochs),
      teacher: Array.isArray(teacher) ? severalTeachers(teacher) : teacher,
      // What is not used cannot differ: without a KD term there is no temperature, and its weight is the objective's matter.
      kd: isDict(kd) && !teaches ? { gamma: kd.gamma } : kd,
      strong: isDict(strong) ? { ...strong, weight: strong.weight ?? alpha } : strong,
      // The protocol follows from the share that is held out, where that is known.
      ...(fields.holdout === undefined ? { protocol } : {}),
    },
    '',
    settings,
  );
  settings.set('objective', objectiveLabel(fields));
  for (const part of ['task', 'strong.scheme', 'strong.pick.criterion', 'strong.labels']) settings.delete(part);
  if (settings.has('methods')) settings.set('methods', fields.methods);
  return settings;
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

/**
 * `vary` names settings or groups of them (`epochs`, `strong`, `kd.temperature`, `objective`). Without it the objective is what
 * is compared: its terms; where those are the same everywhere, their numbers.
 */
export function compared(vary: readonly string[] | undefined, rows: readonly Settings[]): Compared {
  if (!vary) {
    const terms = new Set(rows.map((row) => row.get('objective'))).size > 1;
    return (setting) => setting === 'objective' || (!terms && withinAny(setting, objectiveGroups));
  }
  const known = new Set(['objective', 'strong', 'kd', 'teacher', 'methods', 'versions', ...Object.keys(titles)]);
  for (const row of rows) for (const setting of row.keys()) known.add(setting);
  for (const name of vary) if (!known.has(name)) throw unknownName('setting', name, [...known].sort());
  // The terms are named by the parts they are made of, too.
  const terms = ['objective', 'task', 'strong', 'methods'];
  return (setting) =>
    setting === 'objective'
      ? vary.some((name) => terms.includes(name))
      : vary.some((name) => within(setting, name)) ||
        (vary.includes('objective') && withinAny(setting, objectiveGroups)) ||
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

/** Whether rows with the same further losses agree in a weight. */
function followsRecipe(setting: string, rows: readonly Settings[]): boolean {
  const byMethods = new Map<string, string>();
  return rows.every((row) => {
    if (!row.has(setting)) return true;
    const methods = methodNames(row.get('methods')).sort().join();
    const value = canonical(row.get(setting));
    const before = byMethods.get(methods) ?? value;
    byMethods.set(methods, value);
    return before === value;
  });
}

/** Every setting in which rows differ. */
export function differences(rows: readonly Settings[], isCompared: Compared): Difference[] {
  const settings = new Set(rows.flatMap((row) => [...row.keys()]));
  return [...settings].flatMap((setting): Difference[] => {
    const missing = withinAny(setting, conditional) ? absent : undefined;
    const values = valuesOf(
      setting,
      rows.map((row) => (row.has(setting) ? row.get(setting) : missing)),
    );
    if (!values) return [];
    if (recipe.includes(setting) && followsRecipe(setting, rows)) return [];
    // Methods that differ in name are the objective's difference; the same ones with other numbers are not.
    if (setting === 'methods' && new Set(values.map(({ value }) => methodNames(value).join())).size === values.length)
      return [];
    return [{ setting, title: titleOf(setting), kind: isCompared(setting) ? 'compared' : 'unfair', values }];
  });
}
