/** @file What `thrive sweep` does: a plan, its runs as processes of their own, and their comparison. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../base/errors.ts';
import { writeFileAtomic } from '../base/files.ts';
import type { PlannedRun } from '../run/sweep.ts';
import { commandLine } from './invocation.ts';
import { say } from './output.ts';

/** What a sweep's folder remembers: enough to know that a second call means the same sweep. */
const RECORD = 'sweep.json';

/** Keep what all runs share; refuse another sweep's folder. */
export function claimFolder(out: string, shared: readonly string[]): void {
  const file = join(out, RECORD);
  if (existsSync(file)) {
    const before = JSON.parse(readFileSync(file, 'utf8')) as { shared?: string[] };
    if (JSON.stringify(before.shared) === JSON.stringify(shared)) return;
    throw new UserError(`${out} holds a sweep of other settings: ${before.shared?.join(' ') ?? 'unknown'}`, {
      hint: 'give the same flags to go on, or another --out',
    });
  }
  mkdirSync(out, { recursive: true });
  writeFileAtomic(file, `${JSON.stringify({ shared }, null, 2)}\n`);
}

export const isFinished = (out: string, { name }: PlannedRun): boolean => existsSync(join(out, name, 'summary.json'));

export interface SweepJob {
  out: string;
  runs: readonly PlannedRun[];
  /** The command line of a run, without its folder. */
  argvOf(run: PlannedRun): string[];
  jobs: number;
}

export interface Failure {
  name: string;
  /** The last error it told, and the log that has the rest. */
  error: string;
  log: string;
}

/** The end of a log that tells most. */
function lastError(log: string): string {
  const lines = readFileSync(log, 'utf8').trimEnd().split('\n');
  return lines.findLast((line) => line.startsWith('error: ')) ?? lines.at(-1) ?? 'ended without a word';
}

/**
 * Run what is not finished, `jobs` at a time; what was begun goes on where it was saved. A run that fails is told of and leaves the
 * others alone. A signal is passed on: each run saves and ends.
 */
export async function runSweep({
  out,
  runs,
  argvOf,
  jobs,
}: SweepJob): Promise<{ failures: Failure[]; stopped: boolean }> {
  const queue = runs.filter((run) => !isFinished(out, run));
  const failures: Failure[] = [];
  const children = new Set<ChildProcess>();
  let done = runs.length - queue.length;
  let stopped = false;
  const stop = (): void => {
    if (!stopped) say('\nstopping: each run saves first');
    stopped = true;
    for (const child of children) child.kill('SIGTERM');
  };
  process.on('SIGINT', stop).on('SIGTERM', stop);

  const one = async (run: PlannedRun): Promise<void> => {
    const folder = join(out, run.name);
    const log = join(out, `${run.name}.log`);
    const begun = existsSync(join(folder, 'config.json'));
    const argv = [process.argv[1]!, ...argvOf(run), '--out', folder, ...(begun ? ['--resume', folder] : [])];
    say(`${run.name}: ${begun ? 'continued' : 'started'}`);
    const output = createWriteStream(log, { flags: 'a' });
    // A group of its own: Ctrl-C reaches this process, which asks each run once.
    const child = spawn(process.execPath, argv, { stdio: ['ignore', 'ignore', 'pipe'], detached: true });
    children.add(child);
    child.stderr.pipe(output);
    const code = await new Promise<number | null>((resolve) => {
      child.on('close', resolve);
      child.on('error', () => resolve(null));
    });
    children.delete(child);
    await new Promise((resolve) => output.end(resolve));
    if (isFinished(out, run)) {
      const { top1 } = JSON.parse(readFileSync(join(folder, 'summary.json'), 'utf8')) as { top1: number | null };
      say(`${run.name}: top-1 ${top1 === null ? 'NaN' : top1.toFixed(2)} % (${++done} of ${runs.length})`);
    } else if (!stopped) {
      const error = lastError(log) || `exit code ${code}`;
      failures.push({ name: run.name, error, log });
      say(`${run.name}: failed: ${error}`);
    }
  };
  const worker = async (): Promise<void> => {
    for (let next = queue.shift(); next && !stopped; next = queue.shift()) await one(next);
  };
  try {
    await Promise.all(Array.from({ length: jobs }, worker));
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop);
  }
  return { failures, stopped };
}

/** The command that goes on with a sweep. */
export const again = (argv: readonly string[], out: string): string =>
  commandLine(...argv, ...(argv.includes('--out') ? [] : ['--out', out]));
