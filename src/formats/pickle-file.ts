/** @file A plain pickle of data: dicts, lists, strings, numbers, NumPy arrays. Runs no code. */
import { UserError } from '../base/errors.ts';
import { readFileBytes } from '../base/file-bytes.ts';
import { unpickle } from './pickle.ts';
import { canonicalPath, plainGlobals, refusedGlobal } from './pickle-globals.ts';

/**
 * Read what Python's `pickle.dump` wrote, Python 2's too.
 *
 * @throws UserError naming the file, for damage and for any class that is no plain data
 */
export function readPickle(path: string): unknown {
  const { data } = readFileBytes(path);
  const { value, end } = unpickle(data, {
    name: path,
    findGlobal: (name) => plainGlobals.get(canonicalPath(name)) ?? refusedGlobal(path, name),
  });
  if (end === data.length) return value;
  throw new UserError(`${path} goes on for ${data.length - end} bytes after its pickle`, {
    hint: 'the file is damaged: copy or download it again',
  });
}
