import { expect, test } from 'vitest';
import { batchSizesOf } from './batch-sizes.ts';

const config = { batchSize: 64, holdout: 0 };
const count = { train: 50_000, test: 10_000 };

test('a full batch, the last one, and both of the evaluation', () => {
  expect(batchSizesOf(config, count)).toEqual([64, 16, 128]);
  expect(batchSizesOf({ ...config, limitTest: 1000 }, count)).toEqual([64, 16, 128, 104]);
  expect(batchSizesOf({ ...config, limitTrain: 640, limitTest: 100 }, count)).toEqual([64, 100]);
  expect(batchSizesOf({ ...config, limitTrain: 10, limitTest: 10 }, count)).toEqual([10]);
});

test('a pool of views where it picks', () => {
  expect(batchSizesOf({ ...config, pickFactor: 2 }, count)).toEqual([64, 16, 128, 32]);
});

test('of data of unknown size, or held out by class, some', () => {
  expect(batchSizesOf(config, undefined)).toEqual([64, 7, 128, 1]);
  expect(batchSizesOf({ ...config, holdout: 0.1 }, count)).toEqual([64, 7, 128, 16]);
});
