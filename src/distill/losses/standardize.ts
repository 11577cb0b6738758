/**
 * @file Logit standardisation: Sun, Ren, Li, Wang, Cao, "Logit Standardization in Knowledge Distillation", CVPR 2024.
 *
 *     KL of softmax(z(logits) / T), times T^2 / B,   z(v) = (v - mean v) / (1e-7 + std v) over the classes
 *
 * std divides by classes - 1. Taps: logits. T 2 and weight 9 beside 0.1 cross entropy, as in the authors' scripts (--base-temp 2
 * --kd-weight 9). dkd and mlkd take the same standardisation by their option `standardize`; the authors then have alpha 9 and
 * beta 81 for dkd, and weight 9 and temperatures 2, 2, 3, 5, 6 for mlkd.
 */

import { positive } from '../../base/options.ts';
import type { Tensor } from '../../torch/index.ts';
import { tidy } from '../../torch/index.ts';
import { klDivergence } from '../kl.ts';
import { centred } from './functions.ts';
import { defineLoss } from './loss.ts';
import { readLogits } from './taps.ts';

const EPS = 1e-7;

/** Each row of [B, classes] with mean 0 and standard deviation 1. A row of equal logits becomes 0, without gradient. */
export function standardize(logits: Tensor): Tensor {
  return tidy(() => {
    const differences = centred(logits);
    const std = differences.norm({ dim: 1, keepdim: true }).div(Math.sqrt(logits.size(1) - 1));
    return differences.div(std.add(EPS));
  });
}

export const logitStandardization = defineLoss({
  name: 'lskd',
  aliases: ['logit-standardization', 'logit-stand', 'kd-standardized'],
  paper: 'Sun et al.: Logit Standardization in Knowledge Distillation (CVPR 2024, arXiv:2403.01427)',
  year: 2024,
  equation: 'T²/B KL of softmax(z(logits)/T), z = (v − mean)/std',
  taps: 'logits',
  weight: 9,
  gamma: 0.1,
  options: { temperature: positive(2, 'divides the standardised logits') },
  create: (_context, { temperature }) => ({
    terms(input) {
      const { s, t } = readLogits(input);
      return { kl: klDivergence(standardize(s), standardize(t), temperature) };
    },
  }),
});
