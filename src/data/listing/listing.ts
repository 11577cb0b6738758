/** @file What a dataset of image files is before any image is decoded: names, classes, places. */
import { join } from 'node:path';
import { UserError } from '../../base/errors.ts';
import { stream } from '../../torch/random.ts';
import type { ImageRef } from '../decode/task.ts';
import type { Split } from '../image-set.ts';

/** The images of one split. */
export interface ImageList {
  /** What the user knows each by: mostly its path below the root. */
  names: readonly string[];
  /** One class an image, from 0. */
  labels: Int32Array;
  ref(index: number): ImageRef;
}

export interface ImageListing {
  root: string;
  /** In prose: `a folder of images`, `Tiny ImageNet`. */
  title: string;
  /** In the order of the labels. */
  classNames: readonly string[];
  lists: Readonly<Record<Split, ImageList>>;
  /** Files that are no images, by their extension. */
  ignored: Ignored;
  /** Set where the test images were taken out of one list by a seed. */
  split: { fraction: number; seed: number } | null;
}

/** Files passed over. */
export interface Ignored {
  hidden: number;
  /** Files of other kinds: how many of each extension, in lower case. */
  others: Record<string, number>;
  /** Links that lead back into a folder they lie in, and links to nothing. */
  links: number;
}

export const nothingIgnored = (): Ignored => ({ hidden: 0, others: {}, links: 0 });

/** Sorted as Python sorts strings: by code point. JavaScript's own order differs where surrogates meet U+E000 and above. */
export const byName = (a: string, b: string): number => {
  let i = 0;
  while (i < a.length && a.charCodeAt(i) === b.charCodeAt(i)) i++;
  return (a.codePointAt(i) ?? -1) - (b.codePointAt(i) ?? -1);
};

/** A part of a list, in the order of `indices`. */
export function sublist(list: ImageList, indices: readonly number[]): ImageList {
  return {
    names: indices.map((i) => list.names[i]!),
    labels: Int32Array.from(indices, (i) => list.labels[i]!),
    ref: (index) => list.ref(indices[index]!),
  };
}

/**
 * Take a fraction of each class out as test images: rounded, at least one, never a class's last. A function of the seed, the
 * classes and the order of the files.
 *
 * @throws UserError where a class has a single image
 */
export function splitList(
  list: ImageList,
  classNames: readonly string[],
  fraction: number,
  seed: number,
): Record<Split, ImageList> {
  if (!(fraction > 0 && fraction < 1)) {
    throw new UserError(`the share of test images must be between 0 and 1, not ${fraction}`, {
      hint: 'for example 0.1',
    });
  }
  const members: number[][] = classNames.map(() => []);
  list.labels.forEach((label, i) => {
    members[label]!.push(i);
  });
  const held = new Uint8Array(list.names.length);
  members.forEach((ofClass, label) => {
    if (ofClass.length < 2) {
      throw new UserError(
        `the class ${classNames[label]} has ${ofClass.length} image: none can be kept apart for testing`,
        { hint: 'give each class two images or more, or put test images into a folder of their own: train/ and test/' },
      );
    }
    const wanted = Math.min(Math.max(1, Math.round(fraction * ofClass.length)), ofClass.length - 1);
    const order = stream(seed, 'data.split', label).permutation(ofClass.length);
    for (let i = 0; i < wanted; i++) held[ofClass[order[i]!]!] = 1;
  });
  const indices = [...held.keys()];
  return {
    train: sublist(
      list,
      indices.filter((i) => !held[i]),
    ),
    test: sublist(
      list,
      indices.filter((i) => held[i]),
    ),
  };
}

/** A list of whole files. */
export function filesBelow(root: string, names: readonly string[], labels: Int32Array): ImageList {
  return { names, labels, ref: (index) => ({ name: names[index]!, path: join(root, names[index]!) }) };
}
