import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { errorCode, errorMessage, UserError } from './errors.ts';

const reasons: Record<string, string> = {
  ENOENT: 'there is no such file or folder',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  ENOTDIR: 'a part of the path is not a folder',
  EISDIR: 'it is a folder',
  EEXIST: 'it exists already',
  EFBIG: 'the file would be too large',
  EMFILE: 'too many open files',
};

/** What is at a path; nothing where it cannot be looked at, as below a file. */
function statusOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

/** Make a folder and those above it, with the system's own reason where it cannot: Node.js calls a read-only one ENOENT. */
export function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
    let missing = path;
    while (missing !== dirname(missing) && !statusOf(dirname(missing))) missing = dirname(missing);
    mkdirSync(missing);
    throw error;
  }
}

/**
 * The part of a path that should be a folder and is none, where that is what went wrong: opening a file below a file fails with
 * ENOTDIR, making folders there with EEXIST.
 */
function fileInTheWay(code: string | undefined, path: string): string | undefined {
  if (code !== 'EEXIST' && code !== 'ENOTDIR') return undefined;
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    const found = statusOf(folder);
    if (found) return found.isDirectory() ? undefined : folder;
    if (folder === dirname(folder)) return undefined;
  }
}

/** Whether folders were to be made where a file is. */
const madeOver = (error: unknown, path: string): boolean =>
  errorCode(error) === 'EEXIST' && (error as NodeJS.ErrnoException).syscall === 'mkdir' && !!statusOf(path)?.isFile();

/** A file system error as the person should read it: what was being done, to which path, and why it failed. */
export function fileError(doing: string, path: string, error: unknown): UserError {
  const code = errorCode(error);
  const file = fileInTheWay(code, path);
  const reason = file
    ? `a part of the path is not a folder: ${file}`
    : madeOver(error, path)
      ? 'it exists already and is a file, not a folder'
      : ((code && reasons[code]) ?? errorMessage(error));
  return new UserError(`cannot ${doing} ${path}: ${reason}`, {
    cause: error,
    ...(code === 'ENOSPC'
      ? { hint: 'free some space or choose another folder; nothing half-written was left behind' }
      : {}),
  });
}

/** Run a file operation and turn its failure into a `UserError` that names the path. */
export function withFileErrors<T>(doing: string, path: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw error instanceof UserError ? error : fileError(doing, path, error);
  }
}

/** Write every byte of `chunk`: `writeSync` may stop short on a nearly full disk or a signal. */
export function writeFully(fd: number, chunk: Uint8Array): void {
  for (let offset = 0; offset < chunk.length; ) offset += writeSync(fd, chunk, offset, chunk.length - offset);
}

/**
 * Write a file so that readers, and a restart after a crash, see either the old one or the whole new one: write beside it,
 * flush to the disk, rename over it. On failure (a full disk, say) the old file stays and the part-written one is removed.
 *
 * @throws UserError naming the path and the reason
 */
export function writeFileAtomic(path: string, chunks: string | Uint8Array | Iterable<Uint8Array>): void {
  withFileErrors('write', path, () => {
    mkdirSync(dirname(path), { recursive: true });
    const temporary = `${path}.${process.pid}.tmp`;
    let fd: number | undefined;
    try {
      fd = openSync(temporary, 'w');
      const parts =
        typeof chunks === 'string' ? [Buffer.from(chunks)] : chunks instanceof Uint8Array ? [chunks] : chunks;
      for (const part of parts) writeFully(fd, part);
      fsyncSync(fd);
      closeSync(fd);
      fd = undefined;
      renameSync(temporary, path);
    } catch (error) {
      if (fd !== undefined) closeSync(fd);
      rmSync(temporary, { force: true });
      throw error;
    }
  });
}
