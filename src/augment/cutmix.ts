import { positive, probability } from '../base/options.ts';
import { boxAround, coverage, EMPTY_BOX, packBoxes } from './box.ts';
import { drawPartners, pasteBoxes } from './mix.ts';
import { defineAugmentation, drawEach } from './scheme.ts';

export type CutMixParameters = {
  readonly partner: Int32Array;
  /** Own share of each image, from its true box. */
  readonly lambda: Float64Array;
  /** Four numbers a sample: top, left, bottom, right of what comes from the partner (bottom and right exclusive). */
  readonly boxes: Int32Array;
};

/**
 * A box of the partner in each image, always unless its option says less. Its sides are sqrt(1 - lambda) of the image's, lambda
 * from Beta(alpha, alpha), cut to whole pixels; its centre is any pixel; it is clipped at the border, and lambda is computed again from what is left. Partners
 * have no fixed point, as in the paper's code; the original's may (and it leaves half of the CIFAR batches alone).
 */
export const cutmix = defineAugmentation({
  name: 'cutmix',
  source: 'S. Yun, D. Han, S. J. Oh, S. Chun, J. Choe, Y. Yoo, CutMix, 2019',
  mixes: true,
  options: {
    alpha: positive(1, "of the distribution Beta(alpha, alpha) of an image's own share"),
    probability: probability(1, 'of mixing an image at all (or the batch, with one draw for it)'),
  },
  draw(context, { alpha, probability }): CutMixParameters {
    const { height, width } = context;
    const boxes = drawEach(context, 'cutmix', (random) => {
      const side = Math.sqrt(1 - random.beta(alpha, alpha));
      const column = random.int(width);
      const row = random.int(height);
      const box = boxAround(row, column, Math.floor(height * side), Math.floor(width * side), context);
      // Drawn last, so that the boxes are the same with any probability.
      return probability === 1 || random.bernoulli(probability) ? box : EMPTY_BOX;
    });
    return {
      partner: drawPartners(context, 'cutmix'),
      lambda: Float64Array.from(boxes, (box) => 1 - coverage(box, context)),
      boxes: packBoxes(boxes),
    };
  },
  apply: ({ x }, { boxes, partner }) => pasteBoxes(x, boxes, partner),
});
