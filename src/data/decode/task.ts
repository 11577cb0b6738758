/** @file What the decoding threads are asked and what they answer. */

import type { RandomResizedCropOptions } from './geometry.ts';
import type { DecodeOptions } from './image.ts';

/** Where an encoded image lies: a whole file, a part of one, or a part of shared memory. */
export interface ImageRef {
  /** What the user knows it by. */
  name: string;
  path: string;
  /** In bytes, where it is not the whole file. */
  offset?: number;
  length?: number;
  memory?: SharedArrayBuffer;
}

/** How an image becomes size × size pixels. */
export type View =
  | ({ kind: 'train'; size: number } & RandomResizedCropOptions)
  | { kind: 'eval'; size: number; resize: number };

export interface DecodeTask {
  kind: 'decode';
  id: number;
  images: readonly ImageRef[];
  /** Number of each image in its dataset: what its random draws belong to. */
  samples: Int32Array;
  view: View;
  seed: number;
  epoch: number;
  options: DecodeOptions;
  /** uint8 [B, 3, size, size]; the task's images begin at row `first`. */
  out: SharedArrayBuffer;
  first: number;
}

export interface CheckTask {
  kind: 'check';
  id: number;
  images: readonly ImageRef[];
  options: DecodeOptions;
}

export type Task = DecodeTask | CheckTask;

/** One image looked at by `thrive data check`. */
export interface Looked {
  width: number;
  height: number;
  format: string;
  bytes: number;
  /** SHA-256 of the file's bytes, in base64. */
  hash: string;
  /** Warnings of the decoder: the file is not as it should be, but was decoded. */
  warnings: number;
}

export interface Answer {
  id: number;
  /** Images that could not be used: their place in the task, and why. */
  bad: { at: number; reason: string }[];
  /** One an image, null where it is bad; of a check only. */
  looked?: (Looked | null)[];
}
