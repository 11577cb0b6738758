/** @file What an augmentation scheme is: a draw of plain parameters from random streams, and their application to a batch. */
import { type OptionSpecs, type OptionValues, resolveOptions } from '../base/options.ts';
import { checkPart, remember } from '../base/part.ts';
import type { DatasetInfo } from '../data/dataset.ts';
import { type Tensor, tidy } from '../torch/index.ts';
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
  readonly kind: 'augmentation';
  readonly name: string;
  /** Who proposed it: authors, title, year. */
  readonly source: string;
  /** Whether images are mixed with one another: its parameters then hold a `Mix`. */
  readonly mixes: boolean;
  readonly options: OptionSpecs;
  /**
   * A function of the context and the options alone; each option has its default unless given.
   *
   * @throws UserError when the batch is too small to mix, or for an option that is not known or not allowed
   */
  draw(context: DrawContext, options?: Readonly<Record<string, unknown>>): P;
  /** x' [B, 3, H, W]: normalised, in x's layout, sharing no memory with the view. No gradient flows through. */
  apply(view: BatchView, parameters: P): Tensor;
}

/** An augmentation as it is written down. */
export interface AugmentationDefinition<Specs extends OptionSpecs, P extends Parameters> {
  name: string;
  /** Who proposed it: authors, title, year. Default: `own`. */
  source?: string;
  /** Whether images are mixed with one another: then its parameters hold a `Mix`. Default: false. */
  mixes?: boolean;
  /** Its options with their defaults: see `positive`, `probability`, `count` and the others of `options`. Default: none. */
  options?: Specs;
  /**
   * What to do to each image of a batch, as plain data. A function of the context and the options: everything random comes from
   * `drawEach` and `partnerStream`, so that a run can be continued to the bit and shown again.
   */
  draw(context: DrawContext, options: OptionValues<Specs>): P;
  /** x' [B, 3, H, W], float32, normalised like `view.x`, in memory of its own. Frees what it does not return. */
  apply(view: BatchView, parameters: P): Tensor;
}

/**
 * An augmentation of one's own: as `--augment ./my-aug.ts`, or in a configuration.
 *
 * @example
 * export default defineAugmentation({
 *   name: 'dim',
 *   options: { least: fraction(0.5, 'the darkest an image gets') },
 *   draw: (context, { least }) => ({
 *     light: Float64Array.from(drawEach(context, 'dim', (random) => random.uniform(least, 1))),
 *   }),
 *   apply: ({ x }, { light }) => x.mul(tensor(light, { shape: [light.length, 1, 1, 1], dtype: x.dtype, device: x.device })),
 * });
 * @throws UserError for a definition that does not fit
 */
export function defineAugmentation<const Specs extends OptionSpecs, P extends Parameters>(
  definition: AugmentationDefinition<Specs, P>,
): Scheme<P> {
  const { name, source = 'own', mixes = false, options = {} as Specs } = definition;
  checkPart('augmentation', definition, ['draw', 'apply']);
  const scheme: Scheme<P> = {
    kind: 'augmentation',
    name,
    source,
    mixes,
    options,
    draw: (context, given) => definition.draw(context, resolveOptions(name, options, given)),
    apply: (view, parameters) => tidy(() => definition.apply(view, parameters)),
  };
  return remember(scheme, definition);
}

/** A scheme with its options chosen. @throws UserError for one that is not known or not allowed */
export function withOptions(scheme: Scheme, options: Readonly<Record<string, unknown>> = {}): Scheme {
  const chosen = resolveOptions(scheme.name, scheme.options, options) as Readonly<Record<string, unknown>>;
  return { ...scheme, draw: (context, more) => scheme.draw(context, { ...chosen, ...more }) };
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
