/**
 * @file AT: Zagoruyko, Komodakis, "Paying More Attention to Attention: Improving the Performance of Convolutional Neural Networks
 * via Attention Transfer", ICLR 2017.
 *
 *     sum over stages of mean (a(f_s) - a(f_t))^2,   a(f) = mean_c |f|^p over the channels, flattened, of length 1
 *
 * Taps: the stages; the higher map is average-pooled to the lower. p = 2, default weight 1000. As RepDistiller, whose f^p for an odd
 * p keeps the sign of f; the paper has |f|^p. The authors' code has beta/2 per group and the same mean; p is 2 there too.
 */

import { positive } from '../../base/options.ts';
import type { Tensor } from '../../torch/index.ts';
import { meanSquare, unit } from './functions.ts';
import { defineLoss } from './loss.ts';
import { poolToSmaller, readPair, stagePairs } from './taps.ts';

/** |f|^p. Below p = 1 its slope at 0 is infinite; there it counts as 0. */
function powers(f: Tensor, power: number): Tensor {
  if (power === 2) return f.square();
  if (power >= 1) return f.abs().pow(power);
  const zero = f.detach().eq(0);
  return f.abs().maskedFill(zero, 1).pow(power).maskedFill(zero, 0);
}

/** The attention map of [B, C, H, W] as vectors [B, H W] of length 1. */
export const attentionMap = (f: Tensor, power = 2): Tensor => unit(powers(f, power).mean(1).flatten(1), 1);

export const attention = defineLoss({
  name: 'at',
  aliases: ['attention'],
  paper: 'Zagoruyko, Komodakis: Paying More Attention to Attention (ICLR 2017, arXiv:1612.03928)',
  year: 2017,
  equation: 'Σ_stages mean (a(f_s) − a(f_t))², a = unit(mean_c |f|^p)',
  taps: 'stages',
  weight: 1000,
  gamma: 1,
  options: { power: positive(2, 'the p of |f|^p') },
  create(context, { power }) {
    const pairs = stagePairs('at', context);
    return {
      needs: { student: 'taps', teacher: 'taps' },
      terms: (input) =>
        Object.fromEntries(
          pairs.map((pair) => {
            const { s, t } = readPair(input, pair);
            const maps = poolToSmaller(s, t);
            return [pair.name, meanSquare(attentionMap(maps.s, power), attentionMap(maps.t, power))];
          }),
        ),
    };
  },
});
