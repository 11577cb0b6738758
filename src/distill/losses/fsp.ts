/**
 * @file FSP: Yim, Joo, Bae, Kim, "A Gift from Knowledge Distillation: Fast Optimization, Network Minimization and Transfer
 * Learning", CVPR 2017.
 *
 *     sum over consecutive taps of mean (FSP_s - FSP_t)^2,   FSP = 1 / (H W) sum over positions of f_i f_(i+1)^T
 *
 * Two stages. `init`, 30 epochs: this loss alone trains the student's feature modules. `train`: no term; the student goes on
 * with the cross entropy. Taps: stem and stages, equal channels in both networks; of two maps the higher is average-pooled
 * to the lower. Default weight 50. As RepDistiller; the paper pools by max and matches each stage's first and last layer.
 */

import { count } from '../../base/options.ts';
import { ops, type Tensor, tidy } from '../../torch/index.ts';
import { meanSquare } from './functions.ts';
import { defineLoss } from './loss.ts';
import { initPhase, plainPhase } from './phases.ts';
import { flatMaps, mapPairs, poolToSmaller, readPair, requireEqualChannels } from './taps.ts';

/** The flow from one map [B, C, H, W] to the next [B, D, h, w]: [B, D, C]. */
export function flow(bottom: Tensor, top: Tensor): Tensor {
  return tidy(() => {
    const { s: a, t: b } = poolToSmaller(bottom, top);
    return ops.bmm(flatMaps(b), flatMaps(a).transpose(1, 2)).div(a.size(2) * a.size(3));
  });
}

export const fsp = defineLoss({
  name: 'fsp',
  aliases: [],
  paper: 'Yim et al.: A Gift from Knowledge Distillation (CVPR 2017)',
  year: 2017,
  equation: 'Σ mean (F_s − F_t)², F = f_i f_{i+1}ᵀ/(HW)',
  taps: 'stem and stages, equal channels',
  weight: 50,
  gamma: 1,
  initOnly: true,
  options: { initEpochs: count(30, 'epochs of the initialisation') },
  create(context, { initEpochs }) {
    const pairs = mapPairs('fsp', context);
    requireEqualChannels('fsp', context, pairs);
    return {
      phases: [
        initPhase({ epochs: initEpochs, trains: [], needs: { student: 'taps', teacher: 'taps', index: false } }),
        plainPhase(),
      ],
      terms(input) {
        if (input.phase === 'train') return {};
        const maps = pairs.map((pair) => readPair(input, pair));
        return Object.fromEntries(
          maps.slice(1).map((top, i) => {
            const bottom = maps[i]!;
            const name = `${pairs[i]!.name}-${pairs[i + 1]!.name}`;
            return [name, meanSquare(flow(bottom.s, top.s), flow(bottom.t, top.t))];
          }),
        );
      },
    };
  },
});
