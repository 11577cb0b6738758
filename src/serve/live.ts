/**
 * @file What changes, told to whoever looks: one look at the folders for all of them, and none while nobody does. The files are only
 * read, so a training does not notice. File system events make it prompt; the clock makes it certain.
 */
import { type FSWatcher, watch } from 'node:fs';
import type { RunBrief } from './brief.ts';
import type { RunIndex } from './run-index.ts';

export type LiveEvent =
  | { type: 'runs'; changed: RunBrief[]; gone: string[] }
  | { type: 'metrics'; id: string; version: number; progress: number };

interface Watcher {
  run: string | null;
  send(event: LiveEvent): void;
  seen: number;
}

/** Milliseconds between two looks at runs that are followed, and how many of those make one at all folders. */
const TICK = 1000;
const SCAN_EVERY = 3;
const SOON = 250;

export class Live {
  readonly #index: RunIndex;
  readonly #watchers = new Set<Watcher>();
  readonly #files = new Map<string, FSWatcher>();
  #timer: NodeJS.Timeout | undefined;
  #soon: NodeJS.Timeout | undefined;
  #ticks = 0;
  #busy = false;

  constructor(index: RunIndex) {
    this.#index = index;
  }

  get watching(): number {
    return this.#watchers.size;
  }

  /** Tell `send` what changes, of one run's metrics too. Returns what ends it. */
  subscribe(run: string | null, send: (event: LiveEvent) => void): () => void {
    const watcher: Watcher = { run, send, seen: -1 };
    this.#watchers.add(watcher);
    this.#timer ??= setInterval(() => void this.#tick(), TICK);
    this.#timer.unref();
    if (run !== null) this.#watchFile(run);
    return () => {
      this.#watchers.delete(watcher);
      if (run !== null && ![...this.#watchers].some((other) => other.run === run)) {
        this.#files.get(run)?.close();
        this.#files.delete(run);
      }
      if (this.#watchers.size === 0) {
        clearInterval(this.#timer);
        this.#timer = undefined;
      }
    };
  }

  #watchFile(id: string): void {
    const run = this.#index.get(id);
    if (!run || this.#files.has(id)) return;
    try {
      const watcher = watch(run.folder, { persistent: false }, () => {
        this.#soon ??= setTimeout(() => {
          this.#soon = undefined;
          void this.#tick();
        }, SOON).unref();
      });
      watcher.on('error', () => watcher.close());
      this.#files.set(id, watcher);
    } catch {
      // No events here (a network file system, too many watches): the clock will do.
    }
  }

  async #tick(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    try {
      if (this.#ticks++ % SCAN_EVERY === 0) this.#tellRuns(await this.#index.scan());
      for (const id of new Set([...this.#watchers].flatMap(({ run }) => run ?? []))) await this.#follow(id);
    } catch (error) {
      // A file that went away between two looks is met again at the next one.
      if (process.env.THRIVE_DEBUG) console.error(error);
    } finally {
      this.#busy = false;
    }
  }

  #tellRuns(ids: readonly string[]): void {
    if (ids.length === 0) return;
    const changed = ids.flatMap((id) => this.#index.get(id)?.brief ?? []);
    const gone = ids.filter((id) => !this.#index.get(id));
    for (const { send } of this.#watchers) send({ type: 'runs', changed, gone });
  }

  async #follow(id: string): Promise<void> {
    const run = this.#index.get(id);
    if (!run) return;
    const metrics = this.#index.metrics(run);
    const tell = (): void => {
      for (const watcher of this.#watchers) {
        if (watcher.run !== id || watcher.seen === metrics.version) continue;
        watcher.seen = metrics.version;
        watcher.send({ type: 'metrics', id, version: metrics.version, progress: metrics.progress });
      }
    };
    await metrics.update(tell);
    tell();
  }
}
