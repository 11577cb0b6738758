import { count, elsewhere } from '../base/options.ts';
import { boxAround, packBoxes } from './box.ts';
import { pasteBoxes } from './mix.ts';
import { defineAugmentation, drawEach } from './scheme.ts';

/** Four numbers a sample: top, left, bottom, right of what is blanked out (bottom and right exclusive). */
export type HoleParameters = { readonly boxes: Int32Array };

/**
 * A square hole around a centre drawn from all pixels, clipped at the border, filled with 0 in normalised space, which is the
 * dataset's mean colour. The side is the dataset's unless given: 8 for CIFAR-100, 16 for CIFAR-10.
 */
export const cutout = defineAugmentation({
  name: 'cutout',
  source: 'T. DeVries, G. Taylor, Improved Regularization of Convolutional Neural Networks with Cutout, 2017',
  options: { size: elsewhere(count(8, 'side of the hole in pixels'), "the dataset's") },
  draw(context, { size }): HoleParameters {
    const { height, width, settings } = context;
    const side = size ?? settings.cutout;
    const boxes = drawEach(context, 'cutout', (random) => {
      const row = random.int(height);
      return boxAround(row, random.int(width), side, side, context);
    });
    return { boxes: packBoxes(boxes) };
  },
  apply: ({ x }, { boxes }) => pasteBoxes(x, boxes, null),
});
