import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writeTinyData } from '../../test/tiny-data.ts';
import { standardOptions } from '../augment/index.ts';
import { type ConfigInput, resolveConfig } from '../config/config.ts';
import { datasetInfo, limitPerClass, loadSplit, normalizationOf } from '../data/index.ts';
import { memory } from '../torch/index.ts';
import { loadTrainData } from './train-data.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'thrive-data-'));
  writeTinyData(folder, { train: 60, test: 30 });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const config = (change: Partial<ConfigInput> = {}) =>
  resolveConfig({ data: 'fashion-mnist', model: 'resnet8', dataDir: folder, ...change });
const labelsOf = (data: { labels: { toFloat64Array(): Float64Array } } | null): number[] => [
  ...(data?.labels.toFloat64Array() ?? []),
];

describe('the standard augmentation', () => {
  test.each([
    ['cifar100', 'crop+flip', { padding: 4, flip: true }],
    ['cifar100', 'crop', { padding: 4, flip: false }],
    ['cifar100', 'flip', { padding: 0, flip: true }],
    ['cifar100', 'none', { padding: 0, flip: false }],
    // A mirrored digit is another character.
    ['mnist', 'crop+flip', { padding: 4, flip: false }],
  ] as const)('of %s, %s', (data, baseAugment, options) => {
    expect(standardOptions({ baseAugment }, datasetInfo(data))).toEqual(options);
  });

  test('does not flip digits, also when asked', () => {
    expect(() => standardOptions({ baseAugment: 'flip' }, datasetInfo('mnist'))).toThrow(
      /baseAugment flip: a mirrored/,
    );
  });

  test('normalises as the paper does', () => {
    expect(normalizationOf(datasetInfo('cifar100'))).toEqual({
      mean: [0.5071, 0.4867, 0.4408],
      std: [0.2675, 0.2565, 0.2761],
    });
  });
});

describe('the sets of a run', () => {
  test('are as large as asked, in file order', async () => {
    const before = memory().tensors;
    const data = await loadTrainData(config({ limitTrain: 20, limitTest: 10 }));
    expect(labelsOf(data.train)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect([data.train.count, data.test.count, data.dev]).toEqual([20, 10, null]);
    expect(data.train.images.shape).toEqual([20, 3, 32, 32]);
    expect(data.train.images.dtype).toBe('uint8');
    data.dispose();
    expect(memory().tensors).toBe(before);
  });

  test('a dev split is the same for every seed, and nothing is in two sets', async () => {
    const bytes = (data: { images: { narrow(...at: [number, number, number]): { bytes(): Uint8Array } } }, i: number) =>
      Buffer.from(data.images.narrow(0, i, 1).bytes()).toString('base64');
    const all = await Promise.all([1, 2].map((seed) => loadTrainData(config({ seed, holdout: 0.2 }))));
    const [first, second] = all.map(({ train, dev }) => ({
      train: Array.from({ length: train.count }, (_, i) => bytes(train, i)),
      dev: Array.from({ length: dev!.count }, (_, i) => bytes(dev!, i)),
    }));
    expect(second).toEqual(first);
    expect([first!.train.length, first!.dev.length]).toEqual([50, 10]);
    expect(new Set([...first!.train, ...first!.dev]).size).toBe(60);
    expect(labelsOf(all[0]!.dev).sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    for (const data of all) data.dispose();
  });

  test('too few images are refused, with the flag that asks for them', async () => {
    await expect(loadTrainData(config({ limitTrain: 61 }))).rejects.toThrow(
      'limitTrain 61: fashion-mnist has 60 train images',
    );
    await expect(loadTrainData(config({ limitTest: 31 }))).rejects.toThrow(
      'limitTest 31: fashion-mnist has 30 test images',
    );
    await expect(loadSplit(config(), 'train', 61, 'limitTest')).rejects.toThrow(
      'limitTest 61: fashion-mnist has 60 train',
    );
    await expect(loadTrainData(config({ limitTrain: 10, holdout: 0.1 }))).rejects.toThrow(
      'holdout 0.1: 10 training images are too few to keep any apart',
    );
  });

  test('generated images are not generated in vain: a part is what it would be of the whole', async () => {
    const whole = await loadSplit({ data: 'synthetic' }, 'test');
    for (const limit of [1, 10, 37]) {
      const part = await loadSplit({ data: 'synthetic' }, 'test', limit);
      const expected = limitPerClass(whole, limit);
      expect([...part.labels]).toEqual([...expected.labels]);
      expect(Buffer.compare(part.images, expected.images)).toBe(0);
    }
    await expect(loadSplit({ data: 'synthetic' }, 'train', 10_001)).rejects.toThrow(
      'limitTrain 10001: synthetic has 10000 train images',
    );
  });

  test('a missing set says how to get it, and nothing is left in memory', async () => {
    const before = memory().tensors;
    await expect(loadTrainData(config({ data: 'cifar10' }))).rejects.toThrow(/cannot find CIFAR-10/);
    rmSync(join(folder, 'fashion-mnist', 't10k-images-idx3-ubyte'));
    await expect(loadTrainData(config())).rejects.toThrow(/t10k-images/);
    expect(memory().tensors).toBe(before);
  });
});
