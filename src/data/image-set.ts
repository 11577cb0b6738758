import { UserError } from '../base/errors.ts';
import { stream } from '../torch/random.ts';

/** Which half of a dataset: what is learnt from, or what is measured on. */
export type Split = 'train' | 'test';

/** Images in memory, as bytes: what every reader returns and the batches are cut from. */
export interface ImageSet {
  /** count · 3 · height · width bytes, each image planar (CHW: all of red, then green, then blue), 0 to 255. */
  images: Uint8Array;
  /** One class an image, from 0. */
  labels: Int32Array;
  count: number;
  channels: 3;
  height: number;
  width: number;
  /** One name a class, in the order of the labels. */
  classNames: readonly string[];
}

/** The images at `indices`, in that order; a copy. */
export function subset(set: ImageSet, indices: ArrayLike<number>): ImageSet {
  const bytes = set.channels * set.height * set.width;
  const images = new Uint8Array(indices.length * bytes);
  const labels = new Int32Array(indices.length);
  for (let to = 0; to < indices.length; to++) {
    const from = indices[to]!;
    if (!(Number.isInteger(from) && from >= 0 && from < set.count)) {
      throw new UserError(`there is no image ${from} in a set of ${set.count}`);
    }
    images.set(set.images.subarray(from * bytes, (from + 1) * bytes), to * bytes);
    labels[to] = set.labels[from]!;
  }
  return { ...set, images, labels, count: indices.length };
}

/** How many images each class has. */
export function classCounts(set: ImageSet): Int32Array {
  const counts = new Int32Array(set.classNames.length);
  for (const label of set.labels) counts[label]!++;
  return counts;
}

/**
 * A fixed, balanced part of a set: the first limit / classes images of each class, in file order; what does not divide goes
 * one each to the first classes. A class that has too few gives all it has and the others share the rest, so that exactly
 * `limit` images come back.
 *
 * @throws UserError when the limit is not a whole number from 1 to the size of the set
 */
export function limitPerClass(set: ImageSet, limit: number): ImageSet {
  if (!(Number.isInteger(limit) && limit >= 1)) {
    throw new UserError(`a limit must be a whole number of images, at least 1, not ${limit}`);
  }
  if (limit > set.count) {
    throw new UserError(`a limit of ${limit} is more than the ${set.count} images there are`, {
      hint: `leave the limit out, or choose at most ${set.count}`,
    });
  }
  const quota = quotas(classCounts(set), limit);
  const chosen: number[] = [];
  for (let i = 0; i < set.count; i++) if (quota[set.labels[i]!]!-- > 0) chosen.push(i);
  return subset(set, chosen);
}

/** Raise a common level until the classes, each capped by what it has, give `limit`; then one more from the first ones. */
function quotas(counts: Int32Array, limit: number): number[] {
  let low = 0;
  let high = limit;
  while (low < high) {
    const level = Math.ceil((low + high) / 2);
    const total = counts.reduce((sum, count) => sum + Math.min(count, level), 0);
    if (total <= limit) low = level;
    else high = level - 1;
  }
  let left = limit - counts.reduce((sum, count) => sum + Math.min(count, low), 0);
  return Array.from(counts, (count) => Math.min(count, low) + (count > low && left-- > 0 ? 1 : 0));
}

/**
 * Set a part of the training images aside for choosing settings, so that the test set is looked at once. Stratified: each
 * class gives the same fraction (rounded, at least one image, never its last). Depends only on the seed and the labels;
 * with the same seed a smaller fraction is a part of a larger one. Both parts keep the file order.
 */
export function holdout(set: ImageSet, fraction: number, seed: number): { train: ImageSet; dev: ImageSet } {
  if (!(fraction > 0 && fraction < 1)) {
    throw new UserError(`the held-out fraction must be between 0 and 1, not ${fraction}`, { hint: 'for example 0.1' });
  }
  const members: number[][] = set.classNames.map(() => []);
  for (let i = 0; i < set.count; i++) members[set.labels[i]!]!.push(i);
  const held = new Uint8Array(set.count);
  members.forEach((ofClass, label) => {
    const wanted = Math.min(Math.max(1, Math.round(fraction * ofClass.length)), ofClass.length - 1);
    const order = stream(seed, 'data.holdout', label).permutation(ofClass.length);
    for (let i = 0; i < wanted; i++) held[ofClass[order[i]!]!] = 1;
  });
  const indices = [...held.keys()];
  return {
    train: subset(
      set,
      indices.filter((i) => !held[i]),
    ),
    dev: subset(
      set,
      indices.filter((i) => held[i]),
    ),
  };
}
