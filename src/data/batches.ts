/** @file A dataset as tensors, and the order in which a run reads it. */
import { keep, type Tensor, tensor } from '../torch/index.ts';
import { stream } from '../torch/random.ts';
import type { ImageSet } from './image-set.ts';

/** A whole dataset on one device: images as one uint8 tensor [N, 3, H, W], labels int64 [N]. */
export interface TensorSet {
  images: Tensor;
  labels: Tensor;
  count: number;
  dispose(): void;
}

export function toTensorSet(set: ImageSet, device = 'cpu'): TensorSet {
  const images = keep(tensor(set.images, { shape: [set.count, set.channels, set.height, set.width], device }));
  const labels = keep(tensor(set.labels, { dtype: 'int64', device }));
  return {
    images,
    labels,
    count: set.count,
    dispose() {
      images.dispose();
      labels.dispose();
    },
  };
}

/** The order of samples in an epoch: a permutation that depends on (seed, epoch) alone. */
export function epochOrder(seed: number, epoch: number, count: number): Int32Array {
  return stream(seed, 'shuffle', epoch).permutation(count);
}

/** Steps an epoch takes; the last batch may be smaller, none is dropped. */
export const batchCount = (count: number, batchSize: number): number => Math.ceil(count / batchSize);

/** The sample indices of batch `step` of an order. */
export function batchIndex(order: Int32Array, step: number, batchSize: number): Int32Array {
  return order.slice(step * batchSize, (step + 1) * batchSize);
}
