/** @file Gradients in float64 against PyTorch's in float64; the large networks are in gradients.heavy.test.ts. */
import { expect, test } from 'vitest';
import { expectFloat64Gradients, float64Gradients, large } from '../../test/gradients.ts';
import { modelNames } from './index.ts';

test('there are values for every network', () => {
  expect(Object.keys(float64Gradients).sort()).toEqual([...modelNames].sort());
});

test.each(modelNames.filter((name) => !large.includes(name)))('%s', expectFloat64Gradients);
