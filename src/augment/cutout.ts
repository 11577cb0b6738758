import { boxAround, packBoxes } from './box.ts';
import { pasteBoxes } from './mix.ts';
import { drawEach, type Scheme } from './scheme.ts';

/** Four numbers a sample: top, left, bottom, right of what is blanked out (bottom and right exclusive). */
export type HoleParameters = { readonly boxes: Int32Array };

/**
 * A square hole around a centre drawn from all pixels, clipped at the border, filled with 0 in normalised space, which is the
 * dataset's mean colour. The side comes from the settings: 8 for CIFAR-100, 16 for CIFAR-10, a quarter of the size elsewhere.
 */
export const cutout: Scheme<HoleParameters> = {
  name: 'cutout',
  source: 'T. DeVries, G. Taylor, Improved Regularization of Convolutional Neural Networks with Cutout, 2017',
  mixes: false,
  draw(context) {
    const { height, width, settings } = context;
    const boxes = drawEach(context, 'cutout', (random) => {
      const row = random.int(height);
      return boxAround(row, random.int(width), settings.cutout, settings.cutout, context);
    });
    return { boxes: packBoxes(boxes) };
  },
  apply: ({ x }, { boxes }) => pasteBoxes(x, boxes, null),
};
