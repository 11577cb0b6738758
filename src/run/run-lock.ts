import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { makeLock, ownerState, removeLock } from '../../native/build/lock.mjs';
import { errorCode, UserError } from '../base/errors.ts';
import { fileError } from '../base/files.ts';

/** How long to wait for an owner that was killed and has not ended yet, in milliseconds. */
const PATIENCE = 5000;

function attempt<T>(action: 'read' | 'write', path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw fileError(action, path, error);
  }
}

/** What the lock says; empty where it went away meanwhile. */
function ownerOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return '';
    throw fileError('read', path, error);
  }
}

/** The process that trains in a folder now; null where there is none on this machine. */
export function processAt(folder: string): number | null {
  const owner = ownerOf(join(folder, 'run.lock'));
  return ownerState(owner) === 'alive' ? Number.parseInt(owner, 10) : null;
}

/**
 * Keep a second process on this machine out of a run folder. Returns what gives it up again. A process that was killed leaves
 * its lock behind; the next one sees that its owner is gone, and waits a little for one that is going.
 *
 * @throws UserError naming the process that is at work there
 */
export function lockRun(folder: string): () => void {
  const path = join(folder, 'run.lock');
  const until = Date.now() + PATIENCE;
  for (let tries = 0; ; tries++) {
    if (attempt('write', path, () => makeLock(path))) return () => rmSync(path, { force: true });
    const owner = ownerOf(path);
    const state = ownerState(owner);
    if (state === 'dying' && Date.now() < until) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
      tries--;
      continue;
    }
    if (tries > 9 || state === 'alive' || state === 'dying') {
      throw new UserError(`${folder} is being trained by process ${Number.parseInt(owner, 10)}`, {
        hint: `wait for it or stop it; if there is no such run, remove ${path}`,
      });
    }
    attempt('write', path, () => removeLock(path, owner));
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
  const state = ownerState(text);
  return { pid, state: state === 'gone' || state === 'dying' ? 'dead' : state };
}
