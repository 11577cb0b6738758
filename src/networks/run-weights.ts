/** @file The weights of a run, where its folder is given instead of a file. */
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../base/errors.ts';

/** What a run keeps of its network: the state after the last epoch, and after the best. */
const LAST = 'last.safetensors';

/**
 * The file of weights that a path means: itself, or a run folder's last.safetensors. `note` says which one was taken.
 *
 * @throws UserError for a folder that holds no weights
 */
export function weightsAt(path: string): { file: string; note?: string } {
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) return { file: path };
  const file = join(path, LAST);
  if (existsSync(file)) return { file, note: `${path} is a run's folder: using ${LAST} in it` };
  throw new UserError(`${path} is a folder without ${LAST}`, {
    hint: existsSync(join(path, 'config.json'))
      ? 'the run has not saved yet: continue it with --resume, or give a file of weights'
      : 'give a file of weights, or the folder that a run printed',
  });
}
