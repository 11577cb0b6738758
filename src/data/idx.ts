import { closeSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs';
import { constants, gunzipSync } from 'node:zlib';
import { errorCode, UserError } from '../base/errors.ts';
import { withFileErrors } from '../base/files.ts';
import type { DatasetInfo } from './dataset.ts';
import type { ImageSet, Split } from './image-set.ts';
import { getAgain, locate, requireFile, type Whereabouts } from './locate.ts';
import type { Source } from './source.ts';

/**
 * MNIST (Y. LeCun, C. Cortes, C. Burges, 1998) and Fashion-MNIST (H. Xiao, K. Rasul, R. Vollgraf, 2017) in the IDX format:
 * two zero bytes, the type (8: unsigned byte), the number of dimensions, each dimension as a big-endian 32-bit number, data.
 * Plain or gzip. The 28×28 grey images get a black border of 2 and three equal channels: 3×32×32 as the networks expect.
 */
export interface IdxLayout extends Whereabouts {
  /** The most images a file may declare: as many as the official one has. */
  records: Record<Split, number>;
  classNames: readonly string[];
}

const GREY = 28;
const SIZE = 32;
const BORDER = (SIZE - GREY) / 2;
/** Deflate cannot shrink anything further than this (zlib's technical notes). */
const DEFLATE_LIMIT = 1032;

/** The official name, its gzip, and the spelling some unpackers leave. */
const spellings = (kind: 'images-idx3' | 'labels-idx1', split: Split): string[] => {
  const name = `${split === 'train' ? 'train' : 't10k'}-${kind}-ubyte`;
  return [name, `${name}.gz`, name.replace('-idx', '.idx')];
};

/** The folder that holds a split. @throws UserError naming the folders looked at */
export function idxFolder(layout: IdxLayout, split: Split, dir?: string): string {
  return locate(layout, dir, [spellings('images-idx3', split), spellings('labels-idx1', split)]);
}

/** Load a split. @throws UserError naming the file when one is missing, damaged, hostile, or does not fit the other */
export function loadIdx(layout: IdxLayout, split: Split, dir?: string): ImageSet {
  const folder = idxFolder(layout, split, dir);
  const imagePath = requireFile(layout, folder, spellings('images-idx3', split));
  const labelPath = requireFile(layout, folder, spellings('labels-idx1', split));
  const labels = readIdx(layout, labelPath, [layout.records[split]]);
  const bad = labels.findIndex((label) => label >= layout.classNames.length);
  if (bad >= 0) {
    throw new UserError(
      `${labelPath}: label ${bad} (counted from 0) is ${labels[bad]}; ${layout.title} has 0 to ${layout.classNames.length - 1}`,
      { hint: getAgain(layout) },
    );
  }
  const grey = readIdx(layout, imagePath, [layout.records[split], GREY, GREY]);
  const count = grey.length / (GREY * GREY);
  if (count !== labels.length) {
    throw new UserError(`${imagePath} holds ${count} images but ${labelPath} holds ${labels.length} labels`, {
      hint: `both files must come from the same split of the same dataset; ${getAgain(layout)}`,
    });
  }
  const { classNames } = layout;
  const images = padAndReplicate(grey, count);
  return { images, labels: Int32Array.from(labels), count, channels: 3, height: SIZE, width: SIZE, classNames };
}

/** [n, 28, 28] to [n, 3, 32, 32]. */
function padAndReplicate(grey: Uint8Array, count: number): Uint8Array {
  const plane = SIZE * SIZE;
  const images = new Uint8Array(count * 3 * plane);
  let from = 0;
  for (let i = 0; i < count; i++) {
    const start = i * 3 * plane;
    for (let row = 0; row < GREY; row++) {
      let to = start + (row + BORDER) * SIZE + BORDER;
      for (const end = to + GREY; to < end; ) images[to++] = grey[from++]!;
    }
    images.copyWithin(start + plane, start, start + plane);
    images.copyWithin(start + 2 * plane, start, start + plane);
  }
  return images;
}

/**
 * The data of an IDX file of unsigned bytes. `most` gives the rank, the largest first dimension and the exact other ones.
 * The header is judged before anything of the declared size is allocated, and unpacking stops at that size.
 */
function readIdx(layout: Whereabouts, path: string, most: readonly number[]): Uint8Array {
  return withFileErrors('read', path, () => {
    const refuse = (what: string, cause?: unknown): UserError =>
      new UserError(`${path} ${what}`, { hint: getAgain(layout), ...(cause === undefined ? {} : { cause }) });
    const { head, size } = readHead(path);
    const packed = head[0] === 0x1f && head[1] === 0x8b;
    if (!packed && path.endsWith('.gz')) throw refuse('is not a gzip file: it does not start with the bytes 1f 8b');
    const start = packed ? unpackHead(head, refuse) : head;
    const headerBytes = 4 + 4 * most.length;
    const magic = 0x0800 + most.length;
    if (start.length >= 4 && start.readUInt32BE(0) !== magic) {
      const hex = (value: number): string => `0x${value.toString(16).padStart(8, '0')}`;
      const kind = most.length === 3 ? 'images' : 'labels';
      throw refuse(`is not an IDX file of ${kind}: it starts with ${hex(start.readUInt32BE(0))}, not ${hex(magic)}`);
    }
    if (start.length < headerBytes) throw refuse(`is truncated: it ends within its ${headerBytes}-byte header`);
    const dims = most.map((_, i) => start.readUInt32BE(4 + 4 * i));
    if (dims[0]! < 1 || dims[0]! > most[0]! || dims.slice(1).some((dim, i) => dim !== most[i + 1])) {
      const expected = [`1 to ${most[0]}`, ...most.slice(1)].join(' × ');
      throw refuse(`declares ${dims.join(' × ')} bytes; ${layout.title} has ${expected}`);
    }
    const total = headerBytes + dims.reduce((product, dim) => product * dim, 1);
    const wrongSize = (found: string, short: boolean): UserError =>
      refuse(`is ${short ? 'truncated' : 'too long'}: ${found} where its header declares ${total}`);
    if (!packed) {
      if (size !== total) throw wrongSize(`${size} bytes`, size < total);
      return readFileSync(path).subarray(headerBytes);
    }
    if (size > total + 65_536) throw wrongSize(`${size} packed bytes`, false);
    if (size * DEFLATE_LIMIT < total) throw wrongSize(`${size} packed bytes`, true);
    const unpacked = unpack(path, total, refuse, wrongSize);
    if (unpacked.length !== total) throw wrongSize(`${unpacked.length} bytes`, true);
    return unpacked.subarray(headerBytes);
  });
}

type Refuse = (what: string, cause?: unknown) => UserError;

function readHead(path: string): { head: Buffer; size: number } {
  const fd = openSync(path, 'r');
  try {
    const head = Buffer.alloc(1024);
    return { head: head.subarray(0, readSync(fd, head, 0, head.length, 0)), size: fstatSync(fd).size };
  } finally {
    closeSync(fd);
  }
}

/** What the first kilobyte of a gzip file unpacks to: at most a megabyte, however hostile. */
function unpackHead(head: Buffer, refuse: Refuse): Buffer {
  try {
    return gunzipSync(head, { finishFlush: constants.Z_SYNC_FLUSH });
  } catch (error) {
    throw refuse('is a damaged gzip file', error);
  }
}

function unpack(path: string, total: number, refuse: Refuse, wrongSize: (found: string, short: boolean) => UserError) {
  try {
    return gunzipSync(readFileSync(path), { maxOutputLength: total });
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ERR_BUFFER_TOO_LARGE') throw wrongSize(`more than ${total} bytes`, false);
    if (code === 'Z_BUF_ERROR') throw wrongSize('the gzip stream ends early', true);
    if (code?.startsWith('Z_')) throw refuse('is a damaged gzip file', error);
    throw error;
  }
}

/**
 * A dataset in these files: grey, with AutoAugment's policy for ImageNet. Mean and deviation as usually published: of the 28×28
 * images without their border.
 */
export const idxDataset = (
  layout: IdxLayout,
  { mean, std, flip, source }: { mean: number; std: number; flip: boolean; source: Source },
): DatasetInfo => ({
  kind: 'dataset',
  name: layout.name,
  title: layout.title,
  classes: layout.classNames.length,
  classNames: layout.classNames,
  size: SIZE,
  mean: [mean, mean, mean],
  std: [std, std, std],
  padding: 4,
  flip,
  cutout: 8,
  policy: 'imagenet',
  count: layout.records,
  source,
  folder: (split, dir) => idxFolder(layout, split, dir),
  load: ({ split, dir }) => loadIdx(layout, split, dir),
});
