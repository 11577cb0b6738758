/** @file All images of a list decoded into memory. */
import { availableParallelism } from 'node:os';
import { UserError } from '../../base/errors.ts';
import type { ImageSet } from '../image-set.ts';
import type { ImageList } from '../listing/listing.ts';
import type { BadImages } from './bad-images.ts';
import { type DecodeOptions, decodeDefaults } from './image.ts';
import { DecodePool } from './pool.ts';
import { readBatches } from './read-batches.ts';
import type { View } from './task.ts';

export interface LoadImagesOptions {
  view: View;
  bad: BadImages;
  /** Threads, by default one a processor; 0: this one. */
  workers?: number;
  decode?: DecodeOptions;
  onProgress?(done: number, total: number): void;
}

/**
 * Decode a list: uint8 [N, 3, size, size] in its order, less the bad images where those are skipped.
 *
 * @throws UserError naming the file where an image is bad and not to be skipped, and where none is left
 */
export async function loadImages(
  list: ImageList,
  classNames: readonly string[],
  { view, bad, workers = availableParallelism(), decode = decodeDefaults, onProgress }: LoadImagesOptions,
): Promise<ImageSet> {
  const { size } = view;
  const imageBytes = 3 * size * size;
  const total = list.names.length;
  const images = new Uint8Array(total * imageBytes);
  const labels = new Int32Array(total);
  let count = 0;
  const pool = new DecodePool(Math.min(workers, Math.ceil(total / 8)));
  try {
    const order = Int32Array.from({ length: total }, (_, i) => i);
    const plan = { order, batchSize: 64, view, seed: 0, epoch: 0 };
    for await (const batch of readBatches(pool, (i) => list.ref(i), plan, decode, bad)) {
      images.set(batch.images, count * imageBytes);
      for (const i of batch.index) labels[count++] = list.labels[i]!;
      onProgress?.(count, total);
    }
  } finally {
    await pool.close();
  }
  if (count === 0) throw new UserError('none of the images can be decoded');
  const kept = count === total ? images : images.slice(0, count * imageBytes);
  return { images: kept, labels: labels.slice(0, count), count, channels: 3, height: size, width: size, classNames };
}
