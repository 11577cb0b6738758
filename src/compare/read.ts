/** @file Finding run folders and reading what a comparison needs of each; nothing of what is read is trusted. */
import { readdirSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { errorMessage, UserError } from '../base/errors.ts';
import { withFileErrors } from '../base/files.ts';
import type { Config } from '../config/config.ts';
import { datasetInfo } from '../data/index.ts';
import { criteria } from '../distill/pick/index.ts';
import { epochForwards, type Forwards } from '../run/passes.ts';
import { RunFolder } from '../run/run-folder.ts';

/** Diverged runs record NaN, which is not what zod takes for a number. */
const figure = z.union([z.number(), z.nan()]);
const whole = z.int().nonnegative();
const figures = z.record(z.string(), figure);
const evaluation = z.object({ top1: figure, top5: figure, loss: figure });

const epochSchema = z.object({
  epoch: whole.min(1),
  stage: z.enum(['init', 'train']).default('train'),
  step: whole,
  lr: figure,
  train: z.object({ loss: figure, top1: figure, terms: figures, measures: figures }),
  test: evaluation.nullable(),
  dev: evaluation.nullable().default(null),
  isBest: z.boolean(),
  seconds: figure,
});

/** One epoch of a run, as recorded. */
export type RecordedEpoch = z.output<typeof epochSchema>;

const forwards = z.object({ teacher: whole, student: whole });

const recordSchema = z.object({
  config: z.looseObject({
    task: z.enum(['train', 'distill']),
    data: z.string(),
    seed: whole,
    epochs: whole.min(1),
    batchSize: whole.min(1),
    holdout: z.number().default(0),
    evaluateEvery: whole.min(1).default(1),
    limitTrain: whole.optional(),
    device: z.string().default('cpu'),
    model: z.string().optional(),
    student: z.string().optional(),
    method: z.array(z.string()).optional(),
    augment: z.string().optional(),
    pick: z.enum(criteria).optional(),
  }),
  fingerprint: z.object({ id: z.string(), fields: z.record(z.string(), z.unknown()) }),
  versions: z.record(z.string(), z.string()),
  teacher: evaluation.nullable().default(null),
  forwards: z.object({ train: forwards, init: forwards.nullable() }).optional(),
});

type RecordedRun = z.output<typeof recordSchema>;

const summarySchema = z.object({
  top1: figure,
  top5: figure,
  loss: figure,
  epochs: whole,
  best: z.object({ epoch: whole, top1: figure, chosenOn: z.enum(['dev', 'test']) }),
  imagesSeen: figure,
  teacherForwards: figure,
  studentForwards: figure,
  seconds: figure,
});

/** One run, as its folder tells it. */
export interface ComparedRun {
  folder: string;
  seed: number;
  finished: boolean;
  /** The last epoch that was measured; 0 where none was. */
  epoch: number;
  /** Epochs it was to have. */
  epochs: number;
  /** Of the last measured epoch, on the test set. NaN where there is none. */
  top1: number;
  top5: number;
  loss: number;
  /** Null before the first measurement. `test` means chosen with hindsight. */
  best: { epoch: number; top1: number; chosenOn: 'dev' | 'test' } | null;
  imagesSeen: number;
  teacherForwards: number;
  studentForwards: number;
  seconds: number;
}

/** A run with everything that tells it from others. */
export interface ReadRun extends ComparedRun {
  config: z.output<typeof recordSchema>['config'];
  fingerprint: z.output<typeof recordSchema>['fingerprint'];
  versions: Record<string, string>;
  teacher: { top1: number; top5: number; loss: number } | null;
  /** The run's own epochs, counted from 1. */
  curve: RecordedEpoch[];
  /** Epochs of an initialisation before them. */
  initEpochs: number;
  notes: string[];
}

function checked<T extends z.ZodType>(schema: T, value: unknown, file: string, hint: string): z.output<T> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue?.path.length ? `${issue.path.join('.')}: ` : '';
  throw new UserError(`${file} is damaged: ${where}${issue?.message ?? 'not what a run writes'}`, { hint });
}

/**
 * The epochs recorded, each once, in order; those of an initialisation are only counted. A line that a crash cut short is left out,
 * as when a run is continued.
 */
function readCurve(run: RunFolder, folder: string): { curve: RecordedEpoch[]; initEpochs: number; seconds: number } {
  const file = join(folder, 'metrics.jsonl');
  const byEpoch = new Map<number, RecordedEpoch>();
  for (const record of run.epochs()) {
    const epoch = checked(epochSchema, record, file, 'continue the run, or leave it out');
    byEpoch.set(epoch.epoch, epoch);
  }
  const all = [...byEpoch.values()].sort((a, b) => a.epoch - b.epoch);
  const initEpochs = all.filter(({ stage }) => stage === 'init').length;
  const curve = all
    .filter(({ stage, epoch }) => stage === 'train' && epoch > initEpochs)
    .map((record) => ({ ...record, epoch: record.epoch - initEpochs }));
  return { curve, initEpochs, seconds: all.at(-1)?.seconds ?? 0 };
}

/** Images of the training set that the run goes through in an epoch. */
function trainCount({ data, limitTrain, holdout, batchSize }: ReadRun['config'], stepsPerEpoch: number): number {
  let count: number | undefined = limitTrain;
  try {
    count ??= datasetInfo(data).count?.train;
  } catch {
    // A dataset that this version does not know.
  }
  if (count !== undefined) {
    count = Math.round(count * (1 - holdout));
    if (Math.ceil(count / batchSize) === stepsPerEpoch) return count;
  }
  return stepsPerEpoch * batchSize;
}

const pick = ({ epoch, test }: RecordedEpoch, chosenOn: 'dev' | 'test'): NonNullable<ComparedRun['best']> => ({
  epoch,
  top1: test!.top1,
  chosenOn,
});

/** What an epoch costs where the run did not write it down: with further losses only the run itself could tell. */
function guess(config: ReadRun['config'], count: number): NonNullable<RecordedRun['forwards']> {
  const known = (config.method ?? []).every((name) => name === 'kd');
  const train = known
    ? epochForwards(config as unknown as Config, count)
    : { teacher: Number.NaN, student: Number.NaN };
  return { train, init: null };
}

/** What an unfinished run is worth so far, and what it cost: up to the last epoch that was measured. */
function soFar(
  record: RecordedRun,
  { curve, initEpochs, seconds }: ReturnType<typeof readCurve>,
): Omit<ComparedRun, 'folder' | 'seed'> {
  const { config } = record;
  const last = curve.findLast(({ test }) => test !== null);
  const best = curve.findLast(({ test, isBest }) => test !== null && isBest);
  const done = last ? last.epoch + initEpochs : 0;
  const count = last ? trainCount(config, last.step / done) : 0;
  const each = record.forwards ?? guess(config, count);
  const forwards = (network: keyof Forwards): number =>
    last ? last.epoch * each.train[network] + initEpochs * (each.init?.[network] ?? 0) : 0;
  return {
    finished: false,
    epoch: last?.epoch ?? 0,
    epochs: config.epochs,
    top1: last?.test?.top1 ?? Number.NaN,
    top5: last?.test?.top5 ?? Number.NaN,
    loss: last?.test?.loss ?? Number.NaN,
    best: best ? pick(best, config.holdout > 0 ? 'dev' : 'test') : null,
    imagesSeen: done * count,
    teacherForwards: forwards('teacher'),
    studentForwards: forwards('student'),
    seconds: last?.seconds ?? seconds,
  };
}

/**
 * Read one run folder, finished or not.
 *
 * @throws UserError naming the file that is missing or damaged
 */
export function readRun(folder: string): ReadRun {
  const { run, record } = RunFolder.open(folder);
  const file = join(folder, 'config.json');
  const known = checked(recordSchema, record, file, 'leave this run out');
  const { config, fingerprint, versions, teacher } = known;
  const recorded = readCurve(run, folder);
  const { curve, initEpochs } = recorded;
  const notes: string[] = [];
  const raw = run.readSummary<object>();
  let measured: Omit<ComparedRun, 'folder' | 'seed'>;
  if (raw) {
    const hint = 'remove it and continue the run, which writes it again';
    const { top1, top5, loss, best, epochs, ...compute } = checked(
      summarySchema,
      raw,
      join(folder, 'summary.json'),
      hint,
    );
    measured = { finished: true, epoch: epochs, epochs, top1, top5, loss, best, ...compute };
    const last = curve.at(-1);
    if (!last) notes.push(`${folder}: metrics.jsonl holds no epoch; there is no curve`);
    else if (last.epoch !== epochs || (last.test && !Object.is(last.test.top1, top1))) {
      notes.push(`${folder}: summary.json and the last epoch of metrics.jsonl do not agree`);
    }
  } else {
    measured = soFar(known, recorded);
  }
  return { folder, seed: config.seed, ...measured, config, fingerprint, versions, teacher, curve, initEpochs, notes };
}

/** How deep below a folder runs are looked for. */
const DEPTH = 4;

function runsBelow(folder: string, depth = DEPTH): string[] {
  const below = withFileErrors('read', folder, () => readdirSync(folder, { withFileTypes: true }))
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.') && entry.name !== 'node_modules')
    .map((entry) => join(folder, entry.name))
    .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  return below.flatMap((path) => {
    if (RunFolder.isAt(path)) return [path];
    return depth > 1 ? runsBelow(path, depth - 1) : [];
  });
}

/**
 * The runs at `folders`: each is a run or holds runs. A run that was named must be whole; one that was found and is damaged is
 * left out with a note, so that it does not hide the others. The same run given twice counts once.
 *
 * @throws UserError where there is no run, or one that was named is damaged
 */
export function readRuns(folders: readonly string[]): { runs: ReadRun[]; notes: string[] } {
  if (folders.length === 0)
    throw new UserError('no run is named', { hint: 'give run folders, or a folder of them: runs' });
  const notes: string[] = [];
  const seen = new Map<string, string>();
  const runs: ReadRun[] = [];
  const add = (path: string, named: boolean): void => {
    const real = realpathSync(path);
    if (seen.has(real)) {
      if (named) notes.push(`${path} is ${seen.get(real)} again: counted once`);
      return;
    }
    seen.set(real, path);
    try {
      runs.push(readRun(path));
    } catch (error) {
      if (named || !(error instanceof UserError)) throw error;
      notes.push(`left out: ${errorMessage(error)}`);
    }
  };
  for (const folder of folders) {
    const stats = withFileErrors('read', folder, () => statSync(folder));
    if (!stats.isDirectory()) {
      throw new UserError(`${folder} is not a folder`, {
        hint: 'give the folder that a run printed, not a file in it',
      });
    }
    if (RunFolder.isAt(folder)) {
      add(folder, true);
      continue;
    }
    const found = runsBelow(folder);
    if (found.length === 0) {
      throw new UserError(`${folder} is no run and holds none: there is no config.json`, {
        hint: 'give the folder that a run printed, or one that holds such folders',
      });
    }
    for (const path of found) add(path, false);
  }
  if (runs.length === 0) throw new UserError(`no run can be read\n${notes.join('\n')}`);
  return { runs, notes: [...notes, ...runs.flatMap((run) => run.notes)] };
}
