/** @file Files that commands are asked to write: refused before the work is done, not after it. */
import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { UserError } from '../base/errors.ts';
import { withFileErrors } from '../base/files.ts';

/**
 * Refuse what cannot be written to: a folder, a path through a file, a folder without the right to.
 *
 * @param example a name for a file in it, for the hint
 * @throws UserError
 */
export function checkOutputFile(flag: string, file: string | undefined, example: string): void {
  if (file === undefined) return;
  if (existsSync(file) && statSync(file).isDirectory()) {
    throw new UserError(`${flag} ${file} is a folder`, {
      hint: `name the file to write: ${flag} ${file.replace(/\/+$/, '')}/${example}`,
    });
  }
  // Folders that are not there will be made in the nearest one that is.
  let folder = dirname(resolve(file));
  while (!existsSync(folder)) folder = dirname(folder);
  withFileErrors('write', file, () => accessSync(`${folder}/.`, constants.W_OK));
}
