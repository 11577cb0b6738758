import { afterEach, describe, expect, test } from 'vitest';
import { Linear, Module, SGD } from '../nn/index.ts';
import { memory, noGrad, type Tensor, tensor, tidy, zeros } from '../torch/index.ts';
import { DivergedError, trainStep } from './step.ts';
import { type Batch, supervised, type Task } from './task.ts';

/** Two pixels in, three classes out: small enough to work out by hand. */
class Tiny extends Module {
  readonly fc = new Linear(2, 3);
  forward(images: Tensor): Tensor {
    return tidy(() => this.fc.forward(images.view([-1, 2])));
  }
}

function made() {
  const student = new Tiny();
  noGrad(() =>
    tidy(() => {
      student.fc.weight.copy_(
        tensor([
          [0.5, -0.25],
          [0.1, 0.2],
          [0, 1],
        ]),
      );
      student.fc.bias!.zero_();
    }),
  );
  const optimizer = new SGD(student.namedParameters(), { lr: 99 });
  const batch: Batch = {
    x: tensor([
      [1, 2],
      [3, -1],
    ]),
    images: zeros([2, 3, 1, 1], { dtype: 'uint8' }),
    labels: tensor([2, 1]).to('int64'),
    index: Int32Array.of(5, 9),
    epoch: 0,
    step: 0,
  };
  return { student, optimizer, batch };
}
const run = { lr: 0.5, precision: 'fp32', device: 'cpu' } as const;
const inScope = <T>(fn: (things: ReturnType<typeof made>) => T): T => {
  return tidy(() => {
    const things = made();
    try {
      return fn(things);
    } finally {
      things.student.dispose();
      things.optimizer.dispose();
    }
  });
};
afterEach(() => expect(memory().tensors).toBe(0));

const softmax = (row: number[]): number[] => {
  const exp = row.map(Math.exp);
  const sum = exp.reduce((a, b) => a + b);
  return exp.map((value) => value / sum);
};

describe('a step', () => {
  test('measures before it updates, and updates by the rate it was given', () => {
    inScope(({ student, optimizer, batch }) => {
      const x = [
        [1, 2],
        [3, -1],
      ];
      const w = [
        [0.5, -0.25],
        [0.1, 0.2],
        [0, 1],
      ];
      const labels = [2, 1];
      const p = x.map((row) => softmax(w.map((weights) => weights[0]! * row[0]! + weights[1]! * row[1]!)));
      const expectedLoss = -(Math.log(p[0]![2]!) + Math.log(p[1]![1]!)) / 2;
      const { loss, terms, correct, samples, measures } = trainStep(student, supervised(), batch, optimizer, run);
      expect(loss).toBeCloseTo(expectedLoss, 5);
      expect(terms).toEqual({ ce: loss });
      // Logits are [0, 0.5, 2] and [1.75, 0.1, -1]: the first is right, the second is not.
      expect([correct, samples, measures]).toEqual([1, 2, {}]);
      // d CE / d w = mean over the batch of (p - onehot) x
      const updated = w.map((weights, c) =>
        weights.map(
          (weight, k) =>
            weight - 0.5 * x.reduce((sum, row, i) => sum + ((p[i]![c]! - (labels[i] === c ? 1 : 0)) * row[k]!) / 2, 0),
        ),
      );
      expect(student.fc.weight).toBeAllclose(updated, { atol: 1e-6 });
      expect(student.fc.weight.grad).toBeNull();
      expect(optimizer.steps).toBe(1);
    });
  });

  test('adds terms by their weights, and reports them before', () => {
    inScope(({ student, optimizer, batch }) => {
      const task: Task = {
        step: ({ x }, forward) => ({
          logits: forward(x),
          terms: {
            a: { value: student.fc.bias!.sum().add(3), weight: 0.5 },
            b: { value: tensor(4).requiresGrad_().mul(1), weight: 2 },
          },
          measures: { seen: 7 },
        }),
      };
      const { loss, terms, measures } = trainStep(student, task, batch, optimizer, run);
      expect([loss, terms, measures]).toEqual([9.5, { a: 3, b: 4 }, { seen: 7 }]);
      expect(student.fc.bias).toBeAllclose([-0.25, -0.25, -0.25]);
    });
  });

  test('a term of weight 0 does no harm, whatever it is', () => {
    inScope(({ student, optimizer, batch }) => {
      const task: Task = {
        step: ({ x }, forward) => ({
          logits: forward(x),
          terms: {
            good: { value: student.fc.bias!.sum(), weight: 1 },
            bad: { value: student.fc.weight.sum().mul(Number.NaN), weight: 0 },
          },
        }),
      };
      const { loss, terms } = trainStep(student, task, batch, optimizer, run);
      expect([loss, terms]).toEqual([0, { good: 0, bad: Number.NaN }]);
      expect(student.fc.weight.isfinite().all().item()).toBe(1);
    });
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY])('a loss of %d stops before the weights take it up', (value) => {
    inScope(({ student, optimizer, batch }) => {
      const before = student.fc.weight.toArray();
      const task: Task = {
        step: ({ x }, forward) => ({
          logits: forward(x),
          terms: {
            ce: { value: student.fc.bias!.sum(), weight: 1 },
            kl: { value: student.fc.weight.sum().mul(0).add(value), weight: 1 },
          },
        }),
      };
      const step = (): unknown => trainStep(student, task, batch, optimizer, run);
      expect(step).toThrow(`the loss is not finite: kl (ce 0, kl ${value})`);
      expect(step).toThrow(DivergedError);
      expect(student.fc.weight.toArray()).toEqual(before);
      expect(optimizer.steps).toBe(0);
    });
  });
});
