/** @file A user's JavaScript or TypeScript file, run as it is: no build step, no package beside it. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { errorMessage, UserError } from '../base/errors.ts';
import { withFileErrors } from '../base/files.ts';

/**
 * What 'thrive' and its rooms mean in a user's file: this very library, installed beside the file or not. Its own modules, not
 * copies, so that a tensor there is a tensor here. By the names a user writes, which a package may use of itself: this room knows
 * nothing of those above it.
 */
async function library(): Promise<Record<string, unknown>> {
  const [all, torch, nn, models, data, augment, distill, train, onnx, formats] = await Promise.all([
    import('thrive'),
    import('thrive/torch'),
    import('thrive/nn'),
    import('thrive/models'),
    import('thrive/data'),
    import('thrive/augment'),
    import('thrive/distill'),
    import('thrive/train'),
    import('thrive/onnx'),
    import('thrive/formats'),
  ]);
  const rooms = { torch, nn, models, data, augment, distill, train, onnx, formats };
  return {
    thrive: all,
    ...Object.fromEntries(Object.entries(rooms).map(([name, room]) => [`thrive/${name}`, room])),
  };
}

/** `, line 12` where an error was thrown below a line of this file; else nothing. */
function lineOf(error: unknown, file: string): string {
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  const at = stack.split('\n').find((line) => line.includes(`${file}:`));
  const line = at && /:(\d+):\d+\)?$/.exec(at.trimEnd())?.[1];
  return line ? `, line ${line}` : '';
}

/** An error of a user's code, saying where in their file it was. A `UserError` keeps its hint. */
export function codeError(what: string, file: string, error: unknown): UserError {
  const path = resolve(file);
  // A parser repeats the path and position on a line of its own; Node.js lists who asked for a missing module.
  const lines = errorMessage(error)
    .replace(/\nRequire stack:[\s\S]*/, '')
    .split('\n')
    .filter((line) => !line.trim().startsWith(`${path}:`));
  const message = lines
    .map((line) => line.trim())
    .join(' ')
    .trim();
  return new UserError(`${what}${lineOf(error, path)}: ${message}`, {
    cause: error,
    ...(error instanceof UserError && error.hint ? { hint: error.hint } : {}),
  });
}

/**
 * Everything a file exports. It is code and runs as such, anew each time.
 *
 * @param doing what the file is wanted for, for the error: `the configuration`
 * @throws UserError if it cannot be read, does not parse or throws, with the line
 */
export async function importUserModule(path: string, doing: string): Promise<Record<string, unknown>> {
  const file = resolve(path);
  withFileErrors('read', path, () => readFileSync(file));
  const { createJiti } = await import('jiti');
  const jiti = createJiti(import.meta.url, { virtualModules: await library() });
  try {
    Reflect.deleteProperty(jiti.cache, file);
    return await jiti.import<Record<string, unknown>>(file);
  } catch (error) {
    throw codeError(`cannot read ${doing} in ${path}`, file, error);
  }
}
