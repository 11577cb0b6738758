import { describe, expect, test } from 'vitest';
import { expectNoLeak } from '../../test/torch.ts';
import { createEmptyModel } from '../models/index.ts';
import { checkLastBatch } from './last-batch.ts';

const check = (name: string, count: number, batchSize: number, imageSize = 32): void => {
  using model = createEmptyModel(name, { classes: 10, imageSize });
  checkLastBatch(model, { count, batchSize, imageSize, device: 'cpu' });
};

describe('a last batch of one', () => {
  test.each([
    [257, 64],
    [257, 256],
    [1, 64],
    [10, 1],
  ])('%i images in batches of %i are refused where a map is 1x1', (count, batchSize) => {
    expect(() => check('resnet18', count, batchSize)).toThrow(
      `${count} images in batches of ${batchSize} leave a batch of one, and batch norm in training needs more than one value`,
    );
  });

  test.each([
    ['resnet18', 256, 64, 32],
    ['resnet18', 258, 64, 32],
    ['resnet18', 257, 64, 64],
    ['resnet8', 257, 64, 32],
  ])('%s takes %i images in batches of %i at %i pixels', (name, count, batchSize, imageSize) => {
    expect(() => check(name, count, batchSize, imageSize)).not.toThrow();
  });

  test('looking changes nothing and leaves nothing behind', () => {
    using model = createEmptyModel('resnet8', { classes: 10 });
    model.eval();
    const before = [...model.stateDict().values()].map((value) => value.toFloat64Array());
    expectNoLeak(() => checkLastBatch(model, { count: 1, batchSize: 4, imageSize: 32, device: 'cpu' }));
    expect([...model.stateDict().values()].map((value) => value.toFloat64Array())).toEqual(before);
    expect(model.training).toBe(false);
  });
});
