import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  dict,
  global,
  int,
  little,
  type Part,
  program,
  reduce,
  text,
  tuple,
} from '../../test/fixtures/formats/assemble.ts';
import { UserError } from '../base/errors.ts';
import { loadCifar } from './cifar.ts';
import { CIFAR100 } from './datasets/cifar100.ts';

const layout = { ...CIFAR100, labels: [2, 3], classNames: ['a', 'b', 'c'], records: { train: 3, test: 2 } };
const pixels = (count: number): Uint8Array => Uint8Array.from({ length: count * 3072 }, (_, i) => (i * 7) % 251);
/** SHORT_BINSTRING, as Python 2 writes a str. */
const str = (value: string): Part => ['U', value.length, value];
const list = (...items: Part[]): Part => [']', '(', ...items, 'e'];
/** A uint8 array [count, 3072], as NumPy pickled it under Python 2: BINSTRING holds the bytes. */
const array = (count: number, raw: Uint8Array): Part => [
  reduce(global('numpy.core.multiarray', '_reconstruct'), global('numpy', 'ndarray'), tuple(int(0)), str('b')),
  tuple(
    int(1),
    tuple(int(count), int(3072)),
    [reduce(global('numpy', 'dtype'), str('u1'), int(0), int(1)), tuple(int(3), str('|'), 'N', 'N', 'N'), 'b'],
    0x89,
    ['T', little(raw.length, 4), raw],
  ),
  'b',
];

let root: string;
let folder: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'thrive-cifar-py-'));
  folder = join(root, 'cifar-100-python');
  mkdirSync(folder);
  write('meta', dict(str('fine_label_names'), list(str('apple'), str('bear'), str('crab'))));
  write('train', split(3, [2, 0, 1]));
  write('test', split(2, [1, 1]));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const write = (name: string, value: Part): void => writeFileSync(join(folder, name), program(value));
const split = (count: number, labels: number[]): Part =>
  dict(
    str('data'),
    array(count, pixels(count)),
    str('fine_labels'),
    list(...labels.map(int)),
    str('coarse_labels'),
    list(...labels.map(() => int(0))),
    text('batch_label'),
    text('training batch 1 of 1'),
  );

test.each(['the data folder', 'its own folder'])('torchvision’s files are read, from %s', (where) => {
  const set = loadCifar(layout, 'train', where === 'its own folder' ? folder : root);
  expect(set).toMatchObject({ count: 3, height: 32, width: 32, channels: 3, classNames: ['apple', 'bear', 'crab'] });
  expect(set.labels).toEqual(Int32Array.of(2, 0, 1));
  expect(Buffer.compare(set.images, pixels(3))).toBe(0);
});

test('the binary version goes first', () => {
  mkdirSync(join(root, 'cifar-100-binary'));
  const record = Buffer.concat([Uint8Array.of(1, 2), new Uint8Array(3072).fill(9)]);
  writeFileSync(join(root, 'cifar-100-binary', 'test.bin'), Buffer.concat([record, record]));
  expect(loadCifar(layout, 'test', root).labels).toEqual(Int32Array.of(2, 2));
});

test.each<[string, () => void, RegExp]>([
  ['a missing file', () => rmSync(join(folder, 'train')), /train is missing from .*cifar-100-python/],
  [
    'another count',
    () => write('train', split(2, [0, 1])),
    /train holds no images: 'data' is to be a uint8 array \[3, 3072\]/,
  ],
  [
    'an impossible label',
    () => write('train', split(3, [0, 3, 1])),
    /gives image 1 .* the label 3; it is to be 0 to 2/,
  ],
  ['too few labels', () => write('train', split(3, [0, 1])), /'fine_labels' is to be a list of 3/],
  ['no names', () => write('meta', dict(str('x'), int(1))), /no list of 3 class names under 'fine_label_names'/],
  [
    'a class that is no data',
    () => write('train', reduce(global('os', 'system'), str('x'))),
    /asks Python to run 'os\.system'/,
  ],
  ['damage', () => writeFileSync(join(folder, 'train'), 'x'), /cannot be read/],
])('%s is refused', (_what, change, message) => {
  change();
  expect(() => loadCifar(layout, 'train', root)).toThrow(UserError);
  expect(() => loadCifar(layout, 'train', root)).toThrow(message);
});

test('an archive that is not unpacked is named, with the command', () => {
  rmSync(folder, { recursive: true });
  writeFileSync(join(root, 'cifar-100-python.tar.gz'), 'x');
  expect(() => loadCifar(layout, 'train', root)).toThrow(
    expect.objectContaining({
      message: expect.stringMatching(/cifar-100-python\.tar\.gz is not unpacked/),
      hint: `tar -xzf ${join(root, 'cifar-100-python.tar.gz')} -C ${root}`,
    }),
  );
});
