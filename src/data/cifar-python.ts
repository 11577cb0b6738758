/**
 * @file CIFAR's Python version, which torchvision downloads: pickles of `{data: uint8 [count, 3072], labels: [...]}`, each
 * image planar as in the binary version. Python 2 wrote them; they are read as data, no code is run.
 */
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../base/errors.ts';
import { isStoredTensor, readPickle } from '../formats/index.ts';
import type { Split } from './image-set.ts';
import { dataRoots } from './locate.ts';

export interface CifarPythonLayout {
  /** As the official archive and torchvision name it. */
  folder: string;
  /** The official archive. */
  archive: string;
  files: Record<Split, readonly string[]>;
  /** Key of the labels in each file. */
  labels: string;
  /** File of the class names, and their key in it. */
  meta: string;
  names: string;
}

const PIXELS = 3072;
const isFile = (path: string): boolean => existsSync(path) && statSync(path).isFile();
const again = (layout: CifarPythonLayout): string => `unpack ${layout.archive} again, or fetch a fresh copy`;

/** The folder of the Python version, if it is there: below a data folder, or the data folder itself. */
export function findCifarPython(layout: CifarPythonLayout, dir?: string): string | undefined {
  return dataRoots(dir)
    .flatMap((root) => [join(root, layout.folder), root])
    .find((folder) => isFile(join(folder, layout.meta)) && isFile(join(folder, layout.files.test[0]!)));
}

/** The archive of either version, not unpacked yet, if it is there. */
export const findArchive = (archives: readonly string[], dir?: string): string | undefined =>
  dataRoots(dir)
    .flatMap((root) => archives.map((archive) => join(root, archive)))
    .find(isFile);

/**
 * The images and labels of a split, and the class names.
 *
 * @param records images in one file
 * @throws UserError naming the file, if one is missing or does not hold what it should
 */
export function loadCifarPython(
  layout: CifarPythonLayout,
  folder: string,
  split: Split,
  { records, classes }: { records: number; classes: number },
): { images: Uint8Array; labels: Int32Array; classNames: string[] } {
  const files = layout.files[split];
  const images = new Uint8Array(files.length * records * PIXELS);
  const labels = new Int32Array(files.length * records);
  files.forEach((file, i) => {
    const path = join(folder, file);
    if (!isFile(path)) throw new UserError(`${file} is missing from ${folder}`, { hint: again(layout) });
    const wrong = (what: string): UserError => new UserError(`${path} ${what}`, { hint: again(layout) });
    const value = dict(path, layout);
    const data = value.get('data');
    const given = value.get(layout.labels);
    if (!isStoredTensor(data) || data.dtype !== 'uint8' || data.shape.join() !== `${records},${PIXELS}`) {
      throw wrong(`holds no images: 'data' is to be a uint8 array [${records}, ${PIXELS}]`);
    }
    if (!Array.isArray(given) || given.length !== records) {
      throw wrong(`holds no labels: '${layout.labels}' is to be a list of ${records}`);
    }
    const bad = given.findIndex((label) => !(Number.isInteger(label) && label >= 0 && label < classes));
    if (bad >= 0)
      throw wrong(`gives image ${bad} (counted from 0) the label ${given[bad]}; it is to be 0 to ${classes - 1}`);
    images.set(data.data, i * records * PIXELS);
    labels.set(given as number[], i * records);
  });
  const meta = join(folder, layout.meta);
  const names = dict(meta, layout).get(layout.names);
  if (!Array.isArray(names) || names.length !== classes || !names.every((name) => typeof name === 'string')) {
    throw new UserError(`${meta} has no list of ${classes} class names under '${layout.names}'`, {
      hint: again(layout),
    });
  }
  return { images, labels, classNames: [...(names as string[])] };
}

function dict(path: string, layout: CifarPythonLayout): Map<unknown, unknown> {
  const value = readPickle(path);
  if (value instanceof Map) return value;
  throw new UserError(`${path} holds no dict`, { hint: again(layout) });
}
