/**
 * @file RKD: Park, Kim, Lu, Cho, "Relational Knowledge Distillation", CVPR 2019.
 *
 *     25 smooth_l1(d_s, d_t) + 50 smooth_l1(angle_s, angle_t)
 *
 * d: the distances of all pairs of a batch, divided by the mean of those above 0. angle: the cosine at each sample i between the
 * directions to j and k, of all triples. smooth_l1 is averaged over the B^2 pairs and the B^3 triples, pairs of a sample with itself
 * (0) included. Taps: the pooled vector. Default weight 1, as RepDistiller; the paper embeds other layers too. A batch of one
 * has no pair: 0.
 */

import { nonNegative } from '../../base/options.ts';
import { noGrad, ops, type Tensor, tidy } from '../../torch/index.ts';
import { MEAN, noPairs, unit } from './functions.ts';
import { defineLoss } from './loss.ts';
import { pooled, readPair } from './taps.ts';

/** Least squared distance: its root has a gradient. */
const EPS = 1e-12;

/** Distances [B, B] of the rows of x [B, D], divided by their mean over the pairs that differ. */
export function relativeDistances(x: Tensor): Tensor {
  return tidy(() => {
    const squares = x.square().sum(1);
    const distances = squares.unsqueeze(1).add(squares.unsqueeze(0)).sub(x.matmul(x.t()).mul(2)).clamp(EPS).sqrt();
    const batch = x.size(0);
    const pairs = distances.mul(ops.eye(batch, null, null, x.device).to(x.dtype).rsub(1));
    // Off the diagonal every distance is at least sqrt(EPS).
    return pairs.div(pairs.sum().div(batch * (batch - 1)));
  });
}

/** Cosines [B, B, B]: at sample i, between the directions to j and k. */
export function angles(x: Tensor): Tensor {
  return tidy(() => {
    const directions = unit(x.unsqueeze(0).sub(x.unsqueeze(1)), 2);
    return ops.bmm(directions, directions.transpose(1, 2));
  });
}

export const rkd = defineLoss({
  name: 'rkd',
  aliases: [],
  paper: 'Park et al.: Relational Knowledge Distillation (CVPR 2019, arXiv:1904.05068)',
  year: 2019,
  equation: '25 smoothL1(d_s, d_t) + 50 smoothL1(∠_s, ∠_t)',
  taps: 'pooled',
  weight: 1,
  gamma: 1,
  options: { distance: nonNegative(25, 'factor of the distances'), angle: nonNegative(50, 'factor of the angles') },
  create(context, { distance, angle }) {
    const pair = pooled('rkd', context);
    return {
      needs: { student: 'taps', teacher: 'taps' },
      terms(input) {
        const { s, t } = readPair(input, pair);
        if (s.size(0) < 2) return { distance: noPairs(s), angle: noPairs(s) };
        const target = noGrad(() => ({ distances: relativeDistances(t), angles: angles(t) }));
        return {
          distance: ops.smoothL1Loss(relativeDistances(s), target.distances, MEAN).mul(distance),
          angle: ops.smoothL1Loss(angles(s), target.angles, MEAN).mul(angle),
        };
      },
    };
  },
});
