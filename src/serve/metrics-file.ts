/**
 * @file metrics.jsonl as series, read from where it was left: appended lines cost what they are, a file that was rewritten (a run
 * resumed) is read anew. A large file is looked at in samples first, so that there is something to see while it is read.
 */
import { closeSync, readSync } from 'node:fs';
import { openInside } from './contain.ts';
import { Series } from './series.ts';

const CHUNK = 1 << 20;
/** A line longer than this is none of ours. */
const LONGEST_LINE = 1 << 20;
/** After so many bytes in a row without a line that can be read, the rest is not looked at. */
const MOST_GARBAGE = 64 << 20;
const MOST_SERIES = 200;
const SAMPLES = 256;
const SAMPLE = 8192;

/** Where null stands for nothing; elsewhere it stands for NaN, which JSON lacks. */
const nullable = new Set(['test', 'dev', 'teacher']);

/** What is known of an epoch: enough to draw over epochs, images or time. */
export interface EpochPlace {
  epoch: number;
  step: number;
  seconds: number;
}

export interface Curves {
  series: Map<string, Series>;
  epochs: Map<number, EpochPlace>;
  /** The last step that anything was recorded of. */
  step: number;
  lines: number;
  badLines: number;
}

const empty = (): Curves => ({ series: new Map(), epochs: new Map(), step: 0, lines: 0, badLines: 0 });

type Dict = Record<string, unknown>;
const isDict = (value: unknown): value is Dict => typeof value === 'object' && value !== null && !Array.isArray(value);
const finite = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);

function addNumbers(curves: Curves, path: string, value: unknown, step: number, depth: number): void {
  if (typeof value === 'number' || value === null) {
    let series = curves.series.get(path);
    if (!series) {
      if (curves.series.size >= MOST_SERIES || path.length > 120) return;
      series = new Series();
      curves.series.set(path, series);
    }
    series.add(step, value ?? Number.NaN);
    return;
  }
  if (!isDict(value) || depth > 4) return;
  for (const [key, item] of Object.entries(value)) {
    if (item === null && nullable.has(key)) continue;
    addNumbers(curves, `${path}/${key}`, item, step, depth + 1);
  }
}

/** Take in one record; whatever is a number in it becomes a point of the series named by its place. */
function addRecord(curves: Curves, record: unknown): boolean {
  if (!isDict(record) || typeof record.type !== 'string' || !finite(record.step)) return false;
  const { type, step, epoch, seconds, isBest: _, stage: __, ...numbers } = record;
  for (const [key, value] of Object.entries(numbers)) {
    if (value === null && nullable.has(key)) continue;
    addNumbers(curves, `${type}/${key}`, value, step, 0);
  }
  curves.step = Math.max(curves.step, step);
  if (type === 'epoch' && finite(epoch) && curves.epochs.size < 100_000) {
    curves.epochs.set(epoch, { epoch, step, seconds: finite(seconds) ? seconds : Number.NaN });
  }
  return true;
}

function addLine(curves: Curves, line: string): void {
  if (line === '') return;
  curves.lines++;
  try {
    if (addRecord(curves, JSON.parse(line))) return;
  } catch {
    // Said in what the page shows of the file.
  }
  curves.badLines++;
}

export class MetricsFile {
  readonly #folder: string;
  #whole = empty();
  #preview: Curves | null = null;
  #offset = 0;
  #size = 0;
  #identity = '';
  #garbage = 0;
  #reading: Promise<void> | null = null;
  /** Changes whenever there is something new to see. */
  version = 0;
  /** Why the file, or its end, is not shown. */
  problem: string | null = null;

  constructor(folder: string) {
    this.#folder = folder;
  }

  get curves(): Curves {
    return this.#preview ?? this.#whole;
  }
  /** Share of the file that has been read. */
  get progress(): number {
    return this.#size === 0 ? 1 : Math.min(1, this.#offset / this.#size);
  }
  /** Whether the last line is still without its end: being written, or cut short by a crash. */
  get torn(): boolean {
    return !this.#reading && this.problem === null && this.#offset < this.#size;
  }

  /** Read what is new. Resolves when all is read; calls while that goes on wait for the same. `onPart` tells of progress. */
  update(onPart: () => void = () => {}): Promise<void> {
    this.#reading ??= this.#read(onPart).finally(() => {
      this.#reading = null;
    });
    return this.#reading;
  }

  /** Enough to draw something: all of a small file, samples of a large one. */
  async glance(): Promise<void> {
    const opened = openInside(this.#folder, 'metrics.jsonl');
    if (!opened) return;
    closeSync(opened.fd);
    const small = opened.status.size - this.#offset <= 4 * CHUNK;
    const reading = this.update();
    if (small) await reading;
    else reading.catch(() => {});
  }

  async #read(onPart: () => void): Promise<void> {
    const opened = openInside(this.#folder, 'metrics.jsonl');
    if (!opened) {
      if (this.#identity !== '') this.#restart('');
      return;
    }
    const { fd, status } = opened;
    try {
      const identity = `${status.dev}:${status.ino}`;
      if (identity !== this.#identity || status.size < this.#offset) this.#restart(identity);
      this.#size = status.size;
      if (this.problem !== null) return;
      if (status.size - this.#offset > 4 * CHUNK && this.#offset === 0) {
        this.#preview = this.#sample(fd, status.size);
        this.version++;
        onPart();
      }
      let told = performance.now();
      const buffer = Buffer.allocUnsafe(CHUNK + LONGEST_LINE);
      for (let held = 0; ; ) {
        const count = readSync(fd, buffer, held, CHUNK, this.#offset + held);
        if (count === 0) break;
        const end = buffer.lastIndexOf(10, held + count - 1) + 1;
        held += count;
        if (end > 0 && end <= held) {
          this.#take(buffer.toString('utf8', 0, end - 1).split('\n'), end);
          buffer.copyWithin(0, end, held);
          held -= end;
        } else if (held >= LONGEST_LINE) {
          this.#offset += held;
          this.#garbage += held;
          this.#whole.badLines++;
          held = 0;
        }
        if (this.#garbage > MOST_GARBAGE) {
          this.problem = 'metrics.jsonl holds no lines that can be read; its rest is not looked at';
          break;
        }
        if (performance.now() - told > 500) {
          told = performance.now();
          onPart();
        }
        await new Promise(setImmediate);
      }
      this.#preview = null;
      this.version++;
    } finally {
      closeSync(fd);
    }
  }

  #restart(identity: string): void {
    this.#whole = empty();
    this.#preview = null;
    this.#offset = 0;
    this.#size = 0;
    this.#garbage = 0;
    this.#identity = identity;
    this.problem = null;
    this.version++;
  }

  #take(lines: string[], bytes: number): void {
    const bad = this.#whole.badLines;
    for (const line of lines) addLine(this.#whole, line);
    this.#offset += bytes;
    this.#garbage = this.#whole.badLines - bad >= lines.length ? this.#garbage + bytes : 0;
    this.version++;
  }

  /** Whole lines out of blocks all over the file, the end among them. */
  #sample(fd: number, size: number): Curves {
    const curves = empty();
    const buffer = Buffer.allocUnsafe(SAMPLE);
    for (let i = 0; i < SAMPLES; i++) {
      const from = Math.round((i / (SAMPLES - 1)) * (size - SAMPLE));
      const count = readSync(fd, buffer, 0, SAMPLE, from);
      const lines = buffer.toString('utf8', 0, count).split('\n');
      // What a block begins and ends with is cut.
      for (const line of lines.slice(from === 0 ? 0 : 1, -1)) addLine(curves, line);
    }
    curves.badLines = 0;
    return curves;
  }
}
