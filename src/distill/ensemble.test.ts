import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { expectNoLeak as leaves } from '../../test/torch.ts';
import { type Tensor, tensor, tidy, zeros } from '../torch/index.ts';
import { Ensemble } from './ensemble.ts';
import { klDivergence } from './kl.ts';
import type { TeacherModel } from './teacher.ts';

const says = (rows: number[][]): TeacherModel & { disposed: boolean } => ({
  classes: rows[0]!.length,
  disposed: false,
  logits: () => tensor(rows.flat(), { shape: [rows.length, rows[0]!.length] }),
  dispose() {
    this.disposed = true;
  },
});

const expectNoLeak = (run: () => void): void => leaves(() => tidy(run));

const softmax = (row: readonly number[], t: number): number[] => {
  const most = Math.max(...row);
  const exps = row.map((value) => Math.exp((value - most) / t));
  const sum = exps.reduce((a, b) => a + b, 0);
  return exps.map((value) => value / sum);
};

const rows = fc.array(fc.array(fc.double({ min: -30, max: 30, noNaN: true }), { minLength: 3, maxLength: 3 }), {
  minLength: 2,
  maxLength: 2,
});
const images = (): Tensor => zeros([2, 3, 1, 1]);

describe('an ensemble', () => {
  test('of probabilities: the softmax of its logits at T is the weighted mean of the softened softmaxes', () => {
    fc.assert(
      fc.property(
        rows,
        rows,
        fc.double({ min: 0.1, max: 9, noNaN: true }),
        fc.double({ min: 1, max: 8, noNaN: true }),
        (a, b, weight, t) => {
          expectNoLeak(() => {
            const both = new Ensemble(
              [
                { teacher: says(a), weight },
                { teacher: says(b), weight: 1 },
              ],
              'probabilities',
              t,
            );
            const got = both.logits(images()).div(t).toArray() as number[][];
            for (const [i, row] of got.entries()) {
              const [p, q] = [softmax(a[i]!, t), softmax(b[i]!, t)];
              const mean = p.map((value, c) => (weight * value + q[c]!) / (weight + 1));
              for (const [c, value] of softmax(row, 1).entries()) expect(value).toBeCloseTo(mean[c]!, 5);
            }
          });
        },
      ),
      { numRuns: 40 },
    );
  });

  test('of logits: their weighted mean', () => {
    const both = new Ensemble(
      [
        { teacher: says([[3, 0, 0]]), weight: 2 },
        { teacher: says([[0, 6, 0]]), weight: 1 },
      ],
      'logits',
      4,
    );
    expectNoLeak(() => expect(both.logits(images()).toArray()).toEqual([[2, 2, 0]]));
  });

  test('a student that says the mean has no KL left', () => {
    expectNoLeak(() => {
      const both = new Ensemble(
        [
          { teacher: says([[5, 1, -2]]), weight: 1 },
          { teacher: says([[-3, 2, 4]]), weight: 1 },
        ],
        'probabilities',
        4,
      );
      const mean = softmax([5, 1, -2], 4).map((p, i) => (p + softmax([-3, 2, 4], 4)[i]!) / 2);
      const student = tensor(
        mean.map((p) => 4 * Math.log(p) + 7),
        { shape: [1, 3] },
      );
      expect(klDivergence(student, both.logits(images()), 4).item()).toBeCloseTo(0, 5);
    });
  });

  test('refuses teachers of other classes, and weights that are no shares', () => {
    const member = (rows: number[][], weight = 1) => ({ teacher: says(rows), weight });
    expect(() => new Ensemble([member([[1, 2]]), member([[1, 2, 3]])], 'logits', 4)).toThrow(
      'teachers of 2 and of 3 classes do not go together',
    );
    for (const weight of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => new Ensemble([member([[1, 2]]), member([[1, 2]], weight)], 'logits', 4)).toThrow(
        /must be a number > 0/,
      );
    }
  });

  test('disposes its members', () => {
    const [a, b] = [says([[1, 2]]), says([[1, 2]])];
    new Ensemble(
      [a, b].map((teacher) => ({ teacher, weight: 1 })),
      'logits',
      4,
    ).dispose();
    expect([a.disposed, b.disposed]).toEqual([true, true]);
  });
});
