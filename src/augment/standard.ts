/**
 * @file The standard augmentation of every recipe here: pad with black, crop at random, mirror at random (RandomCrop and
 * RandomHorizontalFlip), each sample with its own draw. Works on uint8 images, before normalisation.
 */

import { UserError } from '../base/errors.ts';
import { named } from '../base/speech.ts';
import type { DatasetInfo } from '../data/dataset.ts';
import { arange, ops, Tensor, tensor, tidy } from '../torch/index.ts';
import { native } from '../torch/native.ts';
import { stream } from '../torch/random.ts';

/** What to draw. Padding in pixels on every side; 0 leaves the image in place. */
export interface StandardOptions {
  padding: number;
  flip: boolean;
}

/** One crop origin in the padded image and one mirror switch (0 or 1) a sample. */
export interface CropFlip {
  top: Int32Array;
  left: Int32Array;
  flip: Int32Array;
}

/** The draws of samples `index` in `epoch`: a function of (seed, epoch, sample) alone, whatever batch they come in. */
export function drawCropFlip(seed: number, epoch: number, index: Int32Array, options: StandardOptions): CropFlip {
  const draws = {
    top: new Int32Array(index.length),
    left: new Int32Array(index.length),
    flip: new Int32Array(index.length),
  };
  const { padding, flip } = options;
  const ofEpoch = stream(seed, 'crop-flip', epoch);
  for (const [i, sample] of index.entries()) {
    const random = ofEpoch.child(sample);
    draws.top[i] = random.int(2 * padding + 1);
    draws.left[i] = random.int(2 * padding + 1);
    draws.flip[i] = flip && random.bernoulli() ? 1 : 0;
  }
  return draws;
}

/** The draw that changes nothing. */
export function noCropFlip(count: number, padding = 0): CropFlip {
  return {
    top: new Int32Array(count).fill(padding),
    left: new Int32Array(count).fill(padding),
    flip: new Int32Array(count),
  };
}

/**
 * Take images `index` out of `images` [N, C, H, W] uint8 and crop and mirror each as drawn: [B, C, H, W] uint8. One fused
 * pass on the CPU, plain operators on other devices.
 */
export function gatherCropFlip(images: Tensor, index: Int32Array, draws: CropFlip, padding: number): Tensor {
  if (images.device === 'cpu') {
    return Tensor.wrap(native().gatherCropFlip(images.handle, index, draws.top, draws.left, draws.flip, padding));
  }
  return gatherCropFlipPlain(images, index, draws, padding);
}

/** The same in operators that every device has. */
export function gatherCropFlipPlain(images: Tensor, index: Int32Array, draws: CropFlip, padding: number): Tensor {
  return tidy(() => {
    const { device, shape } = images;
    const [, channels, height, width] = shape as [number, number, number, number];
    const longs = (values: Int32Array): Tensor => tensor(values, { dtype: 'int64', device });
    const padded = ops.constantPad(images.indexSelect(0, longs(index)), [padding, padding, padding, padding], 0);
    const range = (size: number): Tensor => arange(0, size, 1, { device });
    const rows = longs(draws.top).unsqueeze(1).add(range(height));
    const columns = longs(draws.left).unsqueeze(1).add(range(width));
    const mirrored = ops.where(longs(draws.flip).unsqueeze(1).ne(0), columns.flip([1]), columns);
    const sample = range(index.length).view([-1, 1, 1, 1]);
    const channel = range(channels).view([1, -1, 1, 1]);
    return ops.index(padded, [sample, channel, rows.view([-1, 1, height, 1]), mirrored.view([-1, 1, 1, width])]);
  });
}

/**
 * The standard augmentation of a dataset, as the configuration asks for it.
 *
 * @throws UserError where images are to be flipped and nothing else, but a flipped one would be of another class
 */
export function standardOptions(
  { baseAugment }: { baseAugment: 'crop+flip' | 'crop' | 'flip' | 'none' },
  info: Pick<DatasetInfo, 'title' | 'padding' | 'flip'>,
): StandardOptions {
  if (baseAugment === 'flip' && !info.flip) {
    throw new UserError(`${named('baseAugment')} flip: a mirrored image of ${info.title} is of another class`, {
      hint: 'choose crop or none',
    });
  }
  const crop = baseAugment === 'crop+flip' || baseAugment === 'crop';
  // A mirrored digit is another character: sets that say so are never flipped.
  const flip = (baseAugment === 'crop+flip' || baseAugment === 'flip') && info.flip;
  return { padding: crop ? info.padding : 0, flip };
}
