/**
 * @file Picking: from a pool of augmented views of a batch, keep those that have the most to teach. From "Knowledge
 * Distillation Thrives on Data Augmentation" (H. Wang and others, 2020; later version, section 3.2), for any augmentation.
 * Unlike the authors' code: log-softmax throughout, so an underflow is no NaN that sorts as the largest; the kept share is of
 * the pool and not an absolute number; the pool's teacher logits are there to be used again (`takePicked`).
 */
import { UserError } from '../../base/errors.ts';
import { resolveOptions } from '../../base/options.ts';
import { noGrad, type Tensor, tensor, tidy } from '../../torch/index.ts';
import type { CriterionDefinition, CriterionInput } from './criterion.ts';
import { findCriterion } from './registry.ts';

export interface PickOptions {
  /** By name, or the path of a file that was loaded. */
  criterion: string;
  /** Of the criterion; its defaults unless given. */
  options?: Readonly<Record<string, unknown>> | undefined;
  /** Views of the batch that make the pool. */
  factor: number;
  /** Share of the pool that is kept. */
  keep: number;
}

/** Two views, half of them kept: as many images as the batch has. */
export const pickDefaults: Readonly<PickOptions> = { criterion: 'kl', factor: 2, keep: 0.5 };

/** Refuses what cannot be picked with, before anything is loaded. @throws UserError */
export function checkPickOptions(given: PickOptions): PickOptions {
  const { criterion, options, factor, keep } = given;
  const definition = findCriterion(criterion);
  if (options) resolveOptions(definition.name, definition.options, options);
  if (factor < 1) {
    throw new UserError(`a pool of ${factor} times the batch is smaller than the batch: nothing is left to pick`, {
      hint: 'the pool factor must be an integer from 2 up (the paper: 2)',
    });
  }
  if (factor === 1) {
    throw new UserError('a pool factor of 1 leaves nothing to pick from', {
      hint: 'use a pool factor of 2 or more, or turn picking off',
    });
  }
  if (!Number.isInteger(factor)) {
    throw new UserError(`the pool factor must be a whole number of views of the batch, got ${factor}`);
  }
  if (!(keep > 0 && keep < 1)) {
    throw new UserError(`the kept share of the pool must be above 0 and below 1, got ${keep}`, {
      hint: 'the paper keeps half of a pool of twice the batch: 0.5',
    });
  }
  return { criterion, ...(options ? { options } : {}), factor, keep };
}

/** How many images are kept for a batch of `batch`, the last and smaller one included: at least one. */
export const pickCount = ({ factor, keep }: PickOptions, batch: number): number =>
  Math.max(1, Math.round(factor * batch * keep));

export interface PickInput {
  criterion: string;
  options?: Readonly<Record<string, unknown>> | undefined;
  /** How many images are kept, at most `size`. */
  keep: number;
  /** Images in the pool. */
  size: number;
  /** Logits [size, classes]; which ones are needed, `criterionNeeds` says. */
  poolTeacherLogits?: Tensor;
  poolStudentLogits?: Tensor;
  /** The teacher's logits [B, classes] on x. */
  batchTeacherLogits?: Tensor;
  /** For `kl`; the paper's is 4. */
  temperature?: number;
  /** For `random`: a function of the seed and the step. */
  seed: number;
  step: number;
}

export interface Picked {
  /** Places in the pool, best first; of equal scores, the earlier. */
  indices: Int32Array;
  /** The criterion of every image in the pool. */
  scores: Float64Array;
  /** Mean score of the picked over mean of the pool (equation 4): at least 1; null where scores cannot be compared, as `random` ones. */
  ratio: number | null;
}

/** Keep the pool's images with the largest criterion. */
export function pick(input: PickInput): Picked {
  const { size, keep } = input;
  if (!(Number.isInteger(keep) && keep >= 1 && keep <= size)) {
    throw new UserError(`cannot keep ${keep} images of a pool of ${size}`);
  }
  const definition = findCriterion(input.criterion);
  const scores = scoresOf(definition, input);
  const wrong = scores.findIndex((score) => !Number.isFinite(score));
  if (wrong >= 0) {
    throw new Error(
      `picking by ${definition.name}: the score of image ${wrong} is ${scores[wrong]}; its logits are not finite`,
    );
  }
  const order = Array.from(scores.keys()).sort((a, b) => scores[b]! - scores[a]! || a - b);
  const indices = Int32Array.from(order.slice(0, keep));
  const mean = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const all = mean(scores);
  const kept = mean(Float64Array.from(indices, (i) => scores[i]!));
  return { indices, scores, ratio: definition.comparable ? (all > 0 ? kept / all : 1) : null };
}

/** What was picked out of a pool [size, …], images or logits, in its layout. */
export function takePicked(pool: Tensor, { indices }: Pick<Picked, 'indices'>): Tensor {
  return tidy(() => {
    const places = tensor(indices, { dtype: 'int64', device: pool.device });
    const channelsLast = pool.ndim === 4 && !pool.isContiguous() && pool.isContiguous('channelsLast');
    if (!channelsLast) return pool.indexSelect(0, places);
    // As rows of memory: index_select itself would go through the other layout.
    return pool.permute([0, 2, 3, 1]).indexSelect(0, places).permute([0, 3, 1, 2]);
  });
}

/** The scores of a pool, with the logits that the criterion needs checked for their rows. */
function scoresOf(definition: CriterionDefinition, input: PickInput): Float64Array {
  const { size, temperature = 4, seed, step, options } = input;
  const logits = { teacher: input.poolTeacherLogits, student: input.poolStudentLogits };
  /** Read where it is used: what a criterion does not ask for is not there. */
  const read = (name: string, tensor: Tensor | undefined, rows?: number): Tensor => {
    if (!tensor) throw new TypeError(`picking by ${definition.name} needs ${name}`);
    if (rows !== undefined && tensor.size(0) !== rows) {
      throw new TypeError(`${name} has ${tensor.size(0)} rows for ${rows} images`);
    }
    return tensor;
  };
  const seen: CriterionInput = {
    size,
    temperature,
    seed,
    step,
    get teacher() {
      return read('poolTeacherLogits', logits.teacher, size);
    },
    get student() {
      return read('poolStudentLogits', logits.student, size);
    },
    get batchTeacher() {
      return read('batchTeacherLogits', input.batchTeacherLogits);
    },
  };
  return noGrad(() =>
    tidy(() => {
      const scores = definition.score(seen, options);
      return scores instanceof Float64Array ? scores : scores.toFloat64Array();
    }),
  );
}
