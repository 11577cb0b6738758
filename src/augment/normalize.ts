import { Tensor, tensor, tidy } from '../torch/index.ts';
import { native } from '../torch/native.ts';

/** Per-channel mean and standard deviation of pixels in [0, 1]. */
export interface Normalization {
  mean: readonly number[];
  std: readonly number[];
}

/** The normalised value of every byte in every channel, rounded after each operation as PyTorch's ToTensor and Normalize do. */
function tableOf({ mean, std }: Normalization): Float32Array {
  const table = new Float32Array(mean.length * 256);
  for (const [c, center] of mean.entries()) {
    const width = Math.fround(std[c]!);
    for (let value = 0; value < 256; value++) {
      table[c * 256 + value] = Math.fround(Math.fround(value / 255) - Math.fround(center)) / width;
    }
  }
  return table;
}

const tables = new WeakMap<Normalization, Float32Array>();

/**
 * uint8 images [B, C, H, W] to float32 (value / 255 - mean) / std, in channels-last layout where asked for. To the bit what
 * PyTorch's usual input pipeline gives: one unit in the last place, at a ReLU's kink, is enough to part two training runs.
 */
export function normalizeImages(images: Tensor, by: Normalization, channelsLast = false): Tensor {
  if (images.device !== 'cpu') return normalizePlain(images, by, channelsLast);
  const table = tables.get(by) ?? tableOf(by);
  tables.set(by, table);
  return Tensor.wrap(native().normalizeImages(images.handle, table, channelsLast));
}

/** The same in operators that every device has. */
export function normalizePlain(images: Tensor, by: Normalization, channelsLast = false): Tensor {
  return tidy(() => {
    const perChannel = (values: readonly number[]): Tensor =>
      tensor([...values], { device: images.device }).view([1, values.length, 1, 1]);
    const out = images.to('float32').div(255).sub(perChannel(by.mean)).div(perChannel(by.std));
    return channelsLast ? out.contiguous('channelsLast') : out;
  });
}

const same = (a: readonly number[], b: readonly number[]): boolean => a.every((value, i) => value === b[i]);

/**
 * What turns images normalised by `from` into images normalised by `to`: null when they agree already. It is affine in
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
