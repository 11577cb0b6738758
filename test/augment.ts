/** @file What the tests of augmentation schemes share: a batch, a draw's context, a measure of fit. */
import { type BatchView, type DrawContext, normalizeImages } from '../src/augment/index.ts';
import { tensor } from '../src/torch/index.ts';
import { uniformFiller } from './filler.ts';

const normalization = { mean: [0.5071, 0.4867, 0.4408], std: [0.2675, 0.2565, 0.2761] };

/** A batch of noise. Its tensors are the caller's to free. */
export function batchView(
  count: number,
  options: { size?: number; width?: number; channelsLast?: boolean } = {},
): BatchView {
  const { size = 8, width = size, channelsLast = false } = options;
  const bytes = Uint8Array.from(uniformFiller('batch', count * 3 * size * width), (u) => Math.floor((u + 1) * 128));
  const images = tensor(bytes, { shape: [count, 3, size, width] });
  return { images, x: normalizeImages(images, normalization, channelsLast), normalization, channelsLast };
}

/** A context for samples 100, 101, … of a 32-pixel CIFAR-100 unless told otherwise. */
export function drawContext(count: number, change: Partial<DrawContext> = {}): DrawContext {
  return {
    seed: 7,
    epoch: 0,
    step: 0,
    round: 0,
    index: Int32Array.from({ length: count }, (_, i) => 100 + i),
    height: 32,
    width: 32,
    draw: 'sample',
    settings: {
      padding: Math.round((change.height ?? 32) / 8),
      cutout: Math.round((change.height ?? 32) / 4),
      policy: 'cifar10',
    },
    ...change,
  };
}

/**
 * Pearson's chi-squared of counts against expected ones, as standard deviations from its mean (Wilson and Hilferty, 1931):
 * above 4, the counts do not come from that distribution.
 */
export function misfit(counts: readonly number[], expected: readonly number[]): number {
  const chi2 = counts.reduce((total, count, i) => total + (count - expected[i]!) ** 2 / expected[i]!, 0);
  const freedom = counts.length - 1;
  return ((chi2 / freedom) ** (1 / 3) - (1 - 2 / (9 * freedom))) / Math.sqrt(2 / (9 * freedom));
}

/** How often each of 0 … size-1 occurs. */
export function tally(values: ArrayLike<number>, size: number): number[] {
  const counts = new Array<number>(size).fill(0);
  for (let i = 0; i < values.length; i++) counts[values[i]!]!++;
  return counts;
}

/** `misfit` from a uniform distribution over 0 … size-1. */
export const misfitUniform = (values: ArrayLike<number>, size: number): number =>
  misfit(tally(values, size), new Array<number>(size).fill(values.length / size));
