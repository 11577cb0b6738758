/** @file A run in full: its settings as paths and values, its files, the command that repeats it. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { errorMessage } from '../base/errors.ts';
import { titleOf } from '../compare/settings.ts';
import { modernize } from '../config/legacy.ts';
import { readObject } from './contain.ts';
import type { KnownRun } from './run-index.ts';

export interface Setting {
  path: string;
  title: string;
  value: string;
}

export interface RunDetail {
  brief: KnownRun['brief'];
  /** The folder, for the person to find it. */
  folder: string;
  settings: Setting[];
  versions: [string, string][];
  teacher: { top1: number; loss: number } | null;
  files: { name: string; size: number; modified: number }[];
  /** The command line that runs it again. */
  command: string;
  /** The command line that continues it, where there is something to continue. */
  resume: string | null;
  batchSize: number | null;
  problem: string | null;
}

type Dict = Record<string, unknown>;
const dict = (value: unknown): Dict =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Dict) : {};

const MOST_SETTINGS = 400;
const MOST_FILES = 200;

function flatten(value: unknown, path: string, into: Setting[]): void {
  if (into.length >= MOST_SETTINGS || path.length > 200) return;
  const entries = Object.entries(dict(value));
  if (entries.length > 0) {
    for (const [key, item] of entries) flatten(item, path === '' ? key : `${path}.${key}`, into);
    return;
  }
  const flat = Array.isArray(value) && value.every((item) => typeof item !== 'object');
  const shown = typeof value === 'string' ? value : flat ? value.join(', ') : (JSON.stringify(value) ?? '');
  into.push({ path, title: titleOf(path), value: shown.slice(0, 500) });
}

/** As one word of a POSIX shell. */
export const shellWord = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;

export function filesOf(folder: string): RunDetail['files'] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.startsWith('.'))
    .slice(0, MOST_FILES)
    .flatMap(({ name }) => {
      const status = statSync(join(folder, name), { throwIfNoEntry: false });
      return status ? [{ name, size: status.size, modified: status.mtimeMs }] : [];
    })
    .sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }));
}

export function readDetail(run: KnownRun): RunDetail {
  const { brief, folder } = run;
  let record: Dict = {};
  let problem = brief.problem;
  try {
    record = readObject(folder, 'config.json') ?? {};
  } catch (error) {
    problem = errorMessage(error);
  }
  const config = modernize(dict(record.config));
  const settings: Setting[] = [];
  flatten(config, '', settings);
  const versions = Object.entries(dict(record.versions))
    .slice(0, 50)
    .map(([name, value]): [string, string] => [name.slice(0, 80), String(value).slice(0, 200)]);
  const measured = dict(record.teacher);
  const verb = config.task === 'train' ? 'train' : 'distill';
  const file = shellWord(join(folder, 'config.json'));
  return {
    brief,
    folder,
    settings,
    versions,
    teacher:
      typeof measured.top1 === 'number' && typeof measured.loss === 'number'
        ? { top1: measured.top1, loss: measured.loss }
        : null,
    files: filesOf(folder),
    command: `thrive ${verb} --config ${file} --out ${shellWord(`${folder}-again`)}`,
    resume: ['stopped', 'stale', 'failed'].includes(brief.state)
      ? `thrive ${verb} --resume ${shellWord(folder)}`
      : null,
    batchSize: typeof config.batchSize === 'number' && Number.isFinite(config.batchSize) ? config.batchSize : null,
    problem,
  };
}
