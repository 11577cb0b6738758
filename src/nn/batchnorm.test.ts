import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fillerTensor, fillModule } from '../../test/filler.ts';
import { noGrad, ones, tensor, tidy, zeros } from '../torch/index.ts';
import { BatchNorm2d } from './index.ts';

/** The textbook in float64: statistics of each channel of row-major [N, C, H, W] values. */
function channelStatistics(values: Float64Array, [n, c, h, w]: number[]) {
  const count = n! * h! * w!;
  return Array.from({ length: c! }, (_, channel) => {
    const own: number[] = [];
    for (let i = 0; i < n!; i++) {
      const start = (i * c! + channel) * h! * w!;
      own.push(...values.subarray(start, start + h! * w!));
    }
    const mean = own.reduce((a, b) => a + b, 0) / count;
    const squares = own.reduce((sum, x) => sum + (x - mean) ** 2, 0);
    return { mean, biased: squares / count, unbiased: squares / (count - 1) };
  });
}

const shapes = fc.tuple(
  fc.integer({ min: 2, max: 5 }),
  fc.integer({ min: 1, max: 6 }),
  fc.integer({ min: 1, max: 4 }),
  fc.integer({ min: 1, max: 4 }),
);

test('training: normalises by the batch, moves the running statistics by the momentum', () => {
  fc.assert(
    fc.property(shapes, fc.double({ min: 0, max: 1, noNaN: true }), fc.integer(), (shape, momentum, salt) => {
      tidy(() => {
        using norm = fillModule(new BatchNorm2d(shape[1], { momentum }), 'p.');
        const [mean0, var0] = [norm.running_mean.toFloat64Array(), norm.running_var.toFloat64Array()];
        const input = fillerTensor(`x${salt}`, shape);
        const values = input.toFloat64Array();
        const statistics = channelStatistics(values, shape);
        const [gamma, beta] = [norm.weight.toFloat64Array(), norm.bias.toFloat64Array()];
        const area = shape[2] * shape[3];
        const expected = values.map((x, i) => {
          const c = Math.floor(i / area) % shape[1];
          const { mean, biased } = statistics[c]!;
          return ((x - mean) / Math.sqrt(biased + 1e-5)) * gamma[c]! + beta[c]!;
        });
        const output = norm.forward(input);
        expect(output.toFloat64Array()).toBeAllclose(expected, { rtol: 1e-4, atol: 1e-4 });
        expect(norm.running_mean.toFloat64Array()).toBeAllclose(
          statistics.map((s, c) => (1 - momentum) * mean0[c]! + momentum * s.mean),
          { rtol: 1e-5, atol: 1e-6 },
        );
        expect(norm.running_var.toFloat64Array()).toBeAllclose(
          statistics.map((s, c) => (1 - momentum) * var0[c]! + momentum * s.unbiased),
          { rtol: 1e-5, atol: 1e-6 },
        );
        expect(norm.num_batches_tracked.item()).toBe(1);
      });
    }),
    { numRuns: 30 },
  );
});

test('evaluation: normalises by the running statistics and changes nothing', () =>
  tidy(() => {
    using norm = fillModule(new BatchNorm2d(3)).eval();
    const state = [...norm.stateDict().values()].map((t) => t.toFloat64Array());
    const [gamma, beta, mean, variance] = state as [Float64Array, Float64Array, Float64Array, Float64Array];
    const input = fillerTensor('x', [2, 3, 2, 2]);
    const expected = input.toFloat64Array().map((x, i) => {
      const c = Math.floor(i / 4) % 3;
      return ((x - mean[c]!) / Math.sqrt(variance[c]! + 1e-5)) * gamma[c]! + beta[c]!;
    });
    expect(norm.forward(input).toFloat64Array()).toBeAllclose(expected, { rtol: 1e-5, atol: 1e-6 });
    // One value a channel is no problem here.
    expect(norm.forward(ones([1, 3, 1, 1])).shape).toEqual([1, 3, 1, 1]);
    expect([...norm.stateDict().values()].map((t) => t.toFloat64Array())).toEqual(state);
  }));

test('with ReLU and with a residual it is the plain sum of its parts', () =>
  tidy(() => {
    using norm = fillModule(new BatchNorm2d(4)).eval();
    const input = fillerTensor('x', [2, 4, 3, 3]);
    const residual = fillerTensor('r', [2, 4, 3, 3]);
    const before = [input.toFloat64Array(), residual.toFloat64Array()];
    const plain = norm.forward(input);
    expect(norm.forwardRelu(input)).toBeAllclose(plain.relu(), { rtol: 0, atol: 0 });
    expect(norm.forwardAdd(input, residual)).toBeAllclose(plain.add(residual), { rtol: 0, atol: 0 });
    expect([input.toFloat64Array(), residual.toFloat64Array()]).toEqual(before);
  }));

test('a running mean of many batches approaches the mean of the data', () => {
  using norm = new BatchNorm2d(1);
  for (let i = 0; i < 200; i++) tidy(() => void norm.forward(noGrad(() => fillerTensor(`b${i}`, [8, 1, 4, 4]).add(3))));
  expect(norm.running_mean.item()).toBeCloseTo(3, 1);
  expect(norm.running_var.item()).toBeCloseTo(1, 1);
  expect(norm.num_batches_tracked.item()).toBe(200);
});

test('one value a channel cannot be normalised in training, and does not spoil the running statistics', () =>
  tidy(() => {
    using norm = new BatchNorm2d(3);
    expect(() => norm.forward(zeros([1, 3, 1, 1]))).toThrow(
      'batch norm in training needs more than one value a channel, got an input [1, 3, 1, 1]',
    );
    expect(norm.running_var.toArray()).toEqual([1, 1, 1]);
    expect(norm.num_batches_tracked.item()).toBe(0);
    expect(norm.forward(zeros([1, 3, 1, 2])).shape).toEqual([1, 3, 1, 2]);
  }));

test('wrong channels are an error that names both numbers', () =>
  tidy(() => {
    using norm = new BatchNorm2d(3);
    expect(() => norm.forward(tensor([[[[1, 2]], [[3, 4]]]]))).toThrow(/2.*3|3.*2/s);
  }));
