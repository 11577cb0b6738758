import { type Normalization, normalizeImages } from '../augment/index.ts';
import type { TensorSet } from '../data/batches.ts';
import { crossEntropy } from '../distill/kl.ts';
import { noGrad, ops, type Tensor, tidy } from '../torch/index.ts';

/** How well a network does on a set: shares in per cent, loss as mean cross entropy at temperature 1. */
export interface Evaluation {
  /** Per cent of pictures whose label is the most likely class. */
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
  /** Asked to stop: throws its reason between batches. */
  signal?: AbortSignal;
}

/** How many rows have their label among the k largest logits. Ties count for the label, as rank by strictly larger logits. */
function hits(logits: Tensor, labels: Tensor, k: number): number {
  const own = logits.gather(1, labels.unsqueeze(1));
  return ops
    .ltScalar(logits.gt(own).sum([1]), k)
    .sum()
    .item();
}

/**
 * Measure a network's logits on every picture of a set, without augmentation. The caller puts the network into eval mode.
 * A network that computes NaN gets no credit: its loss is NaN and its pictures count as wrong.
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
        const batchLoss = crossEntropy(logits, labels).item();
        loss += batchLoss * size;
        if (Number.isNaN(batchLoss)) return;
        top1 += hits(logits, labels, 1);
        top5 += hits(logits, labels, 5);
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
