import { describe, expect, test } from 'vitest';
import { UserError } from '../base/errors.ts';
import { checkContract, type RunModel } from './onnx-contract.ts';

const options = {
  classes: 4,
  imageSize: 8,
  normalization: { mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] },
  batchSizes: [64, 16, 100],
};
const pixels = 3 * 8 * 8;

/** Four sums over an image: logits of any size. */
function logitsOf(image: Float32Array): number[] {
  const sums = [0, 0, 0, 0];
  image.forEach((value, i) => {
    sums[i % 4]! += value * Math.sin(i);
  });
  return sums;
}
/** A model that does `change` to a batch's rows. */
const model =
  (change: (rows: number[][]) => number[][] = (rows) => rows): RunModel =>
  (values, shape) => {
    const rows = Array.from({ length: shape[0]! }, (_, i) => logitsOf(values.subarray(i * pixels, (i + 1) * pixels)));
    return { logits: Float32Array.from(change(rows).flat()), shape: [shape[0]!, 4] };
  };
const softmax = (row: number[]): number[] => {
  const exps = row.map((value) => Math.exp(value - Math.max(...row)));
  const sum = exps.reduce((a, b) => a + b);
  return exps.map((value) => value / sum);
};
const each = (change: (row: number[]) => number[]): RunModel => model((rows) => rows.map(change));

test('a model that gives logits passes, tried on every size', () => {
  const sizes: number[] = [];
  checkContract(
    'x.onnx',
    (values, shape) => {
      sizes.push(shape[0]!);
      return model()(values, shape);
    },
    options,
  );
  expect(new Set(sizes)).toEqual(new Set([64, 16, 100]));
});

test('rounding that depends on the batch passes', () => {
  checkContract(
    'x.onnx',
    model((rows) => rows.map((row) => row.map((v) => v * (1 + rows.length * 1e-7)))),
    options,
  );
});

describe.each([[[64, 16, 100]], [[64]], [[1, 2]], [[3, 1]]])('in batches of %j, refused', (batchSizes) => {
  const refusal = (run: RunModel): string => {
    try {
      checkContract('x.onnx', run, { ...options, batchSizes });
    } catch (error) {
      expect(error).toBeInstanceOf(UserError);
      return `${(error as UserError).message}\n${(error as UserError).hint}`;
    }
    throw new Error('it was accepted');
  };

  test('statistics of the batch, as batch norm in training takes them', () => {
    const centred = model((rows) =>
      rows.map((row) => row.map((value, c) => value - rows.reduce((sum, other) => sum + other[c]!, 0) / rows.length)),
    );
    // Alone in its batch, an image has no statistics but its own: everything is 0 then.
    expect(refusal(centred)).toMatch(/depend on the other images of its batch.*training mode.*\n.*model\.eval\(\)/);
  });

  test('chance', () => {
    let n = 0;
    const noisy = each((row) => row.map((value) => value + Math.sin(n++)));
    expect(refusal(noisy)).toMatch(/gives other logits for the same images each time/);
  });

  test.each<[string, (row: number[]) => number[], RegExp]>([
    ['softmax', softmax, /gives probabilities \(each row adds up to 1\).*\n.*without the softmax/],
    ['per cent', (row) => softmax(row).map((p) => 100 * p), /each row adds up to 100/],
    [
      'log-softmax',
      (row) => softmax(row).map((p) => Math.log(p + 1e-30)),
      /logarithms of probabilities.*\n.*log-softmax/,
    ],
    ['sigmoid', (row) => row.map((value) => 1 / (1 + Math.exp(-value))), /values from 0 to 1.*\n.*sigmoid/],
    ['NaN', () => [Number.NaN, 1, 2, 3], /gives NaN among its logits/],
    ['an overflow', ([a, b, c]) => [a!, b!, c!, Number.POSITIVE_INFINITY], /gives Infinity among its logits/],
  ])('%s', (_what, change, message) => {
    expect(refusal(each(change))).toMatch(message);
  });
});

test('a batch size baked in: the size that fails, the sizes needed, and how to export', () => {
  const baked: RunModel = (values, shape) => {
    if (shape[0] !== 64)
      throw new Error('[ONNXRuntimeError] : 2 : reshape_helper.h:40 input_shape_size == size was false');
    return model()(values, shape);
  };
  try {
    checkContract('x.onnx', baked, options);
    expect.fail('it was accepted');
  } catch (error) {
    expect((error as UserError).message).toBe(
      'x.onnx fails on a batch of 16 images; a teacher here is given batches of 64, 16, 100',
    );
    expect((error as UserError).hint).toMatch(/dynamic_axes=/);
  }
  checkContract('x.onnx', baked, { ...options, batchSizes: [64] });
});
