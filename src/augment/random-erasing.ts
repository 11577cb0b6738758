import { probability, range } from '../base/options.ts';
import type { Stream } from '../torch/random.ts';
import { type Box, EMPTY_BOX, type ImageSize, packBoxes } from './box.ts';
import type { HoleParameters } from './cutout.ts';
import { pasteBoxes } from './mix.ts';
import { defineAugmentation, drawEach } from './scheme.ts';

const ATTEMPTS = 10;

/** How often, the erased share of the image, and its height over its width. */
interface Erasing {
  probability: number;
  area: readonly [number, number];
  aspect: readonly [number, number];
}

function drawBox(random: Stream, { height, width }: ImageSize, options: Erasing): Box {
  if (!random.bernoulli(options.probability)) return EMPTY_BOX;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const area = height * width * random.uniform(...options.area);
    const aspect = Math.exp(random.uniform(Math.log(options.aspect[0]), Math.log(options.aspect[1])));
    const tall = Math.round(Math.sqrt(area * aspect));
    const wide = Math.round(Math.sqrt(area / aspect));
    if (tall >= height || wide >= width) continue;
    const top = random.int(height - tall + 1);
    const left = random.int(width - wide + 1);
    return [top, left, top + tall, left + wide];
  }
  return EMPTY_BOX;
}

/**
 * With probability 1/2, a box of 2 to 33 % of the image, wherever it fits, filled with 0 in normalised space. As torchvision
 * draws it: the aspect ratio uniform in logarithm from 0.3 to 3.3 (the authors: uniform from 0.3 to 1 / 0.3), up to 10
 * attempts; and its default fill (the authors also try random pixels).
 */
export const randomErasing = defineAugmentation({
  name: 'random-erasing',
  source: 'Z. Zhong, L. Zheng, G. Kang, S. Li, Y. Yang, Random Erasing Data Augmentation, 2017',
  // torchvision's defaults.
  options: {
    probability: probability(0.5, 'of erasing a box'),
    area: range(0.02, 0.33, 'share of the image, least and most', [0, 1]),
    aspect: range(0.3, 3.3, 'height over width, least and most'),
  },
  draw: (context, options): HoleParameters => ({
    boxes: packBoxes(drawEach(context, 'random-erasing', (random) => drawBox(random, context, options))),
  }),
  apply: ({ x }, { boxes }) => pasteBoxes(x, boxes, null),
});
