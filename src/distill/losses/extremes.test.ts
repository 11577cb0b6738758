/** Zeros, equal numbers, and numbers far apart: what the losses divide by, and what rounding leaves. */
import { describe, expect, test } from 'vitest';
import { contextOf } from '../../../test/losses.ts';
import { grad, type Tensor, tensor, tidy } from '../../torch/index.ts';
import { attentionMap } from './at.ts';
import { decoupledTerms } from './dkd.ts';
import { centred, unit } from './functions.ts';
import { createLoss } from './index.ts';
import { neighbourhood } from './pkt.ts';
import { standardize } from './standardize.ts';

const rows = (values: number[][], dtype: 'float32' | 'float64' = 'float64'): Tensor =>
  tensor(values.flat(), { shape: [values.length, values[0]!.length], dtype });
const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

/** The gradient of a weighted sum of what `fn` makes of x. */
function gradientOf(fn: (x: Tensor) => Tensor, x: Tensor): Tensor {
  const y = fn(x.requiresGrad_());
  const weights = tensor(
    Float64Array.from({ length: y.shape.reduce((a, b) => a * b, 1) }, (_, i) => 1 + i),
    { shape: [...y.shape], dtype: 'float64' },
  ).to(x.dtype);
  return grad([y.mul(weights).sum()], [x])[0]!;
}

describe('vectors of length 1', () => {
  test('one shorter than eps is divided by eps, as torch’s normalize does', () => {
    tidy(() => {
      expect(unit(rows([[3e-13, 4e-13]]), 1)).toBeAllclose([[0.3, 0.4]], { rtol: 1e-12 });
      expect(gradientOf((x) => unit(x, 1), rows([[3e-13, 4e-13]]))).toBeAllclose([[1e12, 2e12]], { rtol: 1e-12 });
    });
  });

  test('one of zeros has no gradient', () => {
    tidy(() => {
      const zeros = rows([[0, 0, 0]]);
      expect(unit(zeros, 1)).toBeAllclose([[0, 0, 0]]);
      expect(gradientOf((x) => unit(x, 1), zeros)).toBeAllclose([[0, 0, 0]]);
    });
  });
});

test('equal numbers differ from their mean by exactly 0, and small differences survive', () => {
  tidy(() => {
    const x = rows([Array(100).fill(3.3), Array.from({ length: 100 }, (_, i) => 3.3 + 1e-4 * (i % 2))], 'float32');
    const [equal, close] = [0, 1].map((row) => centred(x).select(0, row).abs().amax().item());
    expect(equal).toBe(0);
    expect(close).toBeCloseTo(5e-5, 6);
  });
});

test('dist: a class hardly anyone expects counts by its spread over 1e-8', () => {
  tidy(() => {
    const [s, t] = [
      [
        [0, 1, -18.7],
        [0.5, 0, -20],
        [1, 0.2, -19],
      ],
      [
        [0.3, 1, 0],
        [0.5, -1, 0.2],
        [1, 0.6, -2],
      ],
    ] as [number[][], number[][]];
    const softmax = (row: number[]): number[] => row.map((x) => Math.exp(x) / sum(row.map(Math.exp)));
    const column = (m: number[][], c: number): number[] => m.map((row) => softmax(row)[c]!);
    const direction = (v: number[]): number[] => {
      const differences = v.map((x) => x - sum(v) / v.length);
      const length = Math.hypot(...differences);
      return differences.map((x) => x / Math.max(length, 1e-8));
    };
    const r = [0, 1, 2].map((c) => {
      const [a, b] = [direction(column(s, c)), direction(column(t, c))];
      return sum(a.map((x, i) => x * b[i]!));
    });
    expect(Math.abs(r[2]!)).toBeGreaterThan(0.01);
    const loss = createLoss(
      'dist',
      contextOf([[1, 1, 1], [1, 1, 1], [1]], [[1, 1, 1], [1, 1, 1], [1]], { classes: 3 }),
    );
    const found = loss.terms({
      student: { logits: rows(s), taps: [] },
      teacher: { logits: rows(t), taps: [] },
      labels: tensor(Int32Array.of(0, 1, 2), { dtype: 'int64' }),
      epoch: 0,
      step: 0,
      seed: 0,
      phase: 'train',
    });
    expect(found.intra!).toBeAllclose(1 - sum(r) / 3, { rtol: 1e-9 });
  });
});

test('dkd: adding 1024 to all logits changes nothing', () => {
  tidy(() => {
    // Multiples of 1/64: exact in float32 with 1024 added.
    const logits = (seed: number): number[][] =>
      [0, 1, 2].map((b) => Array.from({ length: 10 }, (_, c) => (((c + 3 * b + seed) * 37) % 101) / 64));
    const labels = tensor(Int32Array.of(3, 5, 7), { dtype: 'int64' });
    const terms = (shift: number): number[] => {
      const [s, t] = [1, 4].map((seed) => rows(logits(seed), 'float32').add(shift)) as [Tensor, Tensor];
      return Object.values(decoupledTerms(s, t, labels, 1)).map((term) => term.item());
    };
    expect(terms(1024)).toBeAllclose(terms(0), { rtol: 1e-6 });
  });
});

describe('standardised logits', () => {
  test('1e-7 is added to the standard deviation, however small that is', () => {
    tidy(() => {
      const z = standardize(rows([[-1e-8, 0, 1e-8]]));
      expect(z).toBeAllclose([[-1e-8 / 1.1e-7, 0, 1e-8 / 1.1e-7]], { rtol: 1e-9 });
    });
  });

  test('equal logits become 0 without gradient', () => {
    tidy(() => {
      const x = rows([Array(10).fill(3.3)], 'float32');
      expect(standardize(x).abs().amax().item()).toBe(0);
      expect(gradientOf(standardize, x).abs().amax().item()).toBe(0);
    });
  });
});

test('pkt: a vector of zeros is as far from all, without gradient', () => {
  tidy(() => {
    const x = rows([
      [0, 0],
      [1, 2],
      [2, -1],
    ]);
    expect(neighbourhood(x).select(0, 0)).toBeAllclose([1 / 3, 1 / 3, 1 / 3], { rtol: 1e-9 });
    const gradient = gradientOf(neighbourhood, x);
    expect(gradient.select(0, 0)).toBeAllclose([0, 0]);
    expect(gradient.select(0, 1).abs().amax().item()).toBeGreaterThan(0);
  });
});

test('at: zeros have a finite gradient at a power below 1', () => {
  tidy(() => {
    const f = tensor(Float64Array.of(0, 4, 1, 9), { shape: [1, 1, 2, 2], dtype: 'float64' });
    expect(attentionMap(f, 0.5)).toBeAllclose([[0, 2, 1, 3].map((x) => x / Math.sqrt(14))], { rtol: 1e-9 });
    expect(
      gradientOf((x) => attentionMap(x, 0.5), f)
        .isfinite()
        .all()
        .item(),
    ).toBe(1);
  });
});

describe('kdsvd: more vectors than a stage of the teacher has', () => {
  const taps = (last: number): number[][] => [[3, 4, 4], [5, 4, 4], [6, last, last], [6]];
  const make = (teacher: number[][], k: number) => () =>
    createLoss('kdsvd', contextOf(taps(4), teacher), { options: { k } }).dispose();

  test('is refused, naming the stage', () => {
    expect(make(taps(2), 5)).toThrow(
      "kdsvd cannot take 5 singular vectors of each stage: the teacher's stage2 (resnet56: [6, 2, 2]) has 4",
    );
    expect(make(taps(2), 4)).not.toThrow();
  });

  test('is not, where all are alike short or one has a single vector', () => {
    expect(make(taps(4), 50)).toThrow();
    expect(make([[3, 4, 4], [5, 2, 2], [6, 2, 2], [6]], 50)).not.toThrow();
    expect(make(taps(1), 5)).not.toThrow();
  });
});
