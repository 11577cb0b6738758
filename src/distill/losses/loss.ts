/**
 * @file What a distillation loss is. A definition says what the method is (paper, equation, defaults) and makes, for one pair of
 * networks, a loss: a pure function from features to named scalar terms, with the modules it trains and the phases it needs.
 * The trainer sums the terms, each times the loss's weight; it knows none of the methods.
 *
 *     definition = findLoss('crd')                       what it is; nothing is allocated
 *     loss = createLoss('crd', context, { options })      checked against both networks; modules and memories made
 *     enterPhase(loss, 'train')                           which of its modules train
 *     loss.terms(input)                                   { student: scalar, teacher: scalar }, before the weight
 *
 * State: `loss.modules` is a module, so its parameters go to the optimizer, its state dict (memories included) to the
 * checkpoint, and `dispose` frees it. Nothing else outlives a call of `terms`.
 */

import type { OptionSpecs, OptionValues } from '../../base/options.ts';
import { checkPart } from '../../base/part.ts';
import type { Features } from '../../models/index.ts';
import type { Tensor } from '../../torch/index.ts';
import type { ModuleDict } from './modules.ts';

/** The shapes of one image's taps, without the batch: [channels, height, width], and last [channels]. */
export type TapShapes = readonly (readonly number[])[];

/** What a loss must know about a network before the first batch. */
export interface NetworkShape {
  /** Its name in the model registry: some methods' learning rates go by family. */
  name: string;
  taps: TapShapes;
}

/** What a loss is made for. */
export interface LossContext {
  student: NetworkShape;
  teacher: NetworkShape;
  classes: number;
  /** Number of training samples; `index` of an input is below it. */
  samples: number;
  /** The class of each training sample. Needed by losses that draw samples of other classes (crd). */
  labels?: ArrayLike<number>;
  batchSize: number;
  seed: number;
  /** Where modules and memories live. Default `cpu`. */
  device?: string;
  /** Bytes that may be allocated. Default: what the machine has free. */
  availableMemory?: number;
}

/** Two-stage methods prepare the student (or their own modules) in `init`; every method ends with `train`. */
export type PhaseName = 'init' | 'train';

/** `taps`: as the network returns them; `preact`: stages before their last ReLU (see `FeatureOptions`). */
export type TapKind = 'none' | 'taps' | 'preact';

/** What must be in the input of `terms`. Logits and labels are there whenever the student runs. */
export interface Needs {
  /** Which of the student's taps; `none` in `init`: the student need not run at all. */
  student: TapKind;
  teacher: TapKind;
  /** The ids of the samples in the training set. */
  index: boolean;
}

/** One stage of training, as data for a trainer. */
export interface LossPhase {
  name: PhaseName;
  /** Epochs of an `init` phase; null: the run's own. */
  epochs: number | null;
  /** The learning rate throughout the phase; null: the run's own (in `init` its first one, without a schedule). */
  lr: number | null;
  /**
   * Whether the student trains. In an `init` phase only what the terms reach does (the feature modules: a classifier gets no
   * gradient, and a parameter without one is left alone, weight decay included), and there is no cross entropy.
   */
  student: boolean;
  /** The names in `loss.modules` that train; the others are frozen and in eval mode. */
  trains: readonly string[];
  needs: Needs;
}

/** One batch as a loss sees it. Nothing flows back into the teacher. bfloat16 taps are converted where they are used. */
export interface LossInput {
  /** Logits [B, classes] and taps [B, …] of the student, with gradient. */
  student: Features;
  teacher: Features;
  /** int64 [B] */
  labels: Tensor;
  /** Ids of the samples in the training set, [B]. */
  index?: Int32Array;
  /** For crd: ids of the samples to compare with, [B, 1 + negatives], the positive first. Drawn when absent. */
  contrast?: Int32Array;
  /** Complete epochs before this one, counted from the start of the phase. */
  epoch: number;
  /** Steps taken before this one, counted from the start of the phase. */
  step: number;
  seed: number;
  phase: PhaseName;
}

/** Scalars by name, before weights; their sum is the loss. Empty where a phase has none. */
export type LossTerms = Record<string, Tensor>;

/** What a definition's `create` gives. */
export interface LossParts {
  /** Modules of the loss's own by name. */
  modules?: ModuleDict;
  /** At most one `init`, and `train` last. Default: one `train` phase that trains every module. */
  phases?: readonly LossPhase[];
  /** Needs of the default `train` phase. Default: no taps. */
  needs?: Partial<Needs>;
  /** The share of the weight in an epoch (from 0), for methods that warm up. Default 1. */
  ramp?: (epoch: number) => number;
  /** Runs inside a tidy: what it does not return is freed. */
  terms(input: LossInput): LossTerms;
}

/** A loss made for one pair of networks. */
export interface DistillLoss {
  readonly name: string;
  /** Its weight in the total of a `train` phase, before `ramp`; in `init` it is 1. */
  readonly weight: number;
  readonly options: Readonly<Record<string, unknown>>;
  readonly modules: ModuleDict;
  readonly phases: readonly LossPhase[];
  /** The share of the weight that counts in this epoch (from 0) of the `train` phase. */
  ramp(epoch: number): number;
  /** Scalar tensors that carry gradient into the student's features and the trained modules. */
  terms(input: LossInput): LossTerms;
  /** Free its modules and memories. */
  dispose(): void;
}

export interface LossDefinition<Specs extends OptionSpecs = OptionSpecs> {
  readonly kind: 'loss';
  /** The short name. */
  name: string;
  /** Other names it answers to, RepDistiller's first. */
  aliases: readonly string[];
  /** Authors, title, venue. */
  paper: string;
  /** Null where there is no paper. */
  year: number | null;
  /** One line, as in docs/losses.md. */
  equation: string;
  /** Which taps it reads, for people. */
  taps: string;
  /** Default weight (RepDistiller's beta). */
  weight: number;
  /** The cross entropy's weight in the recipe that the default weight belongs to. */
  gamma: number;
  /** Whether it acts in its `init` phase alone, and adds nothing to the run's own epochs. */
  initOnly?: true;
  /** Why it cannot act on a second, strongly augmented view x'; absent: it can. */
  onlyOriginal?: string;
  options: Specs;
  /** Refuses what would not fit; allocates nothing. */
  check?(context: Omit<LossContext, 'student' | 'teacher'>, options: OptionValues<Specs>): void;
  create(context: LossContext, options: OptionValues<Specs>): LossParts;
}

type Told = 'aliases' | 'paper' | 'year' | 'equation' | 'taps' | 'weight' | 'gamma' | 'options';

/** A loss as it is written down: what people are told has a default. */
export type WrittenLoss<Specs extends OptionSpecs> = Omit<LossDefinition<Specs>, 'kind' | Told> &
  Partial<Pick<LossDefinition<Specs>, Told>>;

/**
 * A distillation loss: one of ours, or one of one's own as `--method ./my-loss.ts` or in a configuration. Weight and gamma are 1
 * unless given.
 *
 * @example
 * export default defineLoss({
 *   name: 'logit-mse',
 *   options: { scale: options.positive(0.1, 'multiplies the squared distance') },
 *   create: (_context, { scale }) => ({
 *     terms: ({ student, teacher }) => ({ mse: student.logits.sub(teacher.logits).square().mean().mul(scale) }),
 *   }),
 * });
 * @throws UserError for a definition that does not fit
 */
export function defineLoss<const Specs extends OptionSpecs>(written: WrittenLoss<Specs>): LossDefinition<Specs> {
  checkPart('loss', written, ['create']);
  return {
    aliases: [],
    paper: 'own',
    year: null,
    equation: '',
    // Of a loss that does not say it, all may be read.
    taps: 'taps',
    weight: 1,
    gamma: 1,
    options: {} as Specs,
    ...written,
    kind: 'loss',
  };
}
