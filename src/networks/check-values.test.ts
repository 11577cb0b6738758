import { expect, test } from 'vitest';
import { expectNoLeak } from '../../test/torch.ts';
import type { StoredTensor } from '../formats/index.ts';
import { tensor, tidy } from '../torch/index.ts';
import { checkValues } from './check-values.ts';

const stored = (values: number[], dtype: StoredTensor['dtype']): StoredTensor =>
  tidy(() => ({ dtype, shape: [values.length], data: tensor(values).to(dtype).bytes() }));
const check = (name: string, value: StoredTensor, dtype = 'float32'): void =>
  checkValues(new Map([[name, value]]), new Map([[name, { dtype, shape: value.shape }]]), 'x.pth');

test.each(['float64', 'float32', 'float16', 'bfloat16'] as const)('%s passes', (dtype) => {
  check('fc.weight', stored([1, -2], dtype));
  check('bn1.running_var', stored([0, 2], dtype));
});

test.each(['int64', 'int32', 'int16', 'int8', 'uint8', 'bool'] as const)('%s is no weight', (dtype) => {
  expect(() => check('fc.weight', stored([1, 0], dtype))).toThrow(
    `x.pth: fc.weight is ${dtype} [2]; weights are floating point: float32, float16, bfloat16 or float64`,
  );
});

test('values that are not finite, or that float32 cannot hold', () => {
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    expect(() => check('b', stored([0, bad], 'float32'))).toThrow(
      'x.pth: b holds values that are not finite (float32)',
    );
  }
  const large = { dtype: 'float64' as const, shape: [1], data: new Uint8Array(Float64Array.of(1e200).buffer) };
  expect(() => check('b', large)).toThrow('b holds values that are not finite (float64)');
});

test('a variance below 0; a mean below 0 is one', () => {
  expect(() => check('layer1.0.bn1.running_var', stored([1, -1e-6], 'float32'))).toThrow(
    'layer1.0.bn1.running_var holds a variance below 0',
  );
  check('layer1.0.bn1.running_mean', stored([1, -1], 'float32'));
});

test('a batch counter is a whole number, of any dtype but bool', () => {
  check('bn.num_batches_tracked', stored([3], 'int64'), 'int64');
  check('bn.num_batches_tracked', stored([3], 'float32'), 'int64');
  for (const bad of [stored([-1], 'int64'), stored([0.5], 'float32'), stored([1], 'bool')]) {
    expect(() => check('bn.num_batches_tracked', bad, 'int64')).toThrow(/num_batches_tracked is .*whole number/);
  }
});

test('nothing is left behind, refused or not', () => {
  expectNoLeak(() => {
    check('fc.weight', stored([1, -2], 'float32'));
    expect(() => check('fc.weight', stored([1, Number.NaN], 'float32'))).toThrow();
  });
});
