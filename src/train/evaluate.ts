import { type Normalization, normalizeImages } from '../augment/index.ts';
import type { TensorSet } from '../data/batches.ts';
import { crossEntropy } from '../distill/kl.ts';
import { noGrad, type Tensor, tidy } from '../torch/index.ts';

/** How well a network does on a set: shares in per cent, loss as mean cross entropy at temperature 1. */
export interface Evaluation {
  /** Per cent of images whose label is the most likely class. */
  top1: number;
  /** Per cent whose label is among the five most likely (all, where there are fewer than five classes). */
  top5: number;
  loss: number;
  count: number;
  imagesPerSecond: number;
}

export interface EvaluateOptions {
  normalization: Normalization;
  batchSize?: number;
  channelsLast?: boolean;
  onProgress?: (done: number, total: number) => void;
  /** Each batch's logits [size, classes] and labels; `first` is the place of its first image in the set. */
  onLogits?: (first: number, logits: Float32Array, labels: Int32Array) => void;
  /** Asked to stop: throws its reason between batches. */
  signal?: AbortSignal;
}

/**
 * The rank of each row's label among its logits, from 0. Of equal logits the one of the lower class comes first, as argmax
 * has it: a network that gives every class the same answer is right by chance only. A row with a NaN has no rank: Infinity.
 */
export function labelRanks(logits: Float32Array, labels: Int32Array): number[] {
  const classes = logits.length / labels.length;
  return Array.from(labels, (label, row) => {
    const own = logits[row * classes + label]!;
    let rank = 0;
    for (let c = 0; c < classes; c++) {
      const other = logits[row * classes + c]!;
      if (Number.isNaN(other)) return Number.POSITIVE_INFINITY;
      if (other > own || (other === own && c < label)) rank++;
    }
    return rank;
  });
}

/**
 * Measure a network's logits on every image of a set, without augmentation. The caller puts the network into eval mode.
 * An image for which it computes NaN counts as wrong, and the loss is NaN.
 */
export async function evaluate(
  logitsOf: (images: Tensor) => Tensor,
  set: TensorSet,
  options: EvaluateOptions,
): Promise<Evaluation> {
  const { normalization, batchSize = 128, channelsLast = false } = options;
  let top1 = 0;
  let top5 = 0;
  let loss = 0;
  const start = performance.now();
  for (let first = 0; first < set.count; first += batchSize) {
    options.signal?.throwIfAborted();
    const size = Math.min(batchSize, set.count - first);
    tidy(() =>
      noGrad(() => {
        const images = normalizeImages(set.images.narrow(0, first, size), normalization, channelsLast);
        const labels = set.labels.narrow(0, first, size);
        const logits = logitsOf(images).to('float32');
        loss += crossEntropy(logits, labels).item() * size;
        const [values, truths] = [logits.data() as Float32Array, labels.to('int32').data() as Int32Array];
        options.onLogits?.(first, values, truths);
        for (const rank of labelRanks(values, truths)) {
          if (rank < 1) top1++;
          if (rank < 5) top5++;
        }
      }),
    );
    options.onProgress?.(first + size, set.count);
    // Lets SIGINT and timers through: the engine blocks this thread.
    await new Promise(setImmediate);
  }
  const seconds = (performance.now() - start) / 1000;
  const percent = (n: number): number => (100 * n) / set.count;
  return {
    top1: percent(top1),
    top5: percent(top5),
    loss: loss / set.count,
    count: set.count,
    imagesPerSecond: set.count / seconds,
  };
}
