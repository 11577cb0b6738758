/** @file What an augmentation scheme is: a draw of plain parameters from random streams, and their application to a batch. */
import type { DatasetInfo } from '../data/dataset.ts';
import type { Tensor } from '../torch/index.ts';
import { type Stream, stream } from '../torch/random.ts';
import type { Normalization } from './normalize.ts';

/** One batch after the standard augmentation: what a scheme makes its second view from. */
export interface BatchView {
  /** uint8 [B, 3, H, W]; operations on bytes begin here, and their result is normalised afterwards. */
  images: Tensor;
  /** The same, normalised: float32 [B, 3, H, W], channels last where `channelsLast`. Mixing and cutting begin here. */
  x: Tensor;
  normalization: Normalization;
  channelsLast: boolean;
}

/** What a scheme's strength is unless its options say it: the dataset's. */
export interface SchemeSettings {
  /** Pixels of black border that crop+flip adds on every side. */
  padding: number;
  /** Side of cutout's hole in pixels. */
  cutout: number;
  /** The policy of AutoAugment; undefined where the dataset names none. */
  policy?: DatasetInfo['policy'];
}

/** The counters that a draw is a function of, and what it needs to know of the batch. */
export interface DrawContext {
  seed: number;
  epoch: number;
  /** Steps taken before this one, over the whole run. */
  step: number;
  /** Which view of the batch in a pool of several: 0 for the first or only one. */
  round: number;
  /** The sample's number in the training set, for each of the batch. */
  index: Int32Array;
  height: number;
  width: number;
  /** Parameters of its own for each sample, or one set for the whole batch (as in the paper's code). */
  draw: 'sample' | 'batch';
  settings: SchemeSettings;
}

/** Plain data: log it, send it, apply it again. Arrays hold one entry (or a fixed number of them) a sample. */
export type Parameters = Readonly<Record<string, number | Int32Array | Float64Array | Uint8Array>>;

/** Parameters of schemes that mix each image with another. */
export interface Mix {
  /** Where in the batch each image's partner is. */
  readonly partner: Int32Array;
  /** The image's own share of the result, from 0 to 1; its partner has the rest. Hard labels are mixed by it. */
  readonly lambda: Float64Array;
}

/** An augmentation. Add one: its file, its test, its line in schemes.ts. */
export interface Scheme<P extends Parameters = Parameters> {
  readonly name: string;
  /** Who proposed it: authors, title, year. */
  readonly source: string;
  /** Whether images are mixed with one another: its parameters then hold a `Mix`. */
  readonly mixes: boolean;
  /** A function of the context alone. @throws UserError when the batch is too small to mix */
  draw(context: DrawContext): P;
  /** x' [B, 3, H, W]: normalised, in x's layout, sharing no memory with the view. No gradient flows through. */
  apply(view: BatchView, parameters: P): Tensor;
}

/** What a dataset says of the strength of augmentations. */
export const schemeSettings = ({
  padding,
  cutout,
  policy,
}: Pick<DatasetInfo, 'padding' | 'cutout' | 'policy'>): SchemeSettings => ({ padding, cutout, policy });

/**
 * What `draw` takes from each sample's own stream, a function of (seed, epoch, round, sample); or, where the batch shares one
 * set, what it takes from the stream of (seed, step, round), for every sample.
 */
export function drawEach<T>(context: DrawContext, scheme: string, draw: (random: Stream) => T): T[] {
  const { seed, epoch, step, round, index } = context;
  if (context.draw === 'batch') {
    const shared = draw(stream(seed, `augment.${scheme}.batch`, step, round));
    return Array.from(index, () => shared);
  }
  const samples = stream(seed, `augment.${scheme}`, epoch, round);
  return Array.from(index, (sample) => draw(samples.child(sample)));
}

/** The stream that partners come from: always one permutation of the batch, whatever is drawn for each sample. */
export const partnerStream = ({ seed, step, round }: DrawContext, scheme: string): Stream =>
  stream(seed, `augment.${scheme}.partner`, step, round);
