import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { because } from '../../test/shared.ts';
import { UserError } from '../base/errors.ts';
import { FASHION_MNIST } from './datasets/fashion-mnist.ts';
import { MNIST } from './datasets/mnist.ts';
import { loadIdx } from './idx.ts';
import { classCounts } from './image-set.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'thrive-idx-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const grey = (image: number, row: number, column: number): number => (image * 50 + row * 5 + column * 3 + 1) & 255;

function idx(dims: number[], data: Uint8Array, type = 8): Buffer {
  const header = Buffer.alloc(4 + 4 * dims.length);
  header[2] = type;
  header[3] = dims.length;
  for (const [i, dim] of dims.entries()) header.writeUInt32BE(dim, 4 + 4 * i);
  return Buffer.concat([header, data]);
}

function images(count: number): Buffer {
  const data = new Uint8Array(count * 784);
  for (let i = 0; i < data.length; i++) data[i] = grey(Math.floor(i / 784), Math.floor((i % 784) / 28), i % 28);
  return idx([count, 28, 28], data);
}
const labels = (...values: number[]): Buffer => idx([values.length], Uint8Array.from(values));

/** A gzip ends in the check sum and the length of its content, four bytes each. */
const withBadSum = (file: Buffer): Buffer => file.fill(1, file.length - 8, file.length - 4);

const IMAGES = 'train-images-idx3-ubyte';
const LABELS = 'train-labels-idx1-ubyte';

/** Write files below the test's folder. */
function write(folder: string, files: Record<string, Uint8Array>): void {
  mkdirSync(join(root, folder), { recursive: true });
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(root, folder, name), bytes);
}

const load = () => loadIdx(MNIST, 'train', root);

describe('reading', () => {
  test('images get a border of 2 and three equal channels', () => {
    write('mnist', { [IMAGES]: images(3), [LABELS]: labels(5, 0, 9) });
    const set = load();
    expect([set.count, set.channels, set.height, set.width]).toEqual([3, 3, 32, 32]);
    expect(Array.from(set.labels)).toEqual([5, 0, 9]);
    const expected = new Uint8Array(3 * 3072);
    for (let image = 0; image < 3; image++) {
      for (let i = 0; i < 3072; i++) {
        const row = Math.floor((i % 1024) / 32) - 2;
        const column = (i % 32) - 2;
        const inside = row >= 0 && row < 28 && column >= 0 && column < 28;
        expected[image * 3072 + i] = inside ? grey(image, row, column) : 0;
      }
    }
    expect(set.images).toEqual(expected);
  });

  test.each([
    ['mnist', IMAGES, LABELS],
    ['MNIST/raw', IMAGES, LABELS],
    ['mnist', 'train-images.idx3-ubyte', 'train-labels.idx1-ubyte'],
    ['', IMAGES, LABELS],
  ])('found in %s as %s', (folder, imageName, labelName) => {
    write(folder, { [imageName]: images(1), [labelName]: labels(4) });
    expect(load().labels[0]).toBe(4);
  });

  test('gzip, of one or both', () => {
    write('mnist', { [`${IMAGES}.gz`]: gzipSync(images(2)), [LABELS]: labels(1, 2) });
    expect(load().images[2 * 32 + 2]).toBe(grey(0, 0, 0));
  });

  test("another dataset's folder of the same file names is not mistaken for this one", () => {
    write('fashion-mnist', { [IMAGES]: images(1), [LABELS]: labels(4) });
    expect(() => loadIdx(MNIST, 'train', join(root, 'fashion-mnist'))).toThrow('cannot find MNIST');
    expect(loadIdx(FASHION_MNIST, 'train', join(root, 'fashion-mnist')).count).toBe(1);
    expect(loadIdx(FASHION_MNIST, 'train', root).classNames[9]).toBe('Ankle boot');
  });
});

describe('what is refused, with the name of the file', () => {
  const good = { [IMAGES]: images(2), [LABELS]: labels(1, 2) };
  test.each<[string, Record<string, Uint8Array>, string | RegExp]>([
    [
      'images cut short',
      { [IMAGES]: images(2).subarray(0, -1) },
      /images-idx3-ubyte is truncated: 1583 bytes where its header declares 1584/,
    ],
    ['a byte too many', { [IMAGES]: Buffer.concat([images(2), Buffer.of(0)]) }, /images-idx3-ubyte is too long/],
    [
      'an empty file',
      { [LABELS]: Buffer.alloc(0) },
      /labels-idx1-ubyte is truncated: it ends within its 8-byte header/,
    ],
    [
      'swapped files',
      { [IMAGES]: labels(1, 2) },
      'is not an IDX file of images: it starts with 0x00000801, not 0x00000803',
    ],
    [
      'images for labels',
      { [LABELS]: images(2) },
      'is not an IDX file of labels: it starts with 0x00000803, not 0x00000801',
    ],
    ['another element type', { [LABELS]: idx([2], new Uint8Array(2), 0x0d) }, 'it starts with 0x00000d01'],
    [
      'another image size',
      { [IMAGES]: idx([2, 32, 28], new Uint8Array(2 * 896)) },
      'declares 2 × 32 × 28 bytes; MNIST has 1 to 60000 × 28 × 28',
    ],
    ['no images', { [IMAGES]: idx([0, 28, 28], new Uint8Array(0)) }, 'declares 0 × 28 × 28'],
    [
      'a size beyond any file',
      { [IMAGES]: idx([0xffffffff, 28, 28], new Uint8Array(9)) },
      'declares 4294967295 × 28 × 28',
    ],
    [
      'one label too few',
      { [LABELS]: labels(1) },
      /train-images-idx3-ubyte holds 2 images but .*train-labels-idx1-ubyte holds 1 labels/,
    ],
    [
      'a label out of range',
      { [LABELS]: labels(1, 10) },
      /labels-idx1-ubyte: label 1 \(counted from 0\) is 10; MNIST has 0 to 9/,
    ],
  ])('%s', (_, files, message) => {
    write('mnist', { ...good, ...files });
    expect(load).toThrow(UserError);
    expect(load).toThrow(message);
    expect(load).toThrow(expect.objectContaining({ hint: expect.stringContaining('thrive data get mnist') }));
  });

  test('a missing half', () => {
    write('mnist', { [IMAGES]: images(1) });
    expect(load).toThrow(`MNIST is incomplete: train-labels-idx1-ubyte is missing from ${join(root, 'mnist')}`);
  });

  test('nothing at all', () => {
    expect(load).toThrow(/cannot find MNIST: no train-images-idx3-ubyte in .*mnist, .*raw/);
  });

  const packed = (bytes: Uint8Array) => ({ [`${IMAGES}.gz`]: bytes, [LABELS]: labels(1, 2) });
  test.each<[string, Uint8Array, string | RegExp]>([
    ['not a gzip', images(2), 'is not a gzip file: it does not start with the bytes 1f 8b'],
    ['a gzip cut short', gzipSync(images(2)).subarray(0, -20), 'is truncated: the gzip stream ends early'],
    [
      'a gzip of too little',
      gzipSync(images(2).subarray(0, -1)),
      'is truncated: 1583 bytes where its header declares 1584',
    ],
    ['a gzip of too much', gzipSync(Buffer.concat([images(2), Buffer.alloc(10)])), 'is too long: more than 1584 bytes'],
    ['garbage after the gzip header', Buffer.from('1f8b0800000000000003ffffffffffff', 'hex'), 'is a damaged gzip file'],
    ['a wrong check sum', withBadSum(gzipSync(images(2))), 'is a damaged gzip file'],
    ['a gzip of nothing', gzipSync(Buffer.alloc(0)), 'is truncated: it ends within its 16-byte header'],
  ])('%s', (_, bytes, message) => {
    write('mnist', packed(bytes));
    expect(load).toThrow(UserError);
    expect(load).toThrow(message);
  });

  test('a bomb is stopped at the size its header declares', () => {
    const bomb = gzipSync(Buffer.concat([images(2), Buffer.alloc(100_000_000)]));
    write('mnist', packed(bomb));
    const before = process.memoryUsage().rss;
    expect(load).toThrow('train-images-idx3-ubyte.gz is too long');
    expect(process.memoryUsage().rss - before).toBeLessThan(50_000_000);
  });

  test('a small file that declares millions of images is refused before they are allocated', () => {
    write('mnist', packed(gzipSync(idx([60_000, 28, 28], new Uint8Array(1000)))));
    expect(load).toThrow(/is truncated: \d+ packed bytes where its header declares 47040016/);
  });
});

const debian = FASHION_MNIST.systemFolders![0]!;
const installed = existsSync(join(debian, `${IMAGES}.gz`));
test.skipIf(!installed)(`Debian's Fashion-MNIST is found by itself${because(installed, debian)}`, () => {
  const train = loadIdx(FASHION_MNIST, 'train', root);
  expect(Array.from(classCounts(train))).toEqual(Array(10).fill(6000));
  const set = loadIdx(FASHION_MNIST, 'test', root);
  expect(Array.from(classCounts(set))).toEqual(Array(10).fill(1000));
  expect(Array.from(set.labels.slice(0, 10))).toEqual([9, 2, 1, 1, 6, 1, 4, 6, 5, 7]); // the first of the published test set
  expect(set.images.length).toBe(10_000 * 3072);
});
