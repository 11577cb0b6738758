// Locks: a file that names the process at work in a folder. A process that was killed leaves its file behind; the next one sees
// that its owner is gone. One implementation for builds and for run folders; plain JavaScript, as builds come before TypeScript.
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** @param {unknown} error */
const codeOf = (error) => /** @type {NodeJS.ErrnoException} */ (error).code ?? '';

/** @param {string} path */
function read(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/**
 * What the kernel says of a process, undefined where it says nothing (no such process, or no /proc).
 *
 * @param {number} pid
 */
function processOf(pid) {
  const stat = read(`/proc/${pid}/stat`);
  if (!stat) return undefined;
  // Fields 3, 9 and 22; the second, the command in brackets, may hold spaces.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const pending = Number.parseInt(/^ShdPnd:\s*(\w+)/m.exec(read(`/proc/${pid}/status`))?.[1] ?? '0', 16);
  const [exiting, killed] = [0x4, 1 << 8]; // PF_EXITING, SIGKILL's bit
  return {
    /** When it began, in ticks: tells it from a later process of the same number. */
    beginning: fields[19] ?? '',
    gone: 'ZX'.includes(fields[0] ?? ''),
    dying: (Number(fields[6]) & exiting) !== 0 || (pending & killed) !== 0,
  };
}

/** What a lock file of this process says: `pid beginning host`. */
export const lockText = (pid = process.pid) => `${pid} ${processOf(pid)?.beginning ?? ''} ${hostname()}`;

/**
 * Of the owner that a lock's text names: `dying` was killed and has not ended yet, `elsewhere` is on another machine or has no
 * readable name. A zombie is gone.
 *
 * @param {string} text
 * @returns {'alive' | 'dying' | 'gone' | 'elsewhere'}
 */
export function ownerState(text) {
  const [number, ...rest] = text.split(' ');
  const pid = Number(number);
  if (!(pid > 0) || rest.at(-1) !== hostname()) return 'elsewhere';
  const found = processOf(pid);
  if (found) {
    const began = rest.length > 1 ? rest[0] : '';
    if (found.gone || (began && began !== found.beginning)) return 'gone';
    return found.dying ? 'dying' : 'alive';
  }
  try {
    process.kill(pid, 0);
    return 'alive';
  } catch (error) {
    return codeOf(error) === 'EPERM' ? 'alive' : 'gone';
  }
}

/** Whether the file system is one without hard links. @param {unknown} error */
const hasNoLinks = (error) => ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(codeOf(error));

/**
 * Make a lock, all of it at once: another process must never read half of one. False where there is one. Throws what the file
 * system does.
 *
 * @param {string} path
 */
export function makeLock(path) {
  const whole = `${path}.${process.pid}`;
  try {
    writeFileSync(whole, lockText());
    try {
      linkSync(whole, path);
    } catch (error) {
      if (!hasNoLinks(error)) throw error;
      writeFileSync(path, lockText(), { flag: 'wx' });
    }
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(whole, { force: true });
  }
}

/**
 * Remove the lock of an owner that is gone; what another process has put in its place meanwhile goes back. Throws what the file
 * system does.
 *
 * @param {string} path
 * @param {string} text what the lock said
 */
export function removeLock(path, text) {
  const aside = `${path}.${process.pid}`;
  try {
    // Renamed away first: of several that saw the same dead owner, one succeeds.
    renameSync(path, aside);
    if (readFileSync(aside, 'utf8') !== text) {
      try {
        linkSync(aside, path);
      } catch (error) {
        if (!hasNoLinks(error)) throw error;
        renameSync(aside, path);
      }
    }
  } catch (error) {
    if (!['ENOENT', 'EEXIST'].includes(codeOf(error))) throw error;
  } finally {
    rmSync(aside, { force: true });
  }
}

/**
 * Run `work` while holding the lock file `path`. Waits for a living owner, takes over from a dead one, and after `patience`
 * goes ahead regardless: it only saves work, as results are renamed into place whole and two builds cannot harm each other.
 *
 * @template T
 * @param {string} path
 * @param {() => Promise<T>} work
 * @param {{ onWait?: (owner: string) => void, patience?: number, poll?: number }} [options]
 * @returns {Promise<T>}
 */
export async function withLock(path, work, { onWait = () => {}, patience = 30 * 60_000, poll = 200 } = {}) {
  mkdirSync(dirname(path), { recursive: true });
  const started = Date.now();
  let told = false;
  let held = false;
  while (!held && Date.now() - started < patience) {
    held = makeLock(path);
    if (held) break;
    const owner = read(path);
    const empty = owner === '' && Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0) > 5000;
    if (empty || ownerState(owner) === 'gone') {
      removeLock(path, owner);
      continue;
    }
    if (!told) onWait(owner.split(' ')[0] ?? '');
    told = true;
    await sleep(poll);
  }
  const release = () => {
    if (held && read(path) === lockText()) rmSync(path, { force: true });
  };
  process.once('exit', release);
  try {
    return await work();
  } finally {
    process.removeListener('exit', release);
    release();
  }
}
