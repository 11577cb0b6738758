/**
 * @file A run on disk: config.json, metrics.jsonl, TensorBoard events, last and best checkpoints, summary.json. What grows is
 * append-only, everything else is written atomically, so a run that died is one that can go on.
 */
import { appendFileSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../base/errors.ts';
import { makeFolder, withFileErrors, writeFileAtomic } from '../base/files.ts';
import { speaksFlags, toGive } from '../base/speech.ts';
import type { Config, ConfigInput } from '../config/config.ts';
import { type Fingerprint, recordedPrint } from '../config/fingerprint.ts';
import { modernize } from '../config/legacy.ts';
import { EventWriter } from '../formats/index.ts';
import type { EpochRecord } from '../train/loop.ts';
import type { GradientShare } from '../train/step.ts';
import type { Forwards } from './passes.ts';

/** One line of metrics.jsonl. */
export type MetricsRecord =
  | ({ type: 'epoch' } & EpochRecord)
  | {
      /** How much of the update each term accounts for. */
      type: 'gradients';
      epoch: number;
      step: number;
      terms: Record<string, GradientShare>;
    }
  | { type: 'step'; epoch: number; step: number; lr: number; loss: number; terms: Record<string, number> };

export interface RunRecord {
  /** Every setting that has an effect, as resolved. */
  config: Config;
  /** What of it was written; the rest followed from that. */
  written?: ConfigInput;
  /** The command line as it was typed, where there was one. */
  commandLine?: readonly string[];
  fingerprint: Fingerprint;
  versions: Record<string, string>;
  created: string;
  /** What the teacher scored on the test set before the first epoch. */
  teacher: { top1: number; top5: number; loss: number } | null;
  /** Images that pass through each network in one of the run's own epochs, and in one of an initialisation before them. */
  forwards?: { train: Forwards; init: Forwards | null };
}

/** Files that only a run leaves. */
const ofRun = /^(events\.out\.tfevents\.|metrics\.jsonl$|summary\.json$|(last|best|best-on-test)\.safetensors$)/;

/** A run's files, by one process at a time. */
export class RunFolder {
  readonly path: string;
  #events: EventWriter | undefined;

  private constructor(path: string) {
    this.path = path;
  }

  get lastCheckpoint(): string {
    return join(this.path, 'last.safetensors');
  }
  /** Named after what chose it: the dev split, or (nothing to choose by) the test set itself. */
  bestCheckpoint(onDev: boolean): string {
    return join(this.path, onDev ? 'best.safetensors' : 'best-on-test.safetensors');
  }
  get #config(): string {
    return join(this.path, 'config.json');
  }
  get #metrics(): string {
    return join(this.path, 'metrics.jsonl');
  }
  get #summary(): string {
    return join(this.path, 'summary.json');
  }

  /** Check that a new run may be put into `path`: writable, and nothing of a run there yet. Leaves an empty folder. */
  static create(path: string): RunFolder {
    const run = new RunFolder(path);
    if (existsSync(run.#config)) {
      throw new UserError(`${path} already holds a run`, {
        hint: `continue it with ${speaksFlags() ? `--resume ${path}` : 'resume: true'}, or choose another ${toGive('out')}`,
      });
    }
    withFileErrors('write to', path, () => {
      makeFolder(path);
      const left = readdirSync(path).find((name) => ofRun.test(name));
      if (left) {
        throw new UserError(`${path} holds what is left of a run (${left}), but no config.json to continue it with`, {
          hint: `remove its files, or choose another ${toGive('out')}`,
        });
      }
      const probe = join(path, `.probe-${process.pid}`);
      writeFileSync(probe, '');
      rmSync(probe);
    });
    return run;
  }

  /** Whether there is a run at `path` that can be opened. */
  static isAt(path: string): boolean {
    return existsSync(new RunFolder(path).#config);
  }

  /** Whether there is a position to continue from; a run that died before its first save starts over. */
  hasCheckpoint(): boolean {
    return existsSync(this.lastCheckpoint);
  }

  /** A run that was started before. */
  static open(path: string): { run: RunFolder; record: RunRecord } {
    const run = new RunFolder(path);
    if (!existsSync(run.#config)) {
      throw new UserError(`${path} holds no run to resume: there is no config.json`, {
        hint: 'give the folder that an earlier run printed',
      });
    }
    const record = readJson<RunRecord>(run.#config, `start the run anew in another ${toGive('out')}`);
    for (const key of ['config', 'fingerprint', 'versions'] as const) {
      if (typeof record[key] === 'object' && record[key] !== null) continue;
      throw new UserError(`${run.#config} is not a run's: it has no ${key}`);
    }
    // A record of before, in today's words.
    const config = modernize({ ...record.config }) as unknown as Config;
    return { run, record: { ...record, config, fingerprint: recordedPrint(record.fingerprint) } };
  }

  writeRecord(record: RunRecord): void {
    writeFileAtomic(this.#config, `${JSON.stringify(record, null, 2)}\n`);
  }

  readSummary<T extends object>(): T | null {
    if (!existsSync(this.#summary)) return null;
    return readJson<T>(this.#summary, 'remove it: the run writes it again from its checkpoint', reviveNaN);
  }

  writeSummary(summary: object): void {
    writeFileAtomic(this.#summary, `${JSON.stringify(summary, null, 2)}\n`);
  }

  /** Make the metrics agree with a position: forget what was recorded after it, and a line a crash cut short. */
  rewind(epochs: number, steps: number): void {
    rmSync(this.#summary, { force: true });
    const kept = this.readMetrics().filter((r) => (r.type === 'epoch' ? r.epoch <= epochs : r.step <= steps));
    writeFileAtomic(this.#metrics, kept.map((record) => `${JSON.stringify(record)}\n`).join(''));
    this.#events = new EventWriter(this.path, { resumeAt: steps + 1 });
  }

  readMetrics(): MetricsRecord[] {
    if (!existsSync(this.#metrics)) return [];
    const lines = withFileErrors('read', this.#metrics, () => readFileSync(this.#metrics, 'utf8')).split('\n');
    return lines.flatMap((line) => {
      try {
        return line ? [JSON.parse(line, reviveNaN) as MetricsRecord] : [];
      } catch {
        return []; // cut short by a crash
      }
    });
  }

  /** The epochs recorded so far. */
  epochs(): EpochRecord[] {
    return this.readMetrics().flatMap((record) => (record.type === 'epoch' ? [record] : []));
  }

  append(record: MetricsRecord): void {
    withFileErrors('write', this.#metrics, () => appendFileSync(this.#metrics, `${JSON.stringify(record)}\n`));
    this.#events ??= new EventWriter(this.path);
    const { step } = record;
    const scalar = (tag: string, value: number): void => this.#events!.scalar(tag, step, value);
    if (record.type === 'step') {
      scalar('step/loss', record.loss);
      scalar('step/lr', record.lr);
      for (const [name, value] of Object.entries(record.terms)) scalar(`step/${name}`, value);
      return;
    }
    if (record.type === 'gradients') {
      for (const [name, { share }] of Object.entries(record.terms)) scalar(`gradient/${name}`, share);
      return;
    }
    scalar('train/loss', record.train.loss);
    scalar('train/top1', record.train.top1);
    const { terms, measures } = record.train;
    for (const [name, value] of Object.entries({ ...terms, ...measures })) scalar(`train/${name}`, value);
    for (const [set, values] of Object.entries({ test: record.test, dev: record.dev })) {
      if (!values) continue;
      scalar(`${set}/top1`, values.top1);
      scalar(`${set}/top5`, values.top5);
      scalar(`${set}/loss`, values.loss);
    }
  }

  close(): void {
    this.#events?.close();
    this.#events = undefined;
  }

  /** Nothing was done: take away what `create` made, if it is still empty. */
  discardIfEmpty(): void {
    if (existsSync(this.path) && readdirSync(this.path).length === 0) rmSync(this.path, { recursive: true });
  }
}

/** Keys whose null means that there is nothing. */
const nullable: ReadonlySet<string> = new Set(['dev', 'test', 'teacher']);

/** JSON has no NaN and writes null; what may truly be null is an object. */
const reviveNaN = (key: string, value: unknown): unknown => (value === null && !nullable.has(key) ? Number.NaN : value);

function readJson<T extends object>(path: string, hint: string, revive?: (key: string, value: unknown) => unknown): T {
  const text = withFileErrors('read', path, () => readFileSync(path, 'utf8'));
  let value: unknown;
  try {
    value = JSON.parse(text, revive);
  } catch (error) {
    throw new UserError(`${path} is damaged: it is not valid JSON`, { hint, cause: error });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new UserError(`${path} is damaged: it holds no object`, { hint });
  }
  return value as T;
}
