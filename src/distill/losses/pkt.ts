/**
 * @file PKT: Passalis, Tefas, "Learning Deep Representations with Probabilistic Knowledge Transfer", ECCV 2018.
 *
 *     mean over i, j of p_t log((p_t + eps) / (p_s + eps)),   p_ij = c_ij / sum_j c_ij,   c = (1 + cosine) / 2,   eps = 1e-7
 *
 * Taps: the pooled vector. Default weight 30000: the mean is over B^2 pairs. As RepDistiller and the authors' code.
 */
import type { Tensor } from '../../torch/index.ts';
import { defineLoss } from './loss.ts';
import { pooled, readPair } from './taps.ts';

const EPS = 1e-7;

/** How likely the rows of x [B, D] are neighbours: [B, B], rows that sum to 1. */
export function neighbourhood(x: Tensor): Tensor {
  const norm = x.norm({ dim: 1, keepdim: true });
  const directions = x.div(norm.add(EPS).maskedFill(norm.detach().eq(0), Number.POSITIVE_INFINITY));
  const similarity = directions.matmul(directions.t()).add(1).div(2);
  return similarity.div(similarity.sum(1, true));
}

export const pkt = defineLoss({
  name: 'pkt',
  aliases: [],
  paper:
    'Passalis, Tefas: Learning Deep Representations with Probabilistic Knowledge Transfer (ECCV 2018, arXiv:1803.10837)',
  year: 2018,
  equation: 'mean_ij p_t log(p_t/p_s), p = (1 + cos)/2 with rows of sum 1',
  taps: 'pooled',
  weight: 30000,
  gamma: 1,
  options: {},
  create(context) {
    const pair = pooled('pkt', context);
    return {
      needs: { student: 'taps', teacher: 'taps' },
      terms(input) {
        const { s, t } = readPair(input, pair);
        const p = neighbourhood(t);
        return { pkt: p.mul(p.add(EPS).div(neighbourhood(s).add(EPS)).log()).mean() };
      },
    };
  },
});
