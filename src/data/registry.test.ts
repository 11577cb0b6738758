import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { because, dataDir } from '../../test/shared.ts';
import { UserError } from '../base/errors.ts';
import { DATASETS, datasetInfo, loadDataset } from './registry.ts';

test('what training needs to know is consistent', () => {
  for (const [name, info] of Object.entries(DATASETS)) {
    expect(info.name).toBe(name);
    expect(info.classNames.length).toBe(info.classes);
    expect(new Set(info.classNames).size).toBe(info.classes);
    for (const c of [0, 1, 2]) {
      expect(info.mean[c]).toBeGreaterThan(0);
      expect(info.std[c]).toBeLessThan(0.5);
    }
  }
  expect(DATASETS.cifar10!.count).toEqual({ train: 50_000, test: 10_000 });
  expect(DATASETS.cifar100!.classes).toBe(100);
  expect(Object.values(DATASETS).filter(({ source }) => !source)).toEqual([DATASETS.synthetic]);
  expect(Object.values(DATASETS).filter((info) => !info.flip)).toEqual([DATASETS.mnist]);
});

test.each([
  ['cifar100', 'cifar100'],
  ['CIFAR-100', 'cifar100'],
  ['fashion_mnist', 'fashion-mnist'],
  ['FashionMNIST', 'fashion-mnist'],
])('%s means %s', (name, canonical) => expect(datasetInfo(name).name).toBe(canonical));

test('an unknown name names the nearest one', async () => {
  await expect(loadDataset('cifar1000', { split: 'train' })).rejects.toThrow(
    "unknown dataset 'cifar1000'; did you mean 'cifar100'?",
  );
  expect(() => datasetInfo('constructor')).toThrow(UserError);
});

test('synthetic images: as many as asked for, of the seed asked for', async () => {
  const set = await loadDataset('synthetic', { split: 'test', count: 30, seed: 5 });
  expect(set.count).toBe(30);
  expect(set.images).not.toEqual((await loadDataset('synthetic', { split: 'test', count: 30 })).images);
  await expect(loadDataset('cifar10', { split: 'test', count: 30 })).rejects.toThrow(UserError);
});

describe('where data is looked for', () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'thrive-registry-'));
    vi.spyOn(process, 'cwd').mockReturnValue(root);
  });
  afterEach(() => {
    vi.restoreAllMocks();
    vi.unstubAllEnvs();
    rmSync(root, { recursive: true, force: true });
  });

  const looked = async (dir?: string): Promise<string> => {
    try {
      await loadDataset('cifar10', { split: 'test', ...(dir === undefined ? {} : { dir }) });
    } catch (error) {
      return (error as UserError).message;
    }
    return 'found';
  };

  test('the folder given and no other; else THRIVE_DATA, then ./data', async () => {
    vi.stubEnv('THRIVE_DATA', '');
    expect(await looked('/given')).toMatch(/in \/given\/cifar-10-batches-bin, \/given$/);
    expect(await looked()).toContain(`in ${join(root, 'data/cifar-10-batches-bin')}, ${join(root, 'data')}`);
    vi.stubEnv('THRIVE_DATA', '/from/env');
    expect(await looked()).toMatch(/in \/from\/env\/cifar-10-batches-bin, \/from\/env, .*data\/cifar-10-batches-bin/);
    expect(await looked('/given')).not.toContain('/from/env');
  });

  test('THRIVE_DATA is where it is found', async () => {
    const folder = join(root, 'elsewhere', 'cifar-10-batches-bin');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'test_batch.bin'), Buffer.alloc(30_730_000));
    vi.stubEnv('THRIVE_DATA', join(root, 'elsewhere'));
    expect(await looked()).toBe('found');
    expect(datasetInfo('cifar10').folder('test')).toBe(folder);
  });
});

const real = dataDir();
test.skipIf(!real)(
  `CIFAR-100's mean and deviation are those of its images${because(real, 'cifar-100-binary')}`,
  async () => {
    const { images } = await loadDataset('cifar100', { split: 'train', dir: real! });
    const { mean, std } = DATASETS.cifar100!;
    for (let c = 0; c < 3; c++) {
      let sum = 0;
      let squares = 0;
      for (let start = c * 1024; start < images.length; start += 3072) {
        for (let i = start; i < start + 1024; i++) {
          sum += images[i]!;
          squares += images[i]! * images[i]!;
        }
      }
      const n = images.length / 3;
      expect(sum / n / 255).toBeCloseTo(mean[c]!, 3);
      expect(Math.sqrt(squares / n - (sum / n) ** 2) / 255).toBeCloseTo(std[c]!, 3);
    }
  },
);
