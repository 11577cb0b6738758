import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { errorCode, UserError } from '../base/errors.ts';
import { fileError } from '../base/files.ts';

/** When a process began, in the kernel's ticks: tells it from a later one of the same number. Empty where it is not known. */
function beginning(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The 22nd field; the second, the command in brackets, may hold spaces.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}

const identity = (pid: number): string => `${pid} ${beginning(pid)} ${hostname()}`;

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errorCode(error) === 'EPERM';
  }
}

/** Whether the file system is one without hard links. */
const hasNoLinks = (error: unknown): boolean =>
  ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(errorCode(error) ?? '');

/** Make the lock, all of it at once: another process must never read half of one. False where there is one. */
function make(path: string, text: string): boolean {
  const whole = `${path}.${process.pid}`;
  try {
    writeFileSync(whole, text);
    try {
      linkSync(whole, path);
    } catch (error) {
      if (!hasNoLinks(error)) throw error;
      writeFileSync(path, text, { flag: 'wx' });
    }
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw fileError('write', path, error);
  } finally {
    rmSync(whole, { force: true });
  }
}

/** Remove the lock of an owner that is gone; what another process has put in its place meanwhile goes back. */
function takeAway(path: string, owner: string): void {
  const aside = `${path}.${process.pid}`;
  try {
    renameSync(path, aside);
    if (readFileSync(aside, 'utf8') !== owner) {
      try {
        linkSync(aside, path);
      } catch (error) {
        if (!hasNoLinks(error)) throw error;
        renameSync(aside, path);
      }
    }
  } catch (error) {
    if (!['ENOENT', 'EEXIST'].includes(errorCode(error) ?? '')) throw fileError('write', path, error);
  } finally {
    rmSync(aside, { force: true });
  }
}

/** Whether the process that wrote a lock is at work on this machine. */
const isAtWork = (owner: string): boolean => {
  const pid = Number.parseInt(owner, 10);
  return pid > 0 && isRunning(pid) && owner === identity(pid);
};

/** The process that trains in a folder now; null where there is none on this machine. */
export function processAt(folder: string): number | null {
  try {
    const owner = readFileSync(join(folder, 'run.lock'), 'utf8');
    return isAtWork(owner) ? Number.parseInt(owner, 10) : null;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return null;
    throw fileError('read', join(folder, 'run.lock'), error);
  }
}

/**
 * Keep a second process on this machine out of a run folder. Returns what gives it up again. A process that was killed leaves
 * its lock behind; the next one sees that its owner is gone.
 *
 * @throws UserError naming the process that is at work there
 */
export function lockRun(folder: string): () => void {
  const path = join(folder, 'run.lock');
  for (let tries = 0; ; tries++) {
    if (make(path, identity(process.pid))) return () => rmSync(path, { force: true });
    let owner = '';
    try {
      owner = readFileSync(path, 'utf8');
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw fileError('read', path, error);
    }
    const pid = Number.parseInt(owner, 10);
    if (tries > 9 || isAtWork(owner)) {
      throw new UserError(`${folder} is being trained by process ${pid}`, {
        hint: `wait for it or stop it; if there is no such run, remove ${path}`,
      });
    }
    takeAway(path, owner);
  }
}

/**
 * Who a run folder's lock says is at work there: `alive` on this machine, `dead` (killed: the lock was left), or on `elsewhere`,
 * another machine, of which nothing can be known. Null without a lock. `text` is what the lock file holds.
 */
export function lockOwner(text: string | null): { pid: number; state: 'alive' | 'dead' | 'elsewhere' } | null {
  if (text === null) return null;
  const pid = Number.parseInt(text, 10);
  if (!(pid > 0 && pid < 2 ** 31)) return null;
  if (text.slice(text.lastIndexOf(' ') + 1) !== hostname()) return { pid, state: 'elsewhere' };
  return { pid, state: isRunning(pid) && text === identity(pid) ? 'alive' : 'dead' };
}
