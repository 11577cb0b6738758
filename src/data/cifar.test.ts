import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { because, dataDir } from '../../test/shared.ts';
import { UserError } from '../base/errors.ts';
import { type CifarLayout, loadCifar } from './cifar.ts';
import { CIFAR10 } from './datasets/cifar10.ts';
import { CIFAR100 } from './datasets/cifar100.ts';
import { classCounts, limitPerClass } from './image-set.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'thrive-cifar-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** The real layouts with few records, so that whole files fit a test; 300 is more than one chunk. */
const few = (layout: CifarLayout): CifarLayout => ({ ...layout, records: { train: 300, test: 3 } });
const small10 = few(CIFAR10);
const small100 = few(CIFAR100);

const pixel = (record: number, i: number): number => (record * 31 + i * 7 + (i >> 8)) & 255;

function record(labels: number[], number: number): Buffer {
  const bytes = Buffer.alloc(labels.length + 3072);
  bytes.set(labels);
  for (let i = 0; i < 3072; i++) bytes[labels.length + i] = pixel(number, i);
  return bytes;
}

function withByte(file: Buffer, at: number, value: number): Buffer {
  file[at] = value;
  return file;
}

/** Write a whole split; returns the folder. */
function write100(folder: string, edit: (file: Buffer) => Buffer = (file) => file): string {
  mkdirSync(folder, { recursive: true });
  const file = (count: number): Buffer =>
    Buffer.concat(Array.from({ length: count }, (_, i) => record([i % 20, i % 100], i)));
  writeFileSync(join(folder, 'train.bin'), edit(file(300)));
  writeFileSync(join(folder, 'test.bin'), file(3));
  return folder;
}

describe('CIFAR-100', () => {
  test('records come out as planar images with their fine labels', () => {
    write100(join(root, 'cifar-100-binary'));
    const set = loadCifar(small100, 'train', root);
    expect([set.count, set.channels, set.height, set.width]).toEqual([300, 3, 32, 32]);
    expect(Array.from(set.labels)).toEqual(Array.from({ length: 300 }, (_, i) => i % 100));
    for (const [image, i] of [
      [0, 0],
      [0, 3071],
      [255, 1024],
      [256, 5],
      [299, 3071],
    ] as const) {
      expect(set.images[image * 3072 + i]).toBe(pixel(image, i));
    }
    expect(loadCifar(small100, 'test', root).count).toBe(3);
  });

  test('the folder itself may be named instead of the one above it', () => {
    const folder = write100(join(root, 'anything'));
    expect(loadCifar(small100, 'train', folder).count).toBe(300);
  });

  test('class names come from the text file if it is there, else they are built in', () => {
    const folder = write100(join(root, 'cifar-100-binary'));
    expect(loadCifar(small100, 'test', root).classNames[99]).toBe('worm');
    const names = Array.from({ length: 100 }, (_, i) => `name ${i}`);
    writeFileSync(join(folder, 'fine_label_names.txt'), `${names.join('\n')}\n\n`);
    expect(loadCifar(small100, 'test', root).classNames).toEqual(names);
    writeFileSync(join(folder, 'fine_label_names.txt'), 'only one\n');
    expect(() => loadCifar(small100, 'test', root)).toThrow('has 1 class names; CIFAR-100 (binary version) has 100');
  });

  test.each([
    ['truncated', (file: Buffer) => file.subarray(0, -1), /train\.bin is truncated: 922199 bytes where .* has 922200/],
    ['empty', () => Buffer.alloc(0), /train\.bin is truncated: 0 bytes/],
    ['too long', (file: Buffer) => Buffer.concat([file, Buffer.of(0)]), /train\.bin is too long: 922201 bytes/],
    [
      'of a wrong coarse label',
      (file: Buffer) => withByte(file, 270 * 3074, 20),
      /record 270 .* has coarse label 20; .* has 0 to 19/,
    ],
    [
      'of a wrong fine label',
      (file: Buffer) => withByte(file, 299 * 3074 + 1, 100),
      /record 299 .* has fine label 100; .* has 0 to 99/,
    ],
  ])('a file that is %s is refused by name', (_, edit, message) => {
    write100(join(root, 'cifar-100-binary'), edit);
    const load = () => loadCifar(small100, 'train', root);
    expect(load).toThrow(UserError);
    expect(load).toThrow(message);
    expect(load).toThrow(expect.objectContaining({ hint: expect.stringContaining('thrive data get cifar100') }));
  });

  test('nothing there: the error names the folders looked at and the command that helps', () => {
    const load = () => loadCifar(CIFAR100, 'train', root);
    expect(load).toThrow(`no train.bin in ${join(root, 'cifar-100-binary')}, ${root}`);
    expect(load).toThrow(expect.objectContaining({ hint: expect.stringContaining("'thrive data get cifar100'") }));
  });

  test('a folder where the file should be', () => {
    const folder = write100(join(root, 'cifar-100-binary'));
    rmSync(join(folder, 'train.bin'));
    mkdirSync(join(folder, 'train.bin'));
    expect(() => loadCifar(small100, 'train', root)).toThrow(UserError);
  });
});

describe('CIFAR-10', () => {
  beforeEach(() => {
    const folder = join(root, 'cifar-10-batches-bin');
    mkdirSync(folder);
    for (let batch = 1; batch <= 5; batch++) {
      const records = Array.from({ length: 300 }, (_, i) => record([(i + batch) % 10], batch * 300 + i));
      writeFileSync(join(folder, `data_batch_${batch}.bin`), Buffer.concat(records));
    }
  });

  test('five batches in a row', () => {
    const set = loadCifar(small10, 'train', root);
    expect(set.count).toBe(1500);
    expect(set.classNames[3]).toBe('cat');
    expect(set.labels[300]).toBe(2);
    expect(set.images[1499 * 3072 + 100]).toBe(pixel(5 * 300 + 299, 100));
  });

  test('a missing or short batch is named, and nothing is loaded', () => {
    const third = join(root, 'cifar-10-batches-bin', 'data_batch_3.bin');
    truncateSync(third, 3073);
    expect(() => loadCifar(small10, 'train', root)).toThrow(
      /data_batch_3\.bin is truncated: 3073 bytes .* \(300 records of 3073\)/,
    );
    rmSync(third);
    expect(() => loadCifar(small10, 'train', root)).toThrow('is incomplete: data_batch_3.bin is missing from');
    expect(() => loadCifar(small10, 'test', root)).toThrow('cannot find CIFAR-10');
  });
});

const real = dataDir();
describe.skipIf(!real)(`the real CIFAR-100${because(real, 'cifar-100-binary')}`, () => {
  test('loads in well under a second, byte for byte, and balanced', () => {
    const start = performance.now();
    const set = loadCifar(CIFAR100, 'train', real);
    const elapsed = performance.now() - start;
    expect(set.count).toBe(50_000);
    expect(Array.from(classCounts(set))).toEqual(Array(100).fill(500));
    const file = readFileSync(join(real!, 'cifar-100-binary', 'train.bin'));
    for (const i of [0, 1, 12_345, 49_999]) {
      const at = i * 3074;
      expect(set.labels[i]).toBe(file[at + 1]);
      expect(Buffer.from(set.images.subarray(i * 3072, (i + 1) * 3072)).equals(file.subarray(at + 2, at + 3074))).toBe(
        true,
      );
    }
    expect(elapsed).toBeLessThan(3000); // about 0.15 s when the file is in the cache
    const names = readFileSync(join(real!, 'cifar-100-binary', 'fine_label_names.txt'), 'utf8')
      .trim()
      .split('\n');
    expect(set.classNames).toEqual(names);
    expect(CIFAR100.classNames).toEqual(names);
  });

  test('--limit-train 12500 is the first 125 of each class', () => {
    const set = loadCifar(CIFAR100, 'train', real);
    const part = limitPerClass(set, 12_500);
    expect(Array.from(classCounts(part))).toEqual(Array(100).fill(125));
    const seen = new Int32Array(100);
    const expected: number[] = [];
    set.labels.forEach((label) => {
      if (seen[label]!++ < 125) expected.push(label);
    });
    expect(Array.from(part.labels)).toEqual(expected);
  });
});
