import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { UserError } from '../base/errors.ts';
import { withFileErrors } from '../base/files.ts';
import type { DatasetInfo } from './dataset.ts';
import { dataRoots } from './locate.ts';
import { datasetInfo } from './registry.ts';
import type { Source } from './source.ts';
import { extractTarGz } from './tar.ts';
import { type TransferOptions, transfer } from './transfer.ts';

export interface GetOptions extends TransferOptions {
  /** The data folder to put it in; by default THRIVE_DATA, or ./data. */
  dir?: string;
  /** Another address that serves the same files under the same names, tried instead of the official ones. */
  mirror?: string;
}

export interface GetResult {
  name: string;
  /** `generated`: there is nothing to get. `present`: it was there and reads without error. */
  status: 'generated' | 'present' | 'downloaded';
  /** One line for the user. */
  message: string;
}

/**
 * Make a dataset ready to load: nothing to do for generated ones, nor for one that is there and readable (an operating
 * system's own copy included); otherwise download it from its official place.
 *
 * @throws UserError for an unknown name, and when it cannot be downloaded, does not have its published MD5, or cannot be written
 */
export async function getDataset(name: string, options: GetOptions = {}): Promise<GetResult> {
  const info = datasetInfo(name);
  const { source } = info;
  if (!source) {
    if (!info.generated) {
      throw new UserError(`${info.title} has no place to be downloaded from`, {
        hint: 'its own file says how it is read',
      });
    }
    return {
      name: info.name,
      status: 'generated',
      message: `${info.title} are generated when they are loaded: nothing needs downloading`,
    };
  }
  const present = await readableFolder(info, options.dir);
  if (present !== undefined) {
    return { name: info.name, status: 'present', message: `${info.title} is already in ${present}` };
  }
  const folder = await fetchSource(source, destination(source, options.dir), options);
  await info.load({ split: 'train', dir: folder });
  await info.load({ split: 'test', dir: folder });
  return { name: info.name, status: 'downloaded', message: `${info.title} is in ${folder}` };
}

/** The folder of a dataset that is there and loads; undefined when it is missing or damaged. */
async function readableFolder(info: DatasetInfo, dir: string | undefined): Promise<string | undefined> {
  const location = dir === undefined ? {} : { dir };
  try {
    await info.load({ split: 'test', ...location });
    await info.load({ split: 'train', ...location });
    return info.folder('train', dir);
  } catch (error) {
    if (error instanceof UserError) return undefined;
    throw error;
  }
}

/** The data folder; where the dataset's own folder was named, the one above it. */
function destination(source: Source, dir: string | undefined): string {
  const root = resolve(dataRoots(dir)[0]!);
  return basename(root) === source.folder ? dirname(root) : root;
}

/**
 * Download a source below `root` and return its folder. Each file appears there only when it is whole; the files of an
 * archive appear together.
 */
export async function fetchSource(source: Source, root: string, options: GetOptions = {}): Promise<string> {
  const folder = join(root, source.folder);
  for (const official of source.files) {
    const { mirror } = options;
    const file =
      mirror === undefined ? official : { ...official, urls: [`${mirror.replace(/\/+$/, '')}/${official.file}`] };
    if (!source.members) {
      await transfer(file, join(folder, file.file), options);
      continue;
    }
    const archive = join(root, file.file);
    await transfer(file, archive, options);
    await unpackInto(folder, archive, source.members);
    rmSync(archive, { force: true });
  }
  return folder;
}

/** Unpack beside the folder and then move in, so that a stop on the way leaves no half-written file where one is read. */
async function unpackInto(folder: string, archive: string, members: Readonly<Record<string, number>>): Promise<void> {
  const staging = `${folder}.unpacking`;
  try {
    rmSync(staging, { recursive: true, force: true });
    await extractTarGz(archive, members, staging);
    withFileErrors('move the files into', folder, () => {
      mkdirSync(folder, { recursive: true });
      for (const member of Object.keys(members))
        renameSync(join(staging, basename(member)), join(folder, basename(member)));
    });
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}
