/** @file One run explained: what was asked for, how it went, what its folder holds. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { errorCode } from '../base/errors.ts';
import { objectiveLabel } from '../compare/label.ts';
import { type ReadRun, readRun } from '../compare/read.ts';
import { show } from '../compare/settings.ts';
import { resolveConfig } from '../config/config.ts';
import { networkOf } from '../config/derive.ts';
import { settings } from '../config/settings.ts';
import { RunFolder } from '../run/run-folder.ts';
import { processAt } from '../run/run-lock.ts';
import { CONSOLE_LOG } from './console-log.ts';

export type RunState = 'finished' | 'running' | 'failed' | 'stopped';

export interface RunReport {
  folder: string;
  task: string;
  data: string;
  student: string;
  /** What it learns from: `kd+cutmix`. */
  objective: string;
  seed: number;
  created: string | null;
  /** As it was typed, where the run kept it. */
  commandLine: string[] | null;
  /** Settings that are not the defaults, by path. */
  settings: Record<string, unknown>;
  state: RunState;
  /** The process that trains it now, or the error it ended with. */
  detail: string | null;
  epoch: number;
  epochs: number;
  last: { epoch: number; top1: number; top5: number; loss: number } | null;
  best: ReadRun['best'];
  teacher: ReadRun['teacher'];
  seconds: number;
  curve: { epoch: number; train: number; test: number | null }[];
  files: { name: string; bytes: number; what: string }[];
}

type Dict = Record<string, unknown>;
const isDict = (value: unknown): value is Dict => typeof value === 'object' && value !== null && !Array.isArray(value);

/** The leaves of nested settings by path; lists are values. */
function flatten(value: unknown, path = '', into: Dict = {}): Dict {
  if (isDict(value)) {
    for (const [key, item] of Object.entries(value)) flatten(item, path === '' ? key : `${path}.${key}`, into);
  } else if (value !== undefined) into[path] = value;
  return into;
}

/** Settings without which there is no run, and what the objective names. */
const required = ['task', 'data', 'model', 'student', 'teacher', 'method', 'augment', 'pick'];

/** What was asked for beside the dataset, the networks and what there is to learn from. */
export function nonDefaults(config: Dict): Dict {
  // What others follow from: milestones from the epochs, how a schedule goes from its kind.
  const least = Object.fromEntries(
    [...required, 'epochs', 'schedule', 'init', 'ensemble', 'strongWeight', 'alpha']
      .filter((key) => config[key] !== undefined)
      .map((key) => [key, config[key]]),
  );
  const defaults = flatten(resolveConfig(least));
  return Object.fromEntries(
    Object.entries(flatten(config)).filter(([path, value]) => {
      if (['epochs', 'init', 'ensemble', 'strongWeight'].includes(path)) return true;
      if (path === 'schedule') return value !== settings.schedule.default;
      return !required.includes(path) && JSON.stringify(defaults[path]) !== JSON.stringify(value);
    }),
  );
}

/** What a file of a run is, and what opens it. */
const purposes: readonly [RegExp, string][] = [
  [/^config\.json$/, 'every setting as resolved; --config starts the same run anew'],
  [/^metrics\.jsonl$/, 'a record for each epoch and every tenth step, as JSON lines'],
  [/^events\.out\.tfevents\./, 'curves for TensorBoard: tensorboard --logdir'],
  [/^last\.safetensors$/, 'weights after the last epoch, and what resuming needs: eval, export, predict, --teacher'],
  [/^best\.safetensors$/, 'weights of the best epoch on the held-out split: eval, export, predict, --teacher'],
  [/^best-on-test\.safetensors$/, 'weights of the best epoch, chosen with hindsight: for curiosity'],
  [/^summary\.json$/, 'the result in one object'],
  [/^console\.log$/, 'what the run said'],
  [/^run\.lock$/, 'the process that is at work here'],
];

function filesOf(folder: string): RunReport['files'] {
  return readdirSync(folder)
    .sort()
    .flatMap((name) => {
      const what = purposes.find(([pattern]) => pattern.test(name))?.[1];
      return what ? [{ name, bytes: statSync(join(folder, name)).size, what }] : [];
    });
}

/** The error that the last session ended with, by what it said. */
function lastError(folder: string): string | null {
  let text: string;
  try {
    text = readFileSync(join(folder, CONSOLE_LOG), 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return null;
    throw error;
  }
  const lines = text.trimEnd().split('\n').slice(-4);
  return lines.findLast((line) => line.startsWith('error: '))?.slice('error: '.length) ?? null;
}

/** @throws UserError for a folder that holds no run, or a damaged one */
export function reportRun(folder: string): RunReport {
  const run = readRun(folder);
  const record = RunFolder.open(folder).record as unknown as Dict;
  const config = record.config as Dict;
  const worker = processAt(folder);
  const error = worker === null && !run.finished ? lastError(folder) : null;
  const state: RunState = run.finished ? 'finished' : worker !== null ? 'running' : error ? 'failed' : 'stopped';
  const measured = run.curve.findLast(({ test }) => test !== null);
  const { commandLine, created } = record;
  return {
    folder,
    task: run.config.task,
    data: run.config.data,
    student: networkOf(run.config),
    objective: objectiveLabel(run.fingerprint.fields),
    seed: run.seed,
    created: typeof created === 'string' ? created : null,
    commandLine: Array.isArray(commandLine) ? commandLine.map(String) : null,
    settings: nonDefaults(config),
    state,
    detail: state === 'running' ? `process ${worker}` : error,
    epoch: run.curve.at(-1)?.epoch ?? 0,
    epochs: run.epochs,
    last: measured?.test
      ? { epoch: measured.epoch, top1: measured.test.top1, top5: measured.test.top5, loss: measured.test.loss }
      : null,
    best: run.best,
    teacher: run.teacher,
    seconds: run.curve.at(-1)?.seconds ?? run.seconds,
    curve: run.curve.map(({ epoch, train, test }) => ({ epoch, train: train.top1, test: test?.top1 ?? null })),
    files: filesOf(folder),
  };
}

/** A setting's value as it is shown. */
export const shownSetting = (path: string, value: unknown): string => show(path, value);
