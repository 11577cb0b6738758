import { drawPartners, pastePatches } from './mix.ts';
import { drawEach, type Scheme } from './scheme.ts';

export type PatchMixParameters = {
  readonly partner: Int32Array;
  /** Own share of each image, in pixels. */
  readonly lambda: Float64Array;
  /** For each sample, row by row, 1 where a patch comes from the partner. */
  readonly mask: Uint8Array;
  /** Side of a patch in pixels. */
  readonly side: number;
};

/** As in the paper's code, which has this scheme but no result with it. */
const SIDE = 4;

/**
 * The image as a grid of patches, a share of them, drawn uniformly from 0 to 1, from the partner: which ones is random. The
 * grid covers images of any size: what the last row and column lack is cut off, and lambda counts pixels.
 */
export const patchmix: Scheme<PatchMixParameters> = {
  name: 'patchmix',
  source: 'P. Cascante-Bonilla, A. Sekhon, Y. Qi, V. Ordonez, Evolving Image Compositions, 2021',
  mixes: true,
  draw(context) {
    const { height, width } = context;
    const [down, across] = [Math.ceil(height / SIDE), Math.ceil(width / SIDE)];
    const patches = down * across;
    const area = (patch: number): number => {
      const [row, column] = [Math.floor(patch / across) * SIDE, (patch % across) * SIDE];
      return Math.min(SIDE, height - row) * Math.min(SIDE, width - column);
    };
    const draws = drawEach(context, 'patchmix', (random) => {
      const count = Math.floor(patches * random.beta(1, 1));
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
      side: SIDE,
    };
  },
  apply: ({ x }, { partner, mask, side }) => pastePatches(x, partner, mask, side),
};
