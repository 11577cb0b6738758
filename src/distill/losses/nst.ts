/**
 * @file NST: Huang, Wang, "Like What You Like: Knowledge Distill via Neuron Selectivity Transfer", 2017.
 *
 *     sum over stages of mean k(t, t) + mean k(s, s) - 2 mean k(s, t),   k(a, b) = (a . b)^2
 *
 * The squared maximum mean discrepancy of the channels, each flattened to H W and of length 1; the means are over samples and pairs
 * of channels. Taps: the stages; the higher map is average-pooled to the lower. Default weight 50. As RepDistiller (the
 * polynomial kernel, c = 0, d = 2, of the paper's three).
 */
import { ops, type Tensor, tidy } from '../../torch/index.ts';
import { unit } from './functions.ts';
import { defineLoss } from './loss.ts';
import { flatMaps, poolToSmaller, readPair, stagePairs } from './taps.ts';

/** Mean of (a . b)^2 over samples and channel pairs; a [B, A, n], b [B, C, n]. */
const kernelMean = (a: Tensor, b: Tensor): Tensor => ops.bmm(a, b.transpose(1, 2)).square().mean();

/** The squared MMD of two sets of channels [B, C, H, W] of equal height and width. */
export function selectivityDistance(s: Tensor, t: Tensor): Tensor {
  return tidy(() => {
    const a = unit(flatMaps(s), 2);
    const b = unit(flatMaps(t), 2);
    return kernelMean(b, b).add(kernelMean(a, a)).sub(kernelMean(a, b).mul(2));
  });
}

export const nst = defineLoss({
  name: 'nst',
  aliases: [],
  paper: 'Huang, Wang: Like What You Like: Knowledge Distill via Neuron Selectivity Transfer (arXiv:1707.01219)',
  year: 2017,
  equation: 'Σ_stages MMD² of unit channels, k(a,b) = (a·b)²',
  taps: 'stages',
  weight: 50,
  gamma: 1,
  options: {},
  create(context) {
    const pairs = stagePairs('nst', context);
    return {
      needs: { student: 'taps', teacher: 'taps' },
      terms: (input) =>
        Object.fromEntries(
          pairs.map((pair) => {
            const { s, t } = readPair(input, pair);
            const maps = poolToSmaller(s, t);
            return [pair.name, selectivityDistance(maps.s, maps.t)];
          }),
        ),
    };
  },
});
