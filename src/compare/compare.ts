/** @file Runs side by side: a row for each experiment, seeds averaged, with what makes the comparison unfair. */
import { unknownName } from '../base/suggest.ts';
import { networkOf } from '../config/derive.ts';
import { type Arrangement, arrange } from './arrange.ts';
import { type CurvePoint, curveMetric, meanCurve } from './curves.ts';
import { readRuns } from './read.ts';
import { type ComparedRow, compareGroups, groupRuns, labelsOf, makeRow, shared } from './rows.ts';
import { correlate, readScoreFile, type StddevCorrelation } from './score-file.ts';
import { compared, type Difference, settingsOf } from './settings.ts';

export type { Spread } from '../base/spread.ts';
export { type RowOrder, rowOrders } from './arrange.ts';
export { curveMetrics } from './curves.ts';
export type { ComparedRun } from './read.ts';
export type { ComparedRow, Flag } from './rows.ts';
export type { CorrelationPoint, StddevCorrelation } from './score-file.ts';
export type { Difference, DifferenceKind } from './settings.ts';
export type { CurvePoint };

export interface CompareOptions extends Arrangement {
  /**
   * Settings that are being compared: `augment`, `epochs`, `temperature`, … Rows that differ in anything else are flagged. The
   * objective unless given: which terms the loss has and how x' is made.
   */
  vary?: readonly string[] | undefined;
  /** What the curves show; `top1` unless given. */
  metric?: string | undefined;
  /** A file that `thrive score --out` wrote: T. stddev is correlated with the students' test losses. */
  score?: string | undefined;
}

export interface Comparison {
  /** In the order asked for, else that in which the runs were given. */
  rows: ComparedRow[];
  /** Everything in which rows differ; those of kind `unfair` are in the rows' flags. */
  differences: Difference[];
  /** What all rows share, in words, by setting. */
  shared: Record<string, string>;
  /** The teachers' scores on the test set, by the hash of their weights. */
  teachers: { sha256: string; model: string; top1: number; loss: number }[];
  curves: { metric: string; title: string; rows: CurvePoint[][] };
  correlation: StddevCorrelation | null;
  /** Runs that were left out or not counted, and why. */
  notes: string[];
}

function teachersOf(runs: ReturnType<typeof readRuns>['runs']): Comparison['teachers'] {
  const found = new Map<string, Comparison['teachers'][number]>();
  for (const { fingerprint, teacher } of runs) {
    const identity = fingerprint.fields.teacher as { sha256?: unknown; model?: unknown } | null | undefined;
    if (!teacher || typeof identity?.sha256 !== 'string') continue;
    const { sha256, model } = identity;
    found.set(sha256, { sha256, model: String(model ?? 'unknown'), top1: teacher.top1, loss: teacher.loss });
  }
  return [...found.values()];
}

/** Runs of one dataset and one student, which can be compared with each other. */
export interface ComparisonGroup {
  data: string;
  student: string;
  comparison: Comparison;
}

type Runs = ReturnType<typeof readRuns>['runs'];

function compareRead(runs: Runs, options: CompareOptions, notes: string[]): Comparison {
  const { vary, metric = 'top1', score } = options;
  const scored = score === undefined ? null : readScoreFile(score);
  const grouped = groupRuns(runs);
  const { groups } = grouped;
  const isCompared = compared(
    vary,
    groups.map(({ fields }) => settingsOf(fields)),
  );
  const all = compareGroups(groups, isCompared);
  const labels = labelsOf(groups, all);
  const rows = groups.map((group, i) => makeRow(group, i, labels[i]!, groups.length, all));
  const { title, read } = curveMetric(metric, runs);
  return {
    rows,
    differences: all,
    shared: shared(groups, ['data', 'model', 'teacher.model', 'epochs', 'batchSize', 'limitTrain']),
    teachers: teachersOf(runs),
    curves: { metric, title, rows: groups.map(({ counted }) => meanCurve(counted, read)) },
    correlation: scored && correlate(scored, groups, rows),
    notes: [...notes, ...grouped.notes],
  };
}

/**
 * Compare runs as one group. `folders` are run folders, or folders that hold some; runs that are equal but for the seed make one row
 * with mean and standard deviation (n - 1). The headline is the last epoch's accuracy. Loads no data and no network.
 *
 * @example
 * const { rows } = compareRuns(['runs']);
 * for (const { label, top1, flags } of rows) console.log(label, top1.mean, top1.std, flags.map(({ text }) => text));
 * @throws UserError where there is no run, one that was named is damaged, or a name in the options is unknown
 */
export function compareRuns(folders: readonly string[], options: CompareOptions = {}): Comparison {
  const { runs, notes } = readRuns(folders);
  return arrange(compareRead(runs, options, notes), options);
}

/**
 * Compare the runs of a project: those of one dataset and one student with each other, unless the dataset (`data`) or the student
 * (`model`) is what is compared.
 */
export function compareProject(
  folders: readonly string[],
  options: CompareOptions = {},
): { groups: ComparisonGroup[]; notes: string[] } {
  const { runs, notes } = readRuns(folders);
  const vary = options.vary ?? [];
  const apart = (setting: string, value: string): string => (vary.includes(setting) ? '' : value);
  const parts = new Map<string, Runs>();
  for (const run of runs) {
    const key = JSON.stringify([apart('data', run.config.data), apart('model', networkOf(run.config))]);
    parts.set(key, [...(parts.get(key) ?? []), run]);
  }
  const { baseline } = options;
  let known = baseline === undefined;
  const labels: string[] = [];
  const groups = [...parts].map(([key, members]): ComparisonGroup => {
    const [data, student] = JSON.parse(key) as [string, string];
    const comparison = compareRead(members, options, []);
    notes.push(...comparison.notes);
    labels.push(...comparison.rows.map(({ label }) => label));
    const here = comparison.rows.some(({ label }) => label === baseline);
    known ||= here;
    if (baseline !== undefined && !here)
      notes.push(`no row '${baseline}' for ${data} and ${student}: not tested there`);
    return { data, student, comparison: arrange(comparison, here ? options : { ...options, baseline: undefined }) };
  });
  if (!known) throw unknownName('baseline row', baseline!, [...new Set(labels)]);
  return { groups, notes };
}
