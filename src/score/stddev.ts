/**
 * @file T. stddev: the standard deviation of the teacher's mean probability, from "What Makes a 'Good' Data Augmentation in
 * Knowledge Distillation" (H. Wang and others, NeurIPS 2022), computed as in the authors' code. Every few steps the teacher's
 * probabilities (temperature 1) on x and x' of those steps are averaged over all rows to one vector; the figure is the
 * standard deviation over the vectors of each class (n - 1), averaged over the classes. Plain numbers, no tensors.
 */
import { stream } from '../torch/random.ts';

/** What a batch adds: the sum of the rows of its probabilities. */
export interface ProbabilitySums {
  rows: number;
  /** By class. */
  sum: Float64Array;
  /** Sum of the rows' entropies, in nats. */
  entropy: number;
}

/**
 * Softmax of each row of logits [rows, classes], summed over the rows. From log-probabilities: one that underflows adds
 * nothing to the entropy.
 *
 * @throws Error for logits that are not finite
 */
export function probabilitySums(logits: ArrayLike<number>, classes: number): ProbabilitySums {
  const rows = logits.length / classes;
  const sum = new Float64Array(classes);
  let entropy = 0;
  for (let row = 0; row < rows; row++) {
    const start = row * classes;
    let largest = Number.NEGATIVE_INFINITY;
    for (let c = 0; c < classes; c++) largest = Math.max(largest, logits[start + c]!);
    let total = 0;
    for (let c = 0; c < classes; c++) total += Math.exp(logits[start + c]! - largest);
    const shift = largest + Math.log(total);
    if (!Number.isFinite(shift)) throw new Error("the teacher's logits are not finite");
    for (let c = 0; c < classes; c++) {
      const log = logits[start + c]! - shift;
      const p = Math.exp(log);
      sum[c]! += p;
      if (p > 0) entropy -= p * log;
    }
  }
  return { rows, sum, entropy };
}

/** Collects batches into vectors of mean probabilities, one for every `group` steps; what is left over at the end is dropped. */
export class MeanProbabilities {
  readonly #group: number;
  readonly #sum: Float64Array;
  #rows = 0;
  #steps = 0;
  readonly vectors: Float64Array[] = [];

  constructor(classes: number, group: number) {
    this.#sum = new Float64Array(classes);
    this.#group = group;
  }

  /** One step: the sums of x and of x'. */
  add(...parts: readonly ProbabilitySums[]): void {
    for (const { rows, sum } of parts) {
      this.#rows += rows;
      for (const [c, value] of sum.entries()) this.#sum[c]! += value;
    }
    if (++this.#steps < this.#group) return;
    this.vectors.push(this.#sum.map((value) => value / this.#rows));
    this.#sum.fill(0);
    this.#rows = 0;
    this.#steps = 0;
  }
}

function meanVector(vectors: readonly Float64Array[]): Float64Array {
  const mean = new Float64Array(vectors[0]!.length);
  for (const vector of vectors) for (const [c, value] of vector.entries()) mean[c]! += value;
  return mean.map((value) => value / vectors.length);
}

/** The standard deviation over the vectors of each component (n - 1), averaged over the components. NaN for fewer than two. */
export function meanStddev(vectors: readonly Float64Array[]): number {
  const count = vectors.length;
  if (count < 2) return Number.NaN;
  const mean = meanVector(vectors);
  let total = 0;
  for (const [c, center] of mean.entries()) {
    let squares = 0;
    for (const vector of vectors) squares += (vector[c]! - center) ** 2;
    total += Math.sqrt(squares / (count - 1));
  }
  return total / mean.length;
}

/** Enough for two digits of a standard error. */
const RESAMPLES = 1000;

/**
 * The standard error of `meanStddev` by the bootstrap (B. Efron, "Bootstrap Methods", 1979): its standard deviation over
 * resamples of the vectors, drawn with replacement. A function of the seed; two lists of equal length are resampled alike, so
 * that augmentations are compared on the same draws. NaN for fewer than two vectors.
 */
export function bootstrapError(vectors: readonly Float64Array[], seed: number, resamples = RESAMPLES): number {
  const count = vectors.length;
  if (count < 2) return Number.NaN;
  const mean = meanVector(vectors);
  const classes = mean.length;
  // Around the mean, so that the difference of squares below loses no digits.
  const centred = vectors.map((vector) => vector.map((value, c) => value - mean[c]!));
  const times = new Uint32Array(count);
  const [sum, squares] = [new Float64Array(classes), new Float64Array(classes)];
  const values = Array.from({ length: resamples }, (_, resample) => {
    const random = stream(seed, 'score.bootstrap', resample);
    times.fill(0);
    for (let i = 0; i < count; i++) times[random.int(count)]!++;
    sum.fill(0);
    squares.fill(0);
    for (const [i, vector] of centred.entries()) {
      const weight = times[i]!;
      if (weight === 0) continue;
      for (let c = 0; c < classes; c++) {
        const value = vector[c]!;
        sum[c]! += weight * value;
        squares[c]! += weight * value * value;
      }
    }
    let total = 0;
    for (let c = 0; c < classes; c++) {
      total += Math.sqrt(Math.max(0, squares[c]! - sum[c]! ** 2 / count) / (count - 1));
    }
    return total / classes;
  });
  const center = values.reduce((a, b) => a + b, 0) / resamples;
  return Math.sqrt(values.reduce((a, b) => a + (b - center) ** 2, 0) / (resamples - 1));
}
