import { readFileSync, rmSync, writeFileSync } from 'node:fs';
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

/**
 * Keep a second process on this machine out of a run folder. Returns what gives it up again. A process that was killed leaves
 * its lock behind; the next one sees that its owner is gone.
 *
 * @throws UserError naming the process that is at work there
 */
export function lockRun(folder: string): () => void {
  const path = join(folder, 'run.lock');
  const mine = identity(process.pid);
  for (let tries = 0; ; tries++) {
    try {
      writeFileSync(path, mine, { flag: 'wx' });
      return () => rmSync(path, { force: true });
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw fileError('write', path, error);
    }
    let owner = '';
    try {
      owner = readFileSync(path, 'utf8');
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw fileError('read', path, error);
    }
    const pid = Number.parseInt(owner, 10);
    if (tries > 2 || (pid > 0 && isRunning(pid) && owner === identity(pid))) {
      throw new UserError(`${folder} is being trained by process ${pid}`, {
        hint: `wait for it or stop it; if there is no such run, remove ${path}`,
      });
    }
    rmSync(path, { force: true });
  }
}
