/**
 * @file DIST: Huang, You, Wang, Qian, Xu, "Knowledge Distillation from A Stronger Teacher", NeurIPS 2022.
 *
 *     tau^2 (beta (1 - mean_b r(p_s[b], p_t[b])) + gamma (1 - mean_c r(p_s[:, c], p_t[:, c]))),   p = softmax(logits / tau)
 *
 * r is Pearson's correlation: over the classes of a sample (inter) and over the batch for a class (intra). Taps: logits. beta 1, gamma 1, tau 1, weight 1 beside 1 cross entropy: torchdistill's defaults; published
 * re-implementations of the CIFAR-100 runs use beta 2, gamma 2, tau 4. The authors add 1e-8 to the product of the norms, torchdistill
 * and this keep each from falling below it. That matters for classes nobody expects: with 100 classes, 2e-4 of the value at tau 1, and
 * up to 1 % for logits so far apart that most probabilities are below 1e-8. A batch of one has no intra correlation: the term is 1.
 */

import { nonNegative, positive } from '../../base/options.ts';
import { ops, type Tensor, tidy } from '../../torch/index.ts';
import { centred, unit } from './functions.ts';
import { defineLoss } from './loss.ts';
import { readLogits } from './taps.ts';

/** The least length of a row: one less spread counts for less, one of equal numbers for nothing. */
const EPS = 1e-8;

/** 1 - the mean of Pearson's correlation of the rows of a and b. */
export function correlationDistance(a: Tensor, b: Tensor): Tensor {
  return tidy(() => {
    const x = unit(centred(a), 1, EPS);
    const y = unit(centred(b), 1, EPS);
    return x.mul(y).sum(1).mean().rsub(1);
  });
}

export const dist = defineLoss({
  name: 'dist',
  aliases: [],
  paper: 'Huang et al.: Knowledge Distillation from A Stronger Teacher (NeurIPS 2022, arXiv:2205.10536)',
  year: 2022,
  equation: 'τ² (β (1 − r over classes) + γ (1 − r over the batch))',
  taps: 'logits',
  weight: 1,
  gamma: 1,
  options: {
    beta: nonNegative(1, 'factor of the correlation within a sample'),
    gamma: nonNegative(1, 'factor of the correlation within a class'),
    tau: positive(1, 'divides the logits before the softmax'),
  },
  create: (_context, { beta, gamma, tau }) => ({
    terms(input) {
      const { s, t } = readLogits(input);
      const p = ops.softmax(s.div(tau), 1);
      const q = ops.softmax(t.div(tau), 1);
      return {
        inter: correlationDistance(p, q).mul(beta * tau ** 2),
        intra: correlationDistance(p.t(), q.t()).mul(gamma * tau ** 2),
      };
    },
  }),
});
