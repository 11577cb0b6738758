import { boxAround, coverage, packBoxes } from './box.ts';
import { drawPartners, pasteBoxes } from './mix.ts';
import { drawEach, type Scheme } from './scheme.ts';

export type CutMixParameters = {
  readonly partner: Int32Array;
  /** Own share of each image, from its true box. */
  readonly lambda: Float64Array;
  /** Four numbers a sample: top, left, bottom, right of what comes from the partner (bottom and right exclusive). */
  readonly boxes: Int32Array;
};

/**
 * A box of the partner in each image, always. Its sides are sqrt(1 - lambda) of the image's, lambda from Beta(1, 1), cut to
 * whole pixels; its centre is any pixel; it is clipped at the border, and lambda is computed again from what is left. Partners
 * have no fixed point, as in the paper's code; the original's may (and it leaves half of the CIFAR batches alone).
 */
export const cutmix: Scheme<CutMixParameters> = {
  name: 'cutmix',
  source: 'S. Yun, D. Han, S. J. Oh, S. Chun, J. Choe, Y. Yoo, CutMix, 2019',
  mixes: true,
  draw(context) {
    const { height, width } = context;
    const boxes = drawEach(context, 'cutmix', (random) => {
      const side = Math.sqrt(1 - random.beta(1, 1));
      const column = random.int(width);
      const row = random.int(height);
      return boxAround(row, column, Math.floor(height * side), Math.floor(width * side), context);
    });
    return {
      partner: drawPartners(context, 'cutmix'),
      lambda: Float64Array.from(boxes, (box) => 1 - coverage(box, context)),
      boxes: packBoxes(boxes),
    };
  },
  apply: ({ x }, { boxes, partner }) => pasteBoxes(x, boxes, partner),
};
