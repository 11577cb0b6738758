import { count, positive } from '../base/options.ts';
import { drawPartners, pastePatches } from './mix.ts';
import { defineAugmentation, drawEach } from './scheme.ts';

export type PatchMixParameters = {
  readonly partner: Int32Array;
  /** Own share of each image, in pixels. */
  readonly lambda: Float64Array;
  /** For each sample, row by row, 1 where a patch comes from the partner. */
  readonly mask: Uint8Array;
  /** Side of a patch in pixels. */
  readonly side: number;
};

/**
 * The image as a grid of patches, a share of them, from Beta(alpha, alpha), from the partner: which ones is random. Patches of
 * 4 pixels as in the paper's code, which has this scheme but no result with it. The grid covers images of any size: what the last row and column lack is cut off, and lambda counts pixels.
 */
export const patchmix = defineAugmentation({
  name: 'patchmix',
  source: 'P. Cascante-Bonilla, A. Sekhon, Y. Qi, V. Ordonez, Evolving Image Compositions, 2021',
  mixes: true,
  options: {
    side: count(4, 'side of a patch in pixels'),
    alpha: positive(1, "of the distribution Beta(alpha, alpha) of the partner's share of the patches"),
  },
  draw(context, { side, alpha }): PatchMixParameters {
    const { height, width } = context;
    const [down, across] = [Math.ceil(height / side), Math.ceil(width / side)];
    const patches = down * across;
    const area = (patch: number): number => {
      const [row, column] = [Math.floor(patch / across) * side, (patch % across) * side];
      return Math.min(side, height - row) * Math.min(side, width - column);
    };
    const draws = drawEach(context, 'patchmix', (random) => {
      const count = Math.floor(patches * random.beta(alpha, alpha));
      const mask = new Uint8Array(patches);
      let foreign = 0;
      for (const patch of random.permutation(patches).subarray(0, count)) {
        mask[patch] = 1;
        foreign += area(patch);
      }
      return { mask, lambda: 1 - foreign / (height * width) };
    });
    const mask = new Uint8Array(draws.length * patches);
    for (const [i, draw] of draws.entries()) mask.set(draw.mask, i * patches);
    return {
      partner: drawPartners(context, 'patchmix'),
      lambda: Float64Array.from(draws, (draw) => draw.lambda),
      mask,
      side,
    };
  },
  apply: ({ x }, { partner, mask, side }) => pastePatches(x, partner, mask, side),
});
