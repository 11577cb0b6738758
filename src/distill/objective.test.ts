import { describe, expect, test } from 'vitest';
import { expectNoLeak, gradcheck } from '../../test/torch.ts';
import { type Tensor, tensor, tidy } from '../torch/index.ts';
import { crossEntropy, klDivergence } from './kl.ts';
import { kdTerms, totalLoss } from './objective.ts';

const student = [
  [1, -2, 0.5],
  [0.1, 0.2, -3],
];
const teacher = [
  [2, 0, -1],
  [-0.5, 1.5, 0.3],
];

const softmax = (row: number[], t: number): number[] => {
  const e = row.map((v) => Math.exp(v / t));
  const sum = e.reduce((a, b) => a + b);
  return e.map((v) => v / sum);
};

/** The definition in float64: T^2 / B * sum p_t log(p_t / p_s). */
const klByHand = (t: number): number =>
  ((t * t) / student.length) *
  student
    .map((row, i) => {
      const p = softmax(teacher[i]!, t);
      const q = softmax(row, t);
      return p.reduce((sum, value, c) => sum + value * Math.log(value / q[c]!), 0);
    })
    .reduce((a, b) => a + b);

const float64 = (values: number[][]): Tensor => tensor(values, { dtype: 'float64' });

describe('KL divergence', () => {
  test.each([1, 4, 20])('equals its definition at temperature %i', (t) => {
    tidy(() => {
      expect(klDivergence(float64(student), float64(teacher), t).item()).toBeCloseTo(klByHand(t), 12);
    });
  });

  test('has the right gradient, and none for the teacher', () => {
    tidy(() => {
      const target = float64(teacher).requiresGrad_();
      const s = float64(student).requiresGrad_();
      gradcheck((x) => klDivergence(x, target, 4), [s]);
      klDivergence(s, target, 4).backward();
      expect(target.grad).toBeNull();
      expect(s.grad).not.toBeNull();
    });
  });

  test('stays finite where probabilities underflow', () => {
    tidy(() => {
      const s = tensor([[1000, -1000, 0]]).requiresGrad_();
      const loss = klDivergence(s, tensor([[-1000, 1000, 0]]), 1);
      loss.backward();
      expect(loss.item()).toBeCloseTo(2000, 1);
      expect(s.grad!.isfinite().all().item()).toBe(1);
    });
  });
});

describe('objective', () => {
  const labels = (): Tensor => tensor(Int32Array.of(2, 0), { dtype: 'int64' });

  test('is gamma CE + alpha KL, and adds alpha KL of the second view', () => {
    tidy(() => {
      const view = { student: float64(student), teacher: float64(teacher) };
      const options = { gamma: 0.1, alpha: 0.9, temperature: 4 };
      const ce = crossEntropy(view.student, labels()).item();
      const byHand = -(Math.log(softmax(student[0]!, 1)[2]!) + Math.log(softmax(student[1]!, 1)[0]!)) / 2;
      expect(ce).toBeCloseTo(byHand, 12);
      expect(totalLoss(kdTerms(view, labels(), options)).item()).toBeCloseTo(0.1 * ce + 0.9 * klByHand(4), 12);
      const both = kdTerms(view, labels(), options, view);
      expect(Object.keys(both)).toEqual(['ce', 'kl', 'kl_strong']);
      expect(totalLoss(both).item()).toBeCloseTo(0.1 * ce + 1.8 * klByHand(4), 12);
    });
  });

  test('a term of weight 0 cannot spoil the total', () => {
    tidy(() => {
      const total = totalLoss({ a: { value: tensor(2), weight: 0.5 }, b: { value: tensor(Number.NaN), weight: 0 } });
      expect(total.item()).toBe(1);
      expect(() => totalLoss({ a: { value: tensor(2), weight: 0 } })).toThrow(/weight 0/);
    });
  });

  test('leaves no tensor behind', () => {
    const view = { student: float64(student), teacher: float64(teacher) };
    const y = labels();
    expectNoLeak(() => {
      tidy(() => {
        totalLoss(kdTerms(view, y, { gamma: 0.1, alpha: 0.9, temperature: 4 }, view));
      });
    });
    for (const t of [view.student, view.teacher, y]) t.dispose();
  });
});
