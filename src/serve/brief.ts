/** @file A run in one row: what its small files say, and the end of its metrics. Nothing of what is read is trusted. */
import { closeSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { errorMessage } from '../base/errors.ts';
import { objectiveLabel } from '../compare/label.ts';
import { modernize } from '../config/legacy.ts';
import { lockOwner } from '../run/run-lock.ts';
import { openInside, readInside, readObject } from './contain.ts';

/**
 * `running`: a process is at work there. `stopped`: it was asked to stop and can go on. `stale`: its process is gone without a
 * word. `failed`: its loss became no number. `broken`: its files cannot be read.
 */
export type RunState = 'running' | 'finished' | 'stopped' | 'failed' | 'stale' | 'broken';

export interface RunBrief {
  id: string;
  name: string;
  state: RunState;
  /** What was run, in a few words. */
  label: string;
  data: string;
  student: string;
  teacher: string;
  seed: number | null;
  /** Runs that are equal but for the seed have the same. */
  group: string;
  epoch: number;
  epochs: number | null;
  top1: number | null;
  loss: number | null;
  best: number | null;
  bestEpoch: number | null;
  chosenOn: 'dev' | 'test' | null;
  imagesPerSecond: number | null;
  seconds: number | null;
  secondsLeft: number | null;
  created: string;
  /** What is wrong with its files. */
  problem: string | null;
}

type Dict = Record<string, unknown>;
const dict = (value: unknown): Dict =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Dict) : {};
const number = (value: unknown): number | null => (typeof value === 'number' && Number.isFinite(value) ? value : null);
const text = (value: unknown, most = 120): string => (typeof value === 'string' ? value.slice(0, most) : '');
const positive = (value: unknown): number | null => {
  const found = number(value);
  return found !== null && found >= 0 && found < 1e9 ? found : null;
};

const TAIL = 64 * 1024;

/** The last records of metrics.jsonl, the epochs among them first to last. */
function tail(folder: string): { epochs: Dict[]; lastStep: Dict | null; diverged: boolean } {
  const opened = openInside(folder, 'metrics.jsonl');
  if (!opened) return { epochs: [], lastStep: null, diverged: false };
  const { fd, status } = opened;
  try {
    const from = Math.max(0, status.size - TAIL);
    const buffer = Buffer.alloc(Math.min(TAIL, status.size));
    const count = readSync(fd, buffer, 0, buffer.length, from);
    const lines = buffer.toString('utf8', 0, count).split('\n');
    const epochs: Dict[] = [];
    let lastStep: Dict | null = null;
    let diverged = false;
    for (const line of from > 0 ? lines.slice(1) : lines) {
      if (!line.startsWith('{')) continue;
      try {
        const record = dict(JSON.parse(line));
        if (record.type === 'epoch') epochs.push(record);
        if (record.type === 'step') {
          lastStep = record;
          diverged = record.loss === null;
        }
      } catch {
        // Being written, or cut short by a crash.
      }
    }
    return { epochs, lastStep, diverged };
  } finally {
    closeSync(fd);
  }
}

/** Who taught, from a fingerprint or a configuration: one name, or several joined. */
function teacherName(fields: Dict): string {
  const of = (value: unknown): string => text(dict(value).model) || text(value);
  const { teacher } = fields;
  return Array.isArray(teacher) ? teacher.slice(0, 8).map(of).join(' + ') : of(teacher);
}

/** A class or a file as a model: its name. */
const modelName = (value: unknown): string => text(typeof value === 'string' ? value : dict(value).name);

const NO_SIGN = 10 * 60 * 1000;

function stateOf(folder: string, finished: boolean, diverged: boolean): RunState {
  if (finished) return 'finished';
  const owner = lockOwner(readInside(folder, 'run.lock', 4096));
  if (owner?.state === 'alive') return 'running';
  if (diverged) return 'failed';
  if (owner?.state === 'dead') return 'stale';
  if (owner?.state !== 'elsewhere') return 'stopped';
  // Another machine's process cannot be asked; it writes now and then while it lives.
  const age = Date.now() - (statSync(join(folder, 'metrics.jsonl'), { throwIfNoEntry: false })?.mtimeMs ?? 0);
  return age < NO_SIGN ? 'running' : 'stale';
}

const blank = (id: string, name: string): RunBrief => ({
  ...{ id, name, state: 'broken', label: '', data: '', student: '', teacher: '', seed: null, group: id, epoch: 0 },
  ...{ epochs: null, top1: null, loss: null, best: null, bestEpoch: null, chosenOn: null, imagesPerSecond: null },
  ...{ seconds: null, secondsLeft: null, created: '', problem: null },
});

/** Read one run's row. Never throws for what the files hold: that is said in `problem`. */
export function readBrief(folder: string, id: string, name: string): RunBrief {
  const brief = blank(id, name);
  try {
    const record = readObject(folder, 'config.json');
    if (!record) return { ...brief, problem: 'config.json cannot be read' };
    const [config, fingerprint] = [modernize(dict(record.config)), dict(record.fingerprint)];
    const fields = { ...config, ...modernize(dict(fingerprint.fields), 'fields') };
    let summary: Dict | null = null;
    let problem: string | null = null;
    try {
      summary = readObject(folder, 'summary.json');
    } catch (error) {
      problem = errorMessage(error);
    }
    const { epochs, lastStep, diverged } = tail(folder);
    const last = epochs.at(-1);
    const measured = epochs.findLast(({ test }) => dict(test).top1 !== undefined);
    const best = epochs.findLast(({ isBest }) => isBest === true);
    const train = dict(last?.train ?? summary?.train);
    const total = positive(config.epochs);
    const init = positive(summary?.initEpochs) ?? 0;
    const epoch = positive(last?.epoch ?? summary?.epochs) ?? 0;
    const seconds = positive(summary?.seconds ?? last?.seconds);
    const fromSummary = dict(summary?.best);
    const state = stateOf(folder, summary !== null, diverged);
    const onDev = (number(config.holdout) ?? 0) > 0;
    const bestTop1 = number(fromSummary.top1 ?? dict(best?.[onDev ? 'dev' : 'test']).top1);
    return {
      ...brief,
      state,
      label: objectiveLabel(fields).slice(0, 160),
      data: text(config.data),
      student: modelName(fields.model ?? fields.student),
      teacher: teacherName(fields),
      seed: number(config.seed),
      group: text(fingerprint.id, 64) || id,
      epoch: Math.max(0, summary ? (positive(summary.epochs) ?? epoch) : epoch - init),
      epochs: total,
      top1: number(summary ? summary.top1 : dict(measured?.test).top1),
      loss: number(summary ? summary.loss : dict(measured?.test).loss),
      best: bestTop1,
      bestEpoch: positive(fromSummary.epoch ?? best?.epoch),
      chosenOn: bestTop1 === null ? null : onDev ? 'dev' : 'test',
      imagesPerSecond: number(summary?.imagesPerSecond ?? train.imagesPerSecond),
      seconds,
      secondsLeft:
        state === 'running' && seconds !== null && total !== null && epoch > 0
          ? ((total - epoch) * seconds) / epoch
          : null,
      created: text(record.created, 40),
      problem: problem ?? (lastStep === null && !last && summary ? 'metrics.jsonl cannot be read' : null),
    };
  } catch (error) {
    return { ...brief, problem: errorMessage(error) };
  }
}
