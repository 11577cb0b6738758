/**
 * @file A run on disk: config.json, metrics.jsonl, TensorBoard events, last and best checkpoints, summary.json. What grows is
 * append-only, everything else is written atomically, so a run that died is one that can go on.
 */
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../base/errors.ts';
import { withFileErrors, writeFileAtomic } from '../base/files.ts';
import { EventWriter } from '../formats/index.ts';
import type { EpochRecord } from '../train/loop.ts';
import type { Config } from './config.ts';
import type { Fingerprint } from './fingerprint.ts';

/** One line of metrics.jsonl. */
export type MetricsRecord =
  | ({ type: 'epoch' } & EpochRecord)
  | { type: 'step'; epoch: number; step: number; lr: number; loss: number; terms: Record<string, number> };

export interface RunRecord {
  config: Config;
  fingerprint: Fingerprint;
  versions: Record<string, string>;
  created: string;
  /** What the teacher scored on the test set before the first epoch. */
  teacher: { top1: number; top5: number; loss: number } | null;
}

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

  /** Check that a new run may be put into `path`: writable, and no run there yet. Leaves an empty folder. */
  static create(path: string): RunFolder {
    const run = new RunFolder(path);
    if (existsSync(run.#config)) {
      throw new UserError(`${path} already holds a run`, {
        hint: `continue it with --resume ${path}, or choose another --out`,
      });
    }
    withFileErrors('write to', path, () => {
      mkdirSync(path, { recursive: true });
      const probe = join(path, `.probe-${process.pid}`);
      writeFileSync(probe, '');
      rmSync(probe);
    });
    return run;
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
    return { run, record: readJson<RunRecord>(run.#config) };
  }

  writeRecord(record: RunRecord): void {
    writeFileAtomic(this.#config, `${JSON.stringify(record, null, 2)}\n`);
  }

  readSummary<T>(): T | null {
    return existsSync(this.#summary) ? readJson<T>(this.#summary) : null;
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
        return line ? [JSON.parse(line) as MetricsRecord] : [];
      } catch {
        return []; // cut short by a crash
      }
    });
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
    scalar('train/loss', record.train.loss);
    scalar('train/top1', record.train.top1);
    for (const [name, value] of Object.entries(record.train.terms)) scalar(`train/${name}`, value);
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

function readJson<T>(path: string): T {
  const text = withFileErrors('read', path, () => readFileSync(path, 'utf8'));
  try {
    return JSON.parse(text) as T;
  } catch (error) {
    throw new UserError(`${path} is not valid JSON`, { cause: error });
  }
}
