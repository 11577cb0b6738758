/**
 * @file SP: Tung, Mori, "Similarity-Preserving Knowledge Distillation", ICCV 2019.
 *
 *     1 / B^2 ||G_s - G_t||_F^2,   G = F F^T with rows of length 1, F = f flattened to [B, C H W]
 *
 * Taps: the last stage. Default weight 3000, as the paper and RepDistiller ("verified by original author").
 */
import type { Tensor } from '../../torch/index.ts';
import { meanSquare, unit } from './functions.ts';
import { defineLoss } from './loss.ts';
import { lastStage, readPair } from './taps.ts';

/** The similarities of a batch's samples [B, B], rows of length 1. */
export function similarities(f: Tensor): Tensor {
  const flat = f.flatten(1);
  return unit(flat.matmul(flat.t()), 1);
}

export const similarity = defineLoss({
  name: 'sp',
  aliases: ['similarity'],
  paper: 'Tung, Mori: Similarity-Preserving Knowledge Distillation (ICCV 2019, arXiv:1907.09682)',
  year: 2019,
  equation: '1/B² ‖G_s − G_t‖², G = unit rows of F Fᵀ',
  taps: 'last stage',
  weight: 3000,
  gamma: 1,
  options: {},
  create(context) {
    const pair = lastStage('sp', context);
    return {
      needs: { student: 'taps', teacher: 'taps' },
      terms(input) {
        const { s, t } = readPair(input, pair);
        return { similarity: meanSquare(similarities(s), similarities(t)) };
      },
    };
  },
});
