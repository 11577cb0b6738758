/**
 * @file Batches of decoded images in a given order. The threads work ahead by a fixed number of batches and no further; the memory
 * of a batch is used again once it has been taken. Neither the number of threads nor where reading begins changes a batch.
 */
import type { BadImages } from './bad-images.ts';
import type { DecodeOptions } from './image.ts';
import type { DecodePool } from './pool.ts';
import type { ImageRef, View } from './task.ts';

export interface BatchPlan {
  /** The image numbers of the epoch, in order. */
  order: Int32Array;
  batchSize: number;
  /** The batch to begin with. */
  firstStep?: number;
  view: View;
  seed: number;
  epoch: number;
}

export interface ImageBatch {
  step: number;
  /** uint8 [index.length, 3, size, size]; overwritten when the next batch is asked for. */
  images: Uint8Array;
  /** The images that are in it: those of the order less the bad ones. */
  index: Int32Array;
  /** Milliseconds the reader had to wait for it. */
  waited: number;
}

/** Images one thread takes at a time: small enough that a batch is shared among them, large enough that messages cost nothing. */
const perTask = 8;

/** Batches decoded ahead. */
const ahead = 3;

/** @throws UserError naming the file where an image is bad and not to be skipped */
export async function* readBatches(
  pool: DecodePool,
  refOf: (sample: number) => ImageRef,
  plan: BatchPlan,
  options: DecodeOptions,
  bad: BadImages,
): AsyncGenerator<ImageBatch, void, undefined> {
  const { order, batchSize, view, seed, epoch } = plan;
  const imageBytes = 3 * view.size * view.size;
  const steps = Math.ceil(order.length / batchSize);
  const free: SharedArrayBuffer[] = [];
  type Begun = {
    step: number;
    out: SharedArrayBuffer;
    index: Int32Array;
    work: Promise<{ at: number; reason: string }[]>;
  };
  const begun: Begun[] = [];

  const begin = (step: number): Begun => {
    const out = free.pop() ?? new SharedArrayBuffer(batchSize * imageBytes);
    const index = order.slice(step * batchSize, (step + 1) * batchSize);
    const tasks: Promise<{ at: number; reason: string }[]>[] = [];
    for (let first = 0; first < index.length; first += perTask) {
      const samples = index.slice(first, first + perTask);
      const images = Array.from(samples, refOf);
      tasks.push(
        pool
          .run({ kind: 'decode', images, samples, view, seed, epoch, options, out, first })
          .then((answer) => answer.bad.map(({ at, reason }) => ({ at: first + at, reason }))),
      );
    }
    const work = Promise.all(tasks).then((found) => found.flat());
    // A failure is told when this batch's turn comes.
    work.catch(() => {});
    return { step, out, index, work };
  };

  let next = plan.firstStep ?? 0;
  while (next < steps || begun.length > 0) {
    while (next < steps && begun.length < ahead) begun.push(begin(next++));
    const { step, out, index, work } = begun.shift()!;
    const since = performance.now();
    const failed = await work;
    const waited = performance.now() - since;
    for (const { at, reason } of failed) bad.add({ name: refOf(index[at]!).name, reason });
    const images = new Uint8Array(out);
    const kept = failed.length > 0 ? dropRows(images, index, new Set(failed.map(({ at }) => at)), imageBytes) : index;
    yield { step, images: images.subarray(0, kept.length * imageBytes), index: kept, waited };
    free.push(out);
  }
}

/** Move the rows that are kept together. */
function dropRows(images: Uint8Array, index: Int32Array, dropped: Set<number>, rowBytes: number): Int32Array {
  const kept: number[] = [];
  for (let row = 0; row < index.length; row++) {
    if (dropped.has(row)) continue;
    if (kept.length !== row) images.copyWithin(kept.length * rowBytes, row * rowBytes, (row + 1) * rowBytes);
    kept.push(index[row]!);
  }
  return Int32Array.from(kept);
}
