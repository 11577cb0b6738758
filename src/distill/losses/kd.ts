/**
 * @file KD: Hinton, Vinyals, Dean, "Distilling the Knowledge in a Neural Network", 2015.
 *
 *     T^2 / B sum_b sum_c p_t log(p_t / p_s),   p = softmax(logits / T)
 *
 * Taps: logits. Default: T 4, weight 0.9 beside 0.1 cross entropy. As RepDistiller, where its weight is called alpha and its
 * place is beside every other method. The paper leaves T^2 to the reader ("multiply them by T^2 when using both").
 */

import { positive } from '../../base/options.ts';
import type { Tensor } from '../../torch/index.ts';
import { klDivergence } from '../kl.ts';
import { defineLoss } from './loss.ts';
import { readLogits } from './taps.ts';

/** The loss on one view, a scalar: it reads nothing but logits, so the objective needs no loss made for two networks. */
export function kdTerm(input: Parameters<typeof readLogits>[0], temperature: number): Tensor {
  const { s, t } = readLogits(input);
  return klDivergence(s, t, temperature);
}

export const kd = defineLoss({
  name: 'kd',
  aliases: ['kl'],
  paper: 'Hinton, Vinyals, Dean: Distilling the Knowledge in a Neural Network (arXiv:1503.02531)',
  year: 2015,
  equation: 'T²/B Σ p_t log(p_t/p_s)',
  taps: 'logits',
  weight: 0.9,
  gamma: 0.1,
  options: { temperature: positive(4, 'divides the logits before the softmax') },
  create: (_context, { temperature }) => ({
    terms: (input) => ({ kl: kdTerm(input, temperature) }),
  }),
});
