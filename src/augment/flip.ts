import { count, elsewhere, probability } from '../base/options.ts';
import { type Tensor, tidy } from '../torch/index.ts';
import { normalizeImages } from './normalize.ts';
import { type BatchView, type DrawContext, defineAugmentation, drawEach } from './scheme.ts';
import { type CropFlip, gatherCropFlip } from './standard.ts';

/** Crop origins in the padded image, mirror switches, and the padding they were drawn for. */
export type CropFlipParameters = {
  readonly top: Int32Array;
  readonly left: Int32Array;
  readonly flip: Int32Array;
  readonly padding: number;
};

function drawCrops(context: DrawContext, name: string, padding: number, mirrored: number): CropFlipParameters {
  const origins = 2 * padding + 1;
  const draws = drawEach(context, name, (random) => {
    const top = random.int(origins);
    const left = random.int(origins);
    return { top, left, flip: random.bernoulli(mirrored) ? 1 : 0 };
  });
  const column = (key: keyof CropFlip): Int32Array => Int32Array.from(draws, (draw) => draw[key]);
  return { top: column('top'), left: column('left'), flip: column('flip'), padding };
}

/**
 * On the bytes and normalised after, so that what is not moved equals x to the bit. (The paper's code takes the normalised
 * image back to bytes through float32 and truncates, which can lose a grey level.)
 */
function applyCrops(view: BatchView, parameters: CropFlipParameters): Tensor {
  return tidy(() => {
    const everyone = Int32Array.from(parameters.top.keys());
    const images = gatherCropFlip(view.images, everyone, parameters, parameters.padding);
    return normalizeImages(images, view.normalization, view.channelsLast);
  });
}

const mirroring = probability(0.5, 'of mirroring an image');

/** Mirrored from left to right with probability 1/2. */
export const flip = defineAugmentation({
  name: 'flip',
  source: 'horizontal flip, as in the standard augmentation',
  options: { probability: mirroring },
  draw: (context, { probability }) => drawCrops(context, 'flip', 0, probability),
  apply: applyCrops,
});

/** Padded with black, cropped back to size at a random place, mirrored with probability 1/2: the standard augmentation, again. */
export const cropFlip = defineAugmentation({
  name: 'crop+flip',
  source: 'random crop and horizontal flip, as in the standard augmentation',
  options: {
    padding: elsewhere(count(4, 'pixels of black on every side', 0), "the dataset's"),
    probability: mirroring,
  },
  draw: (context, { padding, probability }) =>
    drawCrops(context, 'crop+flip', padding ?? context.settings.padding, probability),
  apply: applyCrops,
});
