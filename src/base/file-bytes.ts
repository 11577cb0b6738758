import { constants as bufferLimits } from 'node:buffer';
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { UserError } from './errors.ts';
import { withFileErrors } from './files.ts';
import { byteText } from './quantity.ts';

/**
 * The first `limit` bytes of a regular file (all of it by default), and the file's size.
 *
 * @throws UserError naming the path, also for folders, devices, pipes and a file that shrinks meanwhile
 */
export function readFileBytes(path: string, limit = Number.POSITIVE_INFINITY): { data: Uint8Array; size: number } {
  return withFileErrors('read', path, () => {
    // Without O_NONBLOCK opening a pipe would wait for a writer; it means nothing to a regular file.
    const fd = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    try {
      const status = fstatSync(fd);
      if (!status.isFile()) {
        throw new UserError(`cannot read ${path}: it is ${status.isDirectory() ? 'a folder' : 'not a regular file'}`, {
          hint: 'give the path of the weights file itself',
        });
      }
      const length = Math.min(status.size, limit);
      if (length > bufferLimits.MAX_LENGTH) {
        throw new UserError(
          `cannot read ${path}: ${byteText(length)} are more than Node.js can hold in one buffer (${byteText(bufferLimits.MAX_LENGTH)})`,
        );
      }
      const data = new Uint8Array(length);
      for (let at = 0; at < length; ) {
        const count = readSync(fd, data, at, Math.min(length - at, 1 << 30), at);
        if (count === 0) throw new UserError(`cannot read ${path}: it became shorter while being read`);
        at += count;
      }
      return { data, size: status.size };
    } finally {
      closeSync(fd);
    }
  });
}
