/** @file Reading what others may have put there: regular files inside the given folders, never through links, never too much. */
import { closeSync, constants, fstatSync, openSync, readSync, realpathSync, type Stats } from 'node:fs';
import { basename, dirname, join, sep } from 'node:path';
import { errorCode, UserError } from '../base/errors.ts';

export const isInside = (path: string, folder: string): boolean =>
  path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep);

/** Open a regular file of a folder that is given by its real path; null where there is none, it is a link or something else. */
export function openInside(folder: string, name: string): { fd: number; status: Stats } | null {
  if (name !== basename(name) || name === '' || name === '.' || name === '..' || name.includes('\0')) return null;
  let fd: number;
  try {
    // The folder may have become a link since it was found.
    if (realpathSync(folder) !== folder) return null;
    fd = openSync(join(folder, name), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (errorCode(error)) return null;
    throw error;
  }
  const status = fstatSync(fd);
  if (status.isFile()) return { fd, status };
  closeSync(fd);
  return null;
}

/** All of a small file as text; null where there is none. @throws UserError where it is larger than `limit` bytes */
export function readInside(folder: string, name: string, limit: number): string | null {
  const opened = openInside(folder, name);
  if (!opened) return null;
  const { fd, status } = opened;
  try {
    if (status.size > limit) throw new UserError(`${name} is larger than a run's ever is (${status.size} bytes)`);
    const bytes = Buffer.alloc(status.size);
    let length = 0;
    while (length < bytes.length) {
      const count = readSync(fd, bytes, length, bytes.length - length, length);
      if (count === 0) break;
      length += count;
    }
    return bytes.toString('utf8', 0, length);
  } finally {
    closeSync(fd);
  }
}

/** A JSON object in a small file; null where there is none. @throws UserError saying what is wrong with it */
export function readObject(folder: string, name: string, limit = 1 << 20): Record<string, unknown> | null {
  const text = readInside(folder, name, limit);
  if (text === null) return null;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new UserError(`${name} is damaged: it is not valid JSON`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new UserError(`${name} is damaged: it holds no object`);
  }
  return value as Record<string, unknown>;
}

/** The real path of a file that is given by path, if it lies in one of the folders. @throws UserError where it does not */
export function insideAny(path: string, folders: readonly string[]): string {
  let real: string;
  try {
    real = realpathSync(path);
  } catch {
    throw new UserError(`there is no ${path}`);
  }
  if (folders.some((folder) => isInside(real, folder))) return real;
  throw new UserError(`${path} is outside the folders that are shown`, {
    hint: `start thrive serve with ${dirname(real)} too`,
  });
}
