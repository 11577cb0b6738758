import { closeSync, existsSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { UserError } from '../base/errors.ts';
import { withFileErrors } from '../base/files.ts';
import { type CifarPythonLayout, findArchive, findCifarPython, loadCifarPython } from './cifar-python.ts';
import type { DatasetInfo, Rgb } from './dataset.ts';
import type { ImageSet, Split } from './image-set.ts';
import { getAgain, locate, requireFile, type Whereabouts } from './locate.ts';
import type { Source } from './source.ts';

/**
 * CIFAR-10 and CIFAR-100, binary version (A. Krizhevsky, "Learning multiple layers of features from tiny images", 2009;
 * cs.toronto.edu/~kriz/cifar.html): records of one label byte (CIFAR-10) or two (CIFAR-100: coarse, then fine, which is the
 * one used), then 1024 bytes each of red, green and blue, row by row.
 */
export interface CifarLayout extends Whereabouts {
  files: Record<Split, readonly string[]>;
  /** Records in one file. */
  records: Record<Split, number>;
  /** The size of the range of each label byte; the last byte is the class. */
  labels: readonly number[];
  classNames: readonly string[];
  /** The official text file of class names; the names above are used where it is absent. */
  namesFile: string;
  /** The other version of the same dataset, which is read where this one is not there. */
  python: CifarPythonLayout;
  /** The official archive of this version. */
  archive: string;
}

const SIZE = 32;
const PIXELS = 3 * SIZE * SIZE;
/** Records read at once: under 1 MB, which stays in the cache while it is taken apart. */
const CHUNK = 256;

/** The folder that holds a split. @throws UserError naming the folders looked at */
export function cifarFolder(layout: CifarLayout, split: Split, dir?: string): string {
  try {
    return locate(
      layout,
      dir,
      layout.files[split].map((name) => [name]),
    );
  } catch (error) {
    const other = findCifarPython(layout.python, dir);
    if (other !== undefined) return other;
    const archive = findArchive([layout.archive, layout.python.archive], dir);
    if (!archive || !(error instanceof UserError)) throw error;
    throw new UserError(`${archive} is not unpacked: ${layout.title} is read from its folder`, {
      hint: `tar -xzf ${archive} -C ${dirname(archive)}`,
      cause: error,
    });
  }
}

/** Load a split. @throws UserError naming the file when one is missing, of the wrong size or holds an impossible label */
export function loadCifar(layout: CifarLayout, split: Split, dir?: string): ImageSet {
  const folder = cifarFolder(layout, split, dir);
  if (folder === findCifarPython(layout.python, dir)) {
    const [records, classes] = [layout.records[split], layout.classNames.length];
    const loaded = loadCifarPython(layout.python, folder, split, { records, classes });
    return { ...loaded, count: loaded.labels.length, channels: 3, height: SIZE, width: SIZE };
  }
  const paths = layout.files[split].map((name) => requireFile(layout, folder, [name]));
  const records = layout.records[split];
  for (const path of paths) checkSize(layout, path, records);
  const classNames = readClassNames(layout, folder);
  const images = new Uint8Array(paths.length * records * PIXELS);
  const labels = new Int32Array(paths.length * records);
  paths.forEach((path, i) => {
    const first = i * records;
    readRecords(layout, path, images.subarray(first * PIXELS), labels.subarray(first, first + records));
  });
  return { images, labels, count: labels.length, channels: 3, height: SIZE, width: SIZE, classNames };
}

const recordBytes = (layout: CifarLayout): number => layout.labels.length + PIXELS;

function checkSize(layout: CifarLayout, path: string, records: number): void {
  withFileErrors('read', path, () => {
    const fd = openSync(path, 'r');
    try {
      const { size } = fstatSync(fd);
      const expected = records * recordBytes(layout);
      if (size !== expected) throw wrongSize(layout, path, size, expected);
    } finally {
      closeSync(fd);
    }
  });
}

function wrongSize(layout: CifarLayout, path: string, size: number, expected: number): UserError {
  const records = expected / recordBytes(layout);
  return new UserError(
    `${path} is ${size < expected ? 'truncated' : 'too long'}: ${size} bytes where ${layout.title} has ${expected} ` +
      `(${records} records of ${recordBytes(layout)})`,
    { hint: getAgain(layout) },
  );
}

function readRecords(layout: CifarLayout, path: string, images: Uint8Array, labels: Int32Array): void {
  const record = recordBytes(layout);
  const head = layout.labels.length;
  const chunk = new Uint8Array(Math.min(CHUNK, labels.length) * record);
  withFileErrors('read', path, () => {
    const fd = openSync(path, 'r');
    try {
      for (let first = 0; first < labels.length; first += CHUNK) {
        const count = Math.min(CHUNK, labels.length - first);
        const wanted = count * record;
        let filled = 0;
        while (filled < wanted) {
          const read = readSync(fd, chunk, filled, wanted - filled, null);
          if (read === 0) throw wrongSize(layout, path, first * record + filled, labels.length * record);
          filled += read;
        }
        for (let i = 0; i < count; i++) {
          const at = i * record;
          for (let k = 0; k < head; k++) {
            if (chunk[at + k]! >= layout.labels[k]!) throw badLabel(layout, path, first + i, k, chunk[at + k]!);
          }
          labels[first + i] = chunk[at + head - 1]!;
          images.set(chunk.subarray(at + head, at + record), (first + i) * PIXELS);
        }
      }
    } finally {
      closeSync(fd);
    }
  });
}

function badLabel(layout: CifarLayout, path: string, record: number, which: number, label: number): UserError {
  const kind = layout.labels.length === 1 ? 'label' : which === 0 ? 'coarse label' : 'fine label';
  return new UserError(
    `${path}: record ${record} (counted from 0) has ${kind} ${label}; ${layout.title} has 0 to ${layout.labels[which]! - 1}`,
    { hint: `the file is damaged or of another dataset; ${getAgain(layout)}` },
  );
}

function readClassNames(layout: CifarLayout, folder: string): readonly string[] {
  const path = join(folder, layout.namesFile);
  if (!existsSync(path)) return layout.classNames;
  const names = withFileErrors('read', path, () => readFileSync(path, 'utf8'))
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  if (names.length !== layout.classNames.length) {
    throw new UserError(`${path} has ${names.length} class names; ${layout.title} has ${layout.classNames.length}`, {
      hint: getAgain(layout),
    });
  }
  return names;
}

/** A dataset in these files: 32 by 32 pixels, and what its own file says of it. */
export const cifarDataset = (
  layout: CifarLayout,
  said: { mean: Rgb; std: Rgb; cutout: number; source: Source },
): DatasetInfo => ({
  ...said,
  kind: 'dataset',
  name: layout.name,
  title: layout.title,
  classes: layout.classNames.length,
  classNames: layout.classNames,
  size: SIZE,
  padding: 4,
  flip: true,
  policy: 'cifar10',
  count: { train: layout.records.train * layout.files.train.length, test: layout.records.test },
  folder: (split, dir) => cifarFolder(layout, split, dir),
  load: ({ split, dir }) => loadCifar(layout, split, dir),
});
