/**
 * @file MLKD: Jin, Wang, Lin, "Multi-Level Logit Distillation", CVPR 2023.
 *
 *     sum over T in 2, 3, 4, 5, 6 of KL_T + 1/B ||S S^T - Q Q^T||^2 + 1/C ||S^T S - Q^T Q||^2,   S, Q = softmax(logits / T) [B, C]
 *
 * Instance, batch and class level. KL as everywhere here: times T^2 / B. Taps: logits. Weight 0.9 beside 0.1 cross entropy, as
 * in the authors' configuration. Their code multiplies each term on the weak view by a mask (the less confident half of samples
 * or classes), but after the term was reduced to a number, so that it only halves it; and the strong view's instance level runs
 * two of its five temperatures on the weak view, while its batch and class level are dropped. None of this is done here. They
 * also train for 480 epochs with strong augmentation of both views: give the run one to compare with. With `standardize` the
 * instance level alone is standardised, as in the code of Sun et al., 2024.
 */

import { flag, positives } from '../../base/options.ts';
import { ops, type Tensor, tidy } from '../../torch/index.ts';
import { klDivergence } from '../kl.ts';
import { defineLoss } from './loss.ts';
import { standardize } from './standardize.ts';
import { readLogits } from './taps.ts';

/** ||A A^T - B B^T||_F^2 for A, B [n, m]. */
const gramDistance = (a: Tensor, b: Tensor): Tensor => a.matmul(a.t()).sub(b.matmul(b.t())).square().sum();

/** How far the samples' similarities [B, B] are from the teacher's, divided by B. Probabilities [B, C]. */
export const batchCorrelation = (p: Tensor, q: Tensor): Tensor => tidy(() => gramDistance(p, q).div(p.size(0)));

/** How far the classes' similarities [C, C] are from the teacher's, divided by C. Probabilities [B, C]. */
export const classCorrelation = (p: Tensor, q: Tensor): Tensor => tidy(() => gramDistance(p.t(), q.t()).div(p.size(1)));

export const mlkd = defineLoss({
  name: 'mlkd',
  aliases: ['mlld', 'multi-level'],
  paper: 'Jin, Wang, Lin: Multi-Level Logit Distillation (CVPR 2023)',
  year: 2023,
  equation: 'Σ_T KL_T + ‖S Sᵀ − Q Qᵀ‖²/B + ‖Sᵀ S − Qᵀ Q‖²/C',
  taps: 'logits',
  weight: 0.9,
  gamma: 0.1,
  options: {
    temperatures: positives([2, 3, 4, 5, 6], 'the temperatures to sum over'),
    standardize: flag(false, 'standardise the logits of the instance level (see lskd)'),
  },
  create: (_context, { temperatures, standardize: standardized }) => ({
    terms(input) {
      const { s, t } = readLogits(input);
      const [a, b] = standardized ? [standardize(s), standardize(t)] : [s, t];
      const levels = temperatures.map((temperature) => {
        const p = ops.softmax(s.div(temperature), 1);
        const q = ops.softmax(t.div(temperature), 1);
        return {
          instance: klDivergence(a, b, temperature),
          batch: batchCorrelation(p, q),
          class: classCorrelation(p, q),
        };
      });
      const sum = (name: 'instance' | 'batch' | 'class'): Tensor =>
        levels.map((level) => level[name]).reduce((total, term) => total.add(term));
      return { instance: sum('instance'), batch: sum('batch'), class: sum('class') };
    },
  }),
});
