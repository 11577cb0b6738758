import { describe, expect, test } from 'vitest';
import { golden, type Measured, measureReference, type Pair, referenceInput, worst } from '../../../test/losses.ts';
import { grad, ops, type Tensor, tidy } from '../../torch/index.ts';
import type { DistillLoss } from './loss.ts';
import { batchCorrelation, classCorrelation } from './mlkd.ts';
import { GaussianRegressor } from './vid.ts';

interface Case {
  pair: Pair | 'logits';
  loss: number;
  terms: number[] | null;
  grad_l2: (number | null)[];
}
interface LossFile {
  losses: Record<string, Case[]>;
}
const file = golden<LossFile>('losses.json');

function compare(name: string, got: Measured, expected: Case, tolerance: number): void {
  const gradients = expected.pair === 'logits' ? [got.logits] : got.taps;
  const errors = {
    value: worst([got.loss], [expected.loss]),
    terms: expected.terms ? worst(Object.values(got.terms), expected.terms) : 0,
    gradients: worst(gradients, expected.grad_l2),
  };
  for (const [what, error] of Object.entries(errors)) expect(error, `${name}: ${what}`).toBeLessThan(tolerance);
}

describe('equal to the reference values', () => {
  // VID's log_scale keeps its initial value.
  const keepScale = (loss: DistillLoss): void => {
    for (const [, module] of loss.modules.namedModules())
      if (module instanceof GaussianRegressor) module.resetParameters();
  };
  // Values of float32 singular values that lie 0.4 % apart: their differences carry an error of 1e-4.
  const tolerances: Record<string, number> = { kdsvd: 1e-3 };
  const cases: [key: string, loss: string, settings?: Parameters<typeof measureReference>[2]][] = [
    ['kd_T4', 'kd'],
    ['kd_T1', 'kd', { options: { temperature: 1 } }],
    ['kd_T20', 'kd', { options: { temperature: 20 } }],
    ['attention', 'at'],
    ['similarity', 'sp'],
    ['rkd', 'rkd'],
    ['pkt', 'pkt'],
    ['hint_layer2', 'fitnet'],
    ['correlation', 'cc'],
    ['vid', 'vid', { fill: keepScale }],
    ['nst', 'nst'],
    ['fsp', 'fsp', { phase: 'init' }],
    ['abound', 'ab', { phase: 'init' }],
    ['factor', 'ft'],
    ['kdsvd', 'kdsvd', { options: { signs: 'lapack' } }],
  ];
  for (const [key, loss, settings] of cases) {
    test(key, () => {
      for (const expected of file.losses[key]!) {
        const pair = expected.pair === 'logits' ? 'same' : expected.pair;
        compare(key, measureReference(loss, pair, settings), expected, tolerances[key] ?? 1e-4);
      }
    });
  }
});

interface ModernFile {
  values: { loss_name: string; settings: Record<string, number>; loss: number; grad_l2: number }[];
}
const modern = golden<ModernFile>('modern_losses.json');

describe('equal to the reference values after 2020', () => {
  /** The measured numbers of each entry: [loss, gradient norm]. */
  const entries: Record<string, (settings: Record<string, number>) => [number, number]> = {
    dkd: ({ alpha, beta, T }) => whole('dkd', { alpha, beta, temperature: T }),
    dist: ({ beta, gamma, tau }) => whole('dist', { beta, gamma, tau }),
    'kd with logit standardisation': ({ T }) => whole('lskd', { temperature: T }),
    'mlkd batch correlation': ({ T }) => level(batchCorrelation, T!),
    'mlkd class correlation': ({ T }) => level(classCorrelation, T!),
  };
  const whole = (name: string, options: Record<string, unknown>): [number, number] => {
    const { loss, logits } = measureReference(name, 'same', { options });
    return [loss, logits!];
  };
  const level = (fn: (p: Tensor, q: Tensor) => Tensor, temperature: number): [number, number] =>
    tidy(() => {
      const { student, teacher } = referenceInput('same');
      const soft = (logits: Tensor): Tensor => ops.softmax(logits.div(temperature), 1);
      const value = fn(soft(student.logits), soft(teacher.logits));
      return [value.item(), grad([value], [student.logits])[0]!.norm().item()];
    });

  for (const { loss_name, settings, loss, grad_l2 } of modern?.values ?? []) {
    test(loss_name, () => {
      const [value, gradient] = entries[loss_name]!(settings);
      // The correlations' differences are of numbers that agree in their first three digits.
      const tolerance = loss_name.includes('correlation') ? 1e-3 : 1e-5;
      expect(worst([value], [loss]), 'value').toBeLessThan(tolerance);
      expect(worst([gradient], [grad_l2]), 'gradient').toBeLessThan(tolerance);
    });
  }
});
