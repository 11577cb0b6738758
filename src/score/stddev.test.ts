import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { stream } from '../torch/random.ts';
import { bootstrapError, MeanProbabilities, meanStddev, type ProbabilitySums, probabilitySums } from './stddev.ts';

/** One-hot rows: what a teacher that is sure of everything says of images of these classes. */
const sure = (labels: ArrayLike<number>, classes: number): ProbabilitySums => {
  const sum = new Float64Array(classes);
  for (let i = 0; i < labels.length; i++) sum[labels[i]!]!++;
  return { rows: labels.length, sum, entropy: 0 };
};

describe('probabilitySums', () => {
  test('softmax and entropy of each row, summed', () => {
    // softmax([0, ln 3]) = [1/4, 3/4], softmax([5, 5]) = [1/2, 1/2]
    const { rows, sum, entropy } = probabilitySums([0, Math.log(3), 5, 5], 2);
    expect(rows).toBe(2);
    expect(sum).toBeAllclose([0.75, 1.25], { rtol: 1e-15 });
    const expected = 0.25 * Math.log(4) + 0.75 * Math.log(4 / 3) + Math.log(2);
    expect(entropy).toBeCloseTo(expected, 14);
  });

  test('a probability that underflows adds nothing; logits that are not finite are refused', () => {
    const { sum, entropy } = probabilitySums([0, -2000, 1e30, 0], 2);
    expect(Array.from(sum)).toEqual([2, 0]);
    expect(entropy).toBe(0);
    expect(() => probabilitySums([0, Number.NaN], 2)).toThrow(/not finite/);
    expect(() => probabilitySums([0, Number.POSITIVE_INFINITY], 2)).toThrow(/not finite/);
  });
});

describe('MeanProbabilities', () => {
  test('the mean over all rows of a group: batches of other sizes count by their rows', () => {
    const means = new MeanProbabilities(2, 2);
    means.add({ rows: 1, sum: Float64Array.of(1, 0), entropy: 0 }, { rows: 1, sum: Float64Array.of(0, 1), entropy: 0 });
    expect(means.vectors).toEqual([]);
    means.add({ rows: 4, sum: Float64Array.of(3, 1), entropy: 0 }, { rows: 2, sum: Float64Array.of(2, 0), entropy: 0 });
    expect(means.vectors).toEqual([Float64Array.of(6 / 8, 2 / 8)]);
    means.add({ rows: 1, sum: Float64Array.of(0, 1), entropy: 0 });
    expect(means.vectors.length).toBe(1); // half a group says nothing
    means.add({ rows: 1, sum: Float64Array.of(0, 1), entropy: 0 });
    expect(means.vectors[1]).toEqual(Float64Array.of(0, 1));
  });
});

describe('meanStddev', () => {
  test('n - 1, by class, then the mean over classes', () => {
    const vectors = [Float64Array.of(1, 10), Float64Array.of(2, 10), Float64Array.of(6, 10)];
    expect(meanStddev(vectors)).toBeCloseTo(Math.sqrt(7) / 2, 14);
    expect(meanStddev(vectors.slice(0, 1))).toBeNaN();
  });

  test('the whole figure against rows kept one by one', () => {
    const classes = 3;
    const [steps, group, batch] = [7, 3, 4];
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const random = stream(seed >>> 0, 'test');
        const means = new MeanProbabilities(classes, group);
        const rows: number[][] = [];
        for (let step = 0; step < steps; step++) {
          const logits = Array.from({ length: 2 * batch * classes }, () => random.normal(0, 3));
          const half = batch * classes;
          means.add(probabilitySums(logits.slice(0, half), classes), probabilitySums(logits.slice(half), classes));
          for (let r = 0; r < 2 * batch; r++) {
            const e = logits.slice(r * classes, (r + 1) * classes).map(Math.exp);
            rows.push(e.map((value) => value / (e[0]! + e[1]! + e[2]!)));
          }
        }
        const size = 2 * batch * group;
        const vectors = [0, 1].map((v) =>
          [0, 1, 2].map((c) => rows.slice(v * size, (v + 1) * size).reduce((sum, row) => sum + row[c]!, 0) / size),
        );
        const byClass = [0, 1, 2].map((c) => Math.abs(vectors[0]![c]! - vectors[1]![c]!) / Math.SQRT2);
        expect(meanStddev(means.vectors)).toBeCloseTo((byClass[0]! + byClass[1]! + byClass[2]!) / 3, 12);
      }),
      { numRuns: 30 },
    );
  });

  test.each([
    [100, 0.005562],
    [200, 0.003943],
  ])('a teacher that is sure, %i classes, x twice: sqrt((1/C)(1 - 1/C)/320)', (classes, printed) => {
    const law = Math.sqrt(((1 / classes) * (1 - 1 / classes)) / 320);
    expect(law).toBeCloseTo(printed, 6);
    const random = stream(11, 'test.sure');
    const means = new MeanProbabilities(classes, 5);
    const vectors = 600;
    for (let step = 0; step < 5 * vectors; step++) {
      const batch = sure(
        Array.from({ length: 64 }, () => random.int(classes)),
        classes,
      );
      means.add(batch, batch);
    }
    const found = meanStddev(means.vectors);
    // One class's deviation is good to 1/sqrt(2 (n - 1)) of itself, the mean of C of them to sqrt(C) better.
    const error = law / Math.sqrt(2 * (vectors - 1) * classes);
    expect(Math.abs(found - law)).toBeLessThan(4 * error);
    // x' of other images than x halves the variance.
    const apart = new MeanProbabilities(classes, 5);
    for (let step = 0; step < 5 * vectors; step++) {
      const draw = (): ProbabilitySums =>
        sure(
          Array.from({ length: 64 }, () => random.int(classes)),
          classes,
        );
      apart.add(draw(), draw());
    }
    expect(Math.abs(meanStddev(apart.vectors) - law / Math.SQRT2)).toBeLessThan(4 * error);
  });
});

describe('bootstrapError', () => {
  const vectors = Array.from({ length: 60 }, (_, i) => {
    const random = stream(3, 'test.vectors', i);
    return Float64Array.from({ length: 20 }, () => random.normal(5, 2));
  });

  test('is what resampling by hand gives', () => {
    const resamples = 40;
    const values = Array.from({ length: resamples }, (_, r) => {
      const random = stream(9, 'score.bootstrap', r);
      return meanStddev(vectors.map(() => vectors[random.int(vectors.length)]!));
    });
    const mean = values.reduce((a, b) => a + b) / resamples;
    const expected = Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / (resamples - 1));
    expect(bootstrapError(vectors, 9, resamples)).toBeCloseTo(expected, 12);
  });

  test('is the error that the theory has for normal numbers', () => {
    const theory = 2 / Math.sqrt(2 * 59 * 20);
    const found = bootstrapError(vectors, 0);
    expect(found).toBeGreaterThan(0.8 * theory);
    expect(found).toBeLessThan(1.2 * theory);
    expect(bootstrapError(vectors, 0)).toBe(found);
    expect(bootstrapError(vectors, 1)).not.toBe(found);
    expect(bootstrapError(vectors.slice(0, 1), 0)).toBeNaN();
  });
});
