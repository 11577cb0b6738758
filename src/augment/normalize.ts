import { native } from '../torch/native.ts';
import { Tensor, tensor, tidy } from '../torch/index.ts';

/** Per-channel mean and standard deviation of pixels in [0, 1]. */
export interface Normalization {
  mean: readonly number[];
  std: readonly number[];
}

/** uint8 pictures [B, C, H, W] to float32 (value / 255 - mean) / std, in channels-last layout where asked for. */
export function normalizeImages(images: Tensor, by: Normalization, channelsLast = false): Tensor {
  const scale = by.std.map((std) => 1 / (255 * std));
  const shift = by.mean.map((mean, c) => -mean / by.std[c]!);
  if (images.device === 'cpu') {
    return Tensor.wrap(native().normalizeImages(images.handle, scale, shift, channelsLast));
  }
  return tidy(() => {
    const perChannel = (values: number[]): Tensor =>
      tensor(values, { device: images.device }).view([1, values.length, 1, 1]);
    const out = images.to('float32').mul(perChannel(scale)).add(perChannel(shift));
    return channelsLast ? out.contiguous('channelsLast') : out;
  });
}

const same = (a: readonly number[], b: readonly number[]): boolean => a.every((value, i) => value === b[i]);

/**
 * What turns pictures normalised by `from` into pictures normalised by `to`: null when they agree already. It is affine in
 * each channel, so it commutes with mixing, cutting and cropping.
 */
export function renormalizer(from: Normalization, to: Normalization): ((images: Tensor) => Tensor) | null {
  if (same(from.mean, to.mean) && same(from.std, to.std)) return null;
  return (images) =>
    tidy(() => {
      const perChannel = (values: number[]): Tensor =>
        tensor(values, { device: images.device }).view([1, values.length, 1, 1]);
      const scale = perChannel(from.std.map((std, c) => std / to.std[c]!));
      const shift = perChannel(from.mean.map((mean, c) => (mean - to.mean[c]!) / to.std[c]!));
      return images.mul(scale).add(shift);
    });
}
