/**
 * @file The runs below the given folders, in memory: found by walking, read again when a file's time or size has changed. No database:
 * the folders are the truth.
 */
import { createHash } from 'node:crypto';
import { readdirSync, realpathSync, statSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { UserError } from '../base/errors.ts';
import { withFileErrors } from '../base/files.ts';
import { type RunBrief, readBrief } from './brief.ts';
import { MetricsFile } from './metrics-file.ts';

/** How deep below a folder runs are looked for, and how much is looked at: a hostile tree must not keep us busy. */
const DEPTH = 6;
const MOST_FOLDERS = 50_000;
const MOST_RUNS = 20_000;
/** Runs whose curves are kept in memory. */
const MOST_OPEN = 12;

export interface KnownRun {
  id: string;
  /** The real path. */
  folder: string;
  name: string;
  brief: RunBrief;
  stamp: string;
}

/** Changes when one of the files that a row is made of does. */
function stampOf(folder: string): string {
  return ['config.json', 'summary.json', 'metrics.jsonl', 'run.lock']
    .map((name) => {
      const status = statSync(join(folder, name), { throwIfNoEntry: false });
      return status ? `${status.ino}:${status.size}:${status.mtimeMs}` : '';
    })
    .join();
}

/** Names are shown and stand in links and logs: no control characters, not endless. */
const tidyName = (name: string): string => name.replace(/\p{Cc}/gu, '\uFFFD').slice(0, 300);

export class RunIndex {
  /** The folders that were given, by their real paths. */
  readonly roots: readonly string[];
  #runs = new Map<string, KnownRun>();
  #open = new Map<string, MetricsFile>();
  #scanning: Promise<string[]> | null = null;

  /** @throws UserError for a folder that is none */
  constructor(folders: readonly string[]) {
    this.roots = [
      ...new Set(
        folders.map((folder) => {
          const real = withFileErrors('read', folder, () => realpathSync(folder));
          if (!statSync(real).isDirectory()) {
            throw new UserError(`${folder} is not a folder`, { hint: 'give run folders, or a folder that holds some' });
          }
          return real;
        }),
      ),
    ];
  }

  get briefs(): RunBrief[] {
    return [...this.#runs.values()].map(({ brief }) => brief);
  }

  get(id: string): KnownRun | undefined {
    return this.#runs.get(id);
  }

  /** Look for runs that are new, changed or gone. Resolves with the ids of those. */
  scan(): Promise<string[]> {
    this.#scanning ??= this.#scan().finally(() => {
      this.#scanning = null;
    });
    return this.#scanning;
  }

  async #scan(): Promise<string[]> {
    const changed: string[] = [];
    const seen = new Set<string>();
    let folders = 0;
    const walk = async (folder: string, root: string, depth: number): Promise<void> => {
      if (++folders > MOST_FOLDERS || seen.size >= MOST_RUNS) return;
      if (folders % 64 === 0) await new Promise(setImmediate);
      let entries: import('node:fs').Dirent[];
      try {
        entries = readdirSync(folder, { withFileTypes: true });
      } catch {
        return; // Gone, or not ours to read.
      }
      if (entries.some((entry) => entry.name === 'config.json' && entry.isFile())) {
        const id = this.#look(folder, root, changed);
        seen.add(id);
        return;
      }
      if (depth === 0) return;
      for (const entry of entries) {
        // Links are not followed: what they lead to was not given.
        if (!entry.isDirectory() || entry.name.startsWith('.') || entry.name === 'node_modules') continue;
        await walk(join(folder, entry.name), root, depth - 1);
      }
    };
    for (const root of this.roots) await walk(root, root, DEPTH);
    for (const id of this.#runs.keys()) {
      if (seen.has(id)) continue;
      this.#runs.delete(id);
      this.#open.delete(id);
      changed.push(id);
    }
    return changed;
  }

  #look(folder: string, root: string, changed: string[]): string {
    const id = createHash('sha256').update(folder).digest('hex').slice(0, 12);
    const known = this.#runs.get(id);
    let stamp: string;
    try {
      stamp = stampOf(folder);
    } catch {
      stamp = '';
    }
    // A process can die without touching a file.
    if (known && known.stamp === stamp && known.brief.state !== 'running') return id;
    const name = tidyName(relative(root, folder) || basename(folder));
    const brief = readBrief(folder, id, name);
    if (known && known.stamp === stamp && known.brief.state === brief.state) return id;
    this.#runs.set(id, { id, folder, name, brief, stamp });
    changed.push(id);
    return id;
  }

  /** A run's metrics; of many opened runs the ones looked at last stay in memory. */
  metrics(run: KnownRun): MetricsFile {
    const found = this.#open.get(run.id) ?? new MetricsFile(run.folder);
    this.#open.delete(run.id);
    this.#open.set(run.id, found);
    for (const id of this.#open.keys()) {
      if (this.#open.size <= MOST_OPEN) break;
      this.#open.delete(id);
    }
    return found;
  }
}
