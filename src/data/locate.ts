import { existsSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { UserError } from '../base/errors.ts';
import { toGive } from '../base/speech.ts';

/** The folders in which datasets are looked for: the one given, or THRIVE_DATA and then ./data. */
export function dataRoots(dir?: string): string[] {
  if (dir !== undefined) return [dir];
  const fromEnv = process.env.THRIVE_DATA;
  return fromEnv ? [fromEnv, 'data'] : ['data'];
}

/** What tells a dataset's folder from others. */
export interface Whereabouts {
  /** As the user types it. */
  name: string;
  /** As it is written in prose. */
  title: string;
  /** Folders below a data folder, as the official archives and common tools name them. */
  folders: readonly string[];
  /** Folders of the operating system's own packages, looked at last. */
  systemFolders?: readonly string[];
  /** Folder names that mean another dataset with the same file names. */
  foreign?: readonly string[];
}

const endsWith = (path: string, folder: string): boolean => {
  const depth = folder.split('/').length;
  const tail = depth === 2 ? join(basename(dirname(path)), basename(path)) : basename(path);
  return tail.toLowerCase() === join(folder).toLowerCase();
};

/**
 * The folder of a dataset: one of its usual folders below a data folder, or the data folder itself when the files lie there.
 * The first that has at least one of the files (each may have several spellings) is taken.
 *
 * @throws UserError naming every folder looked at
 */
export function locate(where: Whereabouts, dir: string | undefined, files: readonly (readonly string[])[]): string {
  const looked: string[] = [];
  for (const root of dataRoots(dir)) {
    for (const folder of where.folders) looked.push(join(root, folder));
    if (!where.foreign?.some((folder) => endsWith(root, folder))) looked.push(root);
  }
  looked.push(...(where.systemFolders ?? []));
  const found = looked.find((folder) => files.some((names) => names.some((name) => existsSync(join(folder, name)))));
  if (found !== undefined) return found;
  throw new UserError(
    `cannot find ${where.title}: no ${files[0]![0]} in ${looked.map((folder) => resolve(folder)).join(', ')}`,
    {
      hint: `run 'thrive data get ${where.name}', or name the folder that holds it with ${toGive('dataDir')} or THRIVE_DATA`,
    },
  );
}

/** The file of a folder under the first of its names that exists. @throws UserError when none does */
export function requireFile(where: Whereabouts, folder: string, names: readonly string[]): string {
  for (const name of names) if (existsSync(join(folder, name))) return join(folder, name);
  throw new UserError(`${where.title} is incomplete: ${names[0]} is missing from ${folder}`, { hint: getAgain(where) });
}

/** What to do about a file that is not what it should be. */
export const getAgain = (where: Whereabouts): string =>
  `remove the file and run 'thrive data get ${where.name}' for a fresh copy`;
