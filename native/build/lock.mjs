// One build at a time in a folder. Only saves work: every result is renamed into place whole, so two builds cannot harm
// each other even where the lock fails (a network file system, say).
import { closeSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** @param {string} text contents of a lock file: `pid host` */
function ownerIsGone(text) {
  const [pid, host] = text.split(' ');
  if (host !== hostname() || !Number(pid)) return false;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'ESRCH';
  }
}

/**
 * Run `work` while holding the lock file `path`. Waits for a living owner, takes over from a dead one, and after `patience`
 * goes ahead regardless.
 *
 * @template T
 * @param {string} path
 * @param {() => Promise<T>} work
 * @param {{ onWait?: (owner: string) => void, patience?: number, poll?: number }} [options]
 * @returns {Promise<T>}
 */
export async function withLock(path, work, { onWait = () => {}, patience = 30 * 60_000, poll = 200 } = {}) {
  mkdirSync(dirname(path), { recursive: true });
  const mine = `${process.pid} ${hostname()}`;
  const started = Date.now();
  let told = false;
  let held = false;
  while (!held && Date.now() - started < patience) {
    try {
      const fd = openSync(path, 'wx');
      writeFileSync(fd, mine);
      closeSync(fd);
      held = true;
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EEXIST') throw error;
      const owner = read(path);
      const empty = owner === '' && Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0) > 5000;
      if (empty || ownerIsGone(owner)) {
        // Renamed away first: of several that saw the same dead owner, one succeeds.
        const aside = `${path}.${process.pid}.dead`;
        try {
          renameSync(path, aside);
          rmSync(aside, { force: true });
        } catch {
          // another one was faster
        }
        continue;
      }
      if (!told) onWait(owner.split(' ')[0] ?? '');
      told = true;
      await sleep(poll);
    }
  }
  const release = () => {
    if (held && read(path) === mine) rmSync(path, { force: true });
  };
  process.once('exit', release);
  try {
    return await work();
  } finally {
    process.removeListener('exit', release);
    release();
  }
}

/** @param {string} path */
function read(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
