/** @file Runs to rows: seeds of one experiment averaged, what each row cost, and in what rows differ. */
import { quantity } from '../base/quantity.ts';
import { type Spread, spread } from '../base/spread.ts';
import type { Welch } from '../base/student-t.ts';
import { networkOf } from '../config/derive.ts';
import { objectiveLabel, rowLabels } from './label.ts';
import type { ComparedRun, ReadRun } from './read.ts';
import {
  absent,
  type Compared,
  canonical,
  type Difference,
  differences,
  type Settings,
  settingsOf,
  show,
  titleOf,
  valuesOf,
} from './settings.ts';

/** A row before it is compared: runs that are one experiment. */
export interface Group {
  /** Whose numbers are the row's, one a seed. */
  counted: ReadRun[];
  /** The others: unfinished, or a seed again. */
  rest: ReadRun[];
  fields: Record<string, unknown>;
  settings: Settings;
}

/** Why a row should not be compared with the others as it is. */
export interface Flag {
  setting: string;
  text: string;
}

/** Runs that are equal but for the seed. */
export interface ComparedRow {
  label: string;
  data: string;
  student: string;
  fingerprint: string;
  /** Whether the numbers are those of finished runs. */
  finished: boolean;
  /** The epoch they are from, and how many there were to be. */
  epoch: number;
  epochs: number;
  /** Of the runs that count. */
  seeds: number[];
  top1: Spread;
  top5: Spread;
  loss: Spread;
  /** The best epoch's, and what chose it; `test` is hindsight, no fair estimate. Null before the first measurement. */
  best: (Spread & { chosenOn: 'dev' | 'test' }) | null;
  imagesSeen: number;
  teacherForwards: number;
  studentForwards: number;
  /** Mean seconds of a run. */
  seconds: number;
  flags: Flag[];
  /** Its top-1 minus the baseline row's; `test` is null where a side has one seed. Absent without a baseline, and in that row. */
  against?: { baseline: string; difference: number; test: Welch | null };
  /** Runs that count first. */
  runs: (ComparedRun & { counted: boolean })[];
}

/** Group runs by what their fingerprints say, in the order given. Of a seed that was run twice one run counts. */
export function groupRuns(runs: readonly ReadRun[]): { groups: Group[]; notes: string[] } {
  const byFields = new Map<string, ReadRun[]>();
  for (const run of runs) {
    const key = canonical(run.fingerprint.fields);
    byFields.set(key, [...(byFields.get(key) ?? []), run]);
  }
  const notes: string[] = [];
  const groups = [...byFields.values()].map((all): Group => {
    const finished = all.filter((run) => run.finished);
    const candidates = finished.length > 0 ? finished : all;
    const counted: ReadRun[] = [];
    for (const run of candidates) {
      const same = counted.find(({ seed }) => seed === run.seed);
      if (same) notes.push(`${run.folder} repeats seed ${run.seed} of ${same.folder}: not counted`);
      else counted.push(run);
    }
    const rest = all.filter((run) => !counted.includes(run));
    for (const run of rest.filter((other) => !other.finished && finished.length > 0)) {
      notes.push(`${run.folder} is unfinished (${run.epoch} of ${quantity(run.epochs, 'epoch')}): not counted`);
    }
    const { fields } = all[0]!.fingerprint;
    return { counted, rest, fields, settings: settingsOf(fields) };
  });
  return { groups, notes };
}

/** What several runs have of a version: one, or all of them. */
const joined = (runs: readonly ReadRun[], of: (run: ReadRun) => unknown): string =>
  [...new Set(runs.map((run) => String(of(run) ?? 'unknown')))].sort().join(' and ');

/** What is about the runs and not in their fingerprints. */
function circumstances(groups: readonly Group[], isCompared: Compared): Difference[] {
  const list: [string, Difference['kind'], (group: Group) => unknown][] = [
    ['thrive', 'unfair', ({ counted }) => joined(counted, ({ versions }) => versions.thrive)],
    ['libtorch', 'unfair', ({ counted }) => joined(counted, ({ versions }) => versions.libtorch)],
    ['device', 'machine', ({ counted }) => joined(counted, ({ config }) => config.device)],
    ['cpu', 'machine', ({ counted }) => joined(counted, ({ versions }) => versions.cpu)],
    ['threads', 'machine', ({ counted }) => joined(counted, ({ versions }) => versions.threads)],
    ['evaluateEvery', 'hindsight', ({ counted }) => joined(counted, ({ config }) => config.evaluateEvery)],
    ['imagesSeen', 'compute', ({ counted }) => counted[0]!.imagesSeen],
    ['teacherForwards', 'compute', ({ counted }) => counted[0]!.teacherForwards],
    ['studentForwards', 'compute', ({ counted }) => counted[0]!.studentForwards],
  ];
  return list.flatMap(([setting, kind, of]): Difference[] => {
    const values = valuesOf(setting, groups.map(of));
    return values ? [{ setting, title: titleOf(setting), kind: isCompared(setting) ? 'compared' : kind, values }] : [];
  });
}

export function compareGroups(groups: readonly Group[], isCompared: Compared): Difference[] {
  const settings = groups.map((group) => group.settings);
  return [...differences(settings, isCompared), ...circumstances(groups, isCompared)];
}

/** How a setting reads behind a label: `40 epochs`, `batch size 128`, `resnet20`. */
function detail(setting: string, value: unknown): string {
  const shown = show(setting, value);
  if (setting === 'objective') return '';
  if (setting === 'epochs') return quantity(Number(value), 'epoch');
  if (['model', 'data', 'precision', 'baseAugment'].includes(setting)) return shown;
  if (setting === 'nesterov') return value === true ? 'nesterov' : 'no nesterov';
  if (setting === 'temperature') return `T ${shown}`;
  if (setting === 'teacher.model') return `from ${shown}`;
  return `${titleOf(setting)} ${shown}`;
}

/** Settings that name a row best come first, the rest in the order of the configuration. */
const leading = ['model', 'teacher.model', 'data', 'epochs', 'batchSize', 'lr'];
const rank = ({ setting }: Difference): number =>
  (leading.indexOf(setting) + leading.length + 1) % (leading.length + 1);

/** A label for each row, built from what differs between rows. */
export function labelsOf(groups: readonly Group[], all: readonly Difference[]): string[] {
  const told = all
    .filter(({ kind, setting }) => (kind === 'compared' || kind === 'unfair') && setting !== 'objective')
    // What the version changed cannot be seen from the settings; it is for the flags to say.
    .filter(({ setting }) => setting !== 'thrive' && setting !== 'libtorch')
    .sort((a, b) => rank(a) - rank(b));
  return rowLabels(
    groups.map(({ fields }) => objectiveLabel(fields)),
    groups.map(({ settings }, row) =>
      told.map(({ setting, values }) => {
        const own = values.find(({ rows }) => rows.includes(row));
        return own ? detail(setting, settings.get(setting)) : '';
      }),
    ),
  );
}

/** A row is flagged for each unfair difference, unless most rows are as it is. */
function flagsOf(row: number, rows: number, all: readonly Difference[]): Flag[] {
  return all
    .filter(({ kind }) => kind === 'unfair')
    .flatMap(({ setting, title, values }): Flag[] => {
      const own = values.find((value) => value.rows.includes(row));
      if (!own || own.rows.length * 2 > rows) return [];
      return [{ setting, text: `differs in: ${title} (${values.map(({ shown }) => shown).join(', ')})` }];
    });
}

const summaryOf = ({
  folder,
  seed,
  finished,
  epoch,
  epochs,
  top1,
  top5,
  loss,
  best,
  ...rest
}: ReadRun): ComparedRun => {
  const { imagesSeen, teacherForwards, studentForwards, seconds } = rest;
  return {
    folder,
    seed,
    finished,
    epoch,
    epochs,
    top1,
    top5,
    loss,
    best,
    imagesSeen,
    teacherForwards,
    studentForwards,
    seconds,
  };
};

/** Unfinished runs of a row are compared at the last epoch that all of them have measured. */
function atCommonEpoch(runs: readonly ReadRun[]): { epoch: number; of(read: 'top1' | 'top5' | 'loss'): number[] } {
  const measured = runs.map(({ curve }) => new Map(curve.flatMap(({ epoch, test }) => (test ? [[epoch, test]] : []))));
  const common = [...(measured[0]?.keys() ?? [])].filter((epoch) => measured.every((run) => run.has(epoch)));
  const epoch = Math.max(0, ...common);
  return { epoch, of: (read) => (epoch > 0 ? measured.map((run) => run.get(epoch)![read]) : []) };
}

export function makeRow(
  group: Group,
  row: number,
  label: string,
  rows: number,
  all: readonly Difference[],
): ComparedRow {
  const { counted, rest } = group;
  const [first] = counted;
  const { finished, epochs } = first!;
  const at = finished ? null : atCommonEpoch(counted);
  const epoch = at?.epoch ?? epochs;
  const of = (read: 'top1' | 'top5' | 'loss'): Spread => spread(at ? at.of(read) : counted.map((run) => run[read]));
  const bests = counted.flatMap(({ best }) => (best ? [best] : []));
  const mean = (read: (run: ReadRun) => number): number => spread(counted.map(read)).mean;
  const flags = flagsOf(row, rows, all);
  if (!finished) {
    flags.unshift({
      setting: 'finished',
      text:
        epoch === 0 ? 'unfinished: nothing measured yet' : `unfinished: after ${epoch} of ${quantity(epochs, 'epoch')}`,
    });
  }
  return {
    label,
    data: first!.config.data,
    student: networkOf(first!.config),
    fingerprint: first!.fingerprint.id,
    finished,
    epoch,
    epochs,
    seeds: counted.map(({ seed }) => seed),
    top1: of('top1'),
    top5: of('top5'),
    loss: of('loss'),
    best:
      bests.length === counted.length
        ? { ...spread(bests.map(({ top1 }) => top1)), chosenOn: bests[0]!.chosenOn }
        : null,
    imagesSeen: mean((run) => run.imagesSeen),
    teacherForwards: mean((run) => run.teacherForwards),
    studentForwards: mean((run) => run.studentForwards),
    seconds: mean((run) => run.seconds),
    flags,
    runs: [
      ...counted.map((run) => ({ ...summaryOf(run), counted: true })),
      ...rest.map((run) => ({ ...summaryOf(run), counted: false })),
    ],
  };
}

/** Settings that all rows share, for the line over the table. */
export function shared(groups: readonly Group[], settings: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    settings.flatMap((setting) => {
      const values = groups.map((group) => (group.settings.has(setting) ? group.settings.get(setting) : absent));
      const present = values.filter((value) => value !== absent);
      const one = present.length > 0 && new Set(present.map(canonical)).size === 1;
      return one ? [[setting, show(setting, present[0])]] : [];
    }),
  );
}
