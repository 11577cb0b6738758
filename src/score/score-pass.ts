/** @file One pass over a training set that measures T. stddev for several augmentations at once. */
import {
  drawCropFlip,
  gatherCropFlip,
  type Normalization,
  normalizeImages,
  type SchemeSettings,
  type StandardOptions,
} from '../augment/index.ts';
import { batchCount, batchIndex, epochOrder, type TensorSet } from '../data/batches.ts';
import { criterionNeeds } from '../distill/pick/index.ts';
import { type Tensor, tidy } from '../torch/index.ts';
import { bootstrapError, MeanProbabilities, meanStddev, probabilitySums } from './stddev.ts';
import { type Judges, type ViewBatch, ViewPool } from './view-pool.ts';
import { type ViewSpec, viewScheme } from './views.ts';

export interface ScorePassOptions {
  seed: number;
  epochs: number;
  batchSize: number;
  /** Steps whose rows are averaged to one vector. */
  group: number;
  /** A draw for each sample, or one for the batch, as in the paper's code. */
  draw: 'sample' | 'batch';
  standard: StandardOptions;
  settings: SchemeSettings;
  normalization: Normalization;
  channelsLast: boolean;
}

export interface ViewScore extends ViewSpec {
  /** Standard deviation of the teacher's mean probability: the lower, the better the augmentation. */
  tStddev: number;
  /** Of `tStddev`, by the bootstrap. */
  standardError: number;
  /** Of the teacher's probabilities on x', in nats. */
  meanEntropy: number;
  /** Mean vectors that the deviation is taken over. */
  vectors: number;
}

/** Images put through each network. */
export interface Forwards {
  teacher: number;
  student: number;
}

export interface ScorePass {
  schemes: ViewScore[];
  forwards: Forwards;
  /** Steps taken; fewer than asked for when the signal came. */
  steps: number;
  stepsAsked: number;
}

export interface ScorePassObserver {
  /**
   * After each step: images of the training set gone through, of all epochs. `scores` computes what they come to so far, its
   * error by so many resamples.
   */
  onStep?(done: number, total: number, forwards: Forwards, scores: (resamples?: number) => ViewScore[]): void;
}

/** Every step's pools, by scheme; and the teacher's logits on what a view comes to. */
function viewLogits(pools: Map<string, ViewPool>, { scheme, pick }: ViewSpec): Float32Array {
  const pool = pools.get(scheme)!;
  return pick ? pool.teacherLogits(pool.pick(pick).indices) : pool.plainLogits();
}

/** How much of a pool the teacher sees anyway: those that need all of it go first, so that the others find it known. */
function appetite({ pick }: ViewSpec): number {
  if (!pick) return 1;
  return criterionNeeds(pick.criterion).teacher ? 1 + pick.factor : 0;
}

/**
 * The most images that pass through each network for one image of the training set: x itself, and every view that somebody
 * asked for once. Views that leave images as they were cost less.
 */
export function forwardsPerImage(specs: readonly ViewSpec[]): Forwards {
  const forwards = { teacher: 1, student: 0 };
  for (const scheme of new Set(specs.map((spec) => spec.scheme))) {
    if (scheme === 'identity') continue;
    const mine = specs.filter((spec) => spec.scheme === scheme);
    const whole = Math.max(
      ...mine.map(({ pick }) => (pick ? (criterionNeeds(pick.criterion).teacher ? pick.factor : 0) : 1)),
    );
    const partial = mine.filter(({ pick }) => pick && !criterionNeeds(pick.criterion).teacher).map(({ pick }) => pick!);
    const pool = Math.max(0, ...partial.map(({ factor }) => factor));
    const kept = partial.reduce((sum, { factor, keep }) => sum + factor * keep, 0);
    forwards.teacher += whole + Math.min(Math.max(0, pool - whole), kept);
  }
  for (const scheme of new Set(specs.map((spec) => spec.scheme))) {
    const factors = specs.flatMap(({ scheme: own, pick }) =>
      own === scheme && pick && criterionNeeds(pick.criterion).student ? [pick.factor] : [],
    );
    forwards.student += [...new Set(factors)].reduce((sum, factor) => sum + factor, 0);
  }
  return forwards;
}

/**
 * Draw x and every view of each batch as a training run with this seed would, and collect the teacher's probabilities on them.
 * x passes the teacher once a step for all augmentations, a pool's images once for all that is picked from it.
 */
export async function scorePass(
  specs: readonly ViewSpec[],
  judges: Judges,
  set: TensorSet,
  options: ScorePassOptions,
  { onStep }: ScorePassObserver = {},
  signal?: AbortSignal,
): Promise<ScorePass> {
  const { seed, epochs, batchSize, group, draw, standard, settings, normalization, channelsLast } = options;
  const { classes } = judges;
  const forwards: Forwards = { teacher: 0, student: 0 };
  const counted =
    (who: keyof Forwards, forward: (images: Tensor) => Tensor) =>
    (images: Tensor): Tensor => {
      forwards[who] += images.size(0);
      return forward(images);
    };
  const counting: Judges = {
    ...judges,
    teacher: counted('teacher', judges.teacher),
    ...(judges.student ? { student: counted('student', judges.student) } : {}),
  };
  const collected = specs.map((spec) => ({
    spec,
    means: new MeanProbabilities(classes, group),
    entropy: 0,
    rows: 0,
  }));
  const byAppetite = [...collected].sort((a, b) => appetite(b.spec) - appetite(a.spec));
  const stepsPerEpoch = batchCount(set.count, batchSize);
  const stepsAsked = epochs * stepsPerEpoch;
  const scores = (resamples?: number): ViewScore[] =>
    collected.map(({ spec, means, entropy, rows }) => ({
      ...spec,
      tStddev: meanStddev(means.vectors),
      standardError: bootstrapError(means.vectors, seed, resamples),
      meanEntropy: entropy / rows,
      vectors: means.vectors.length,
    }));
  let step = 0;
  let done = 0;
  let order = new Int32Array(0);
  for (; step < stepsAsked && !signal?.aborted; step++) {
    const epoch = Math.floor(step / stepsPerEpoch);
    if (step % stepsPerEpoch === 0) order = new Int32Array(epochOrder(seed, epoch, set.count));
    const index = batchIndex(order, step % stepsPerEpoch, batchSize);
    tidy(() => {
      const crops = drawCropFlip(seed, epoch, index, standard);
      const images = gatherCropFlip(set.images, index, crops, standard.padding);
      const x = normalizeImages(images, normalization, channelsLast);
      const teacher = counting.teacher(x).data() as Float32Array;
      const view = { images, x, normalization, channelsLast };
      const batch: ViewBatch = { view, teacher, index, seed, epoch, step, draw, settings };
      const pools = new Map(specs.map((spec) => [spec.scheme, new ViewPool(batch, viewScheme(spec), counting)]));
      const ofX = probabilitySums(teacher, classes);
      for (const to of byAppetite) {
        const ofView = probabilitySums(viewLogits(pools, to.spec), classes);
        to.means.add(ofX, ofView);
        to.entropy += ofView.entropy;
        to.rows += ofView.rows;
      }
    });
    done += index.length;
    onStep?.(done, epochs * set.count, forwards, scores);
    // The engine blocks this thread: let signals and writes through once a step.
    await new Promise(setImmediate);
  }
  return {
    schemes: scores(),
    forwards,
    steps: step,
    stepsAsked,
  };
}
