/**
 * @file Picking: from a pool of augmented views of a batch, keep those that have the most to teach. From "Knowledge
 * Distillation Thrives on Data Augmentation" (H. Wang and others, 2020; later version, section 3.2), for any augmentation.
 * Unlike the authors' code: log-softmax throughout, so an underflow is no NaN that sorts as the largest; the kept share is of
 * the pool and not an absolute number; the pool's teacher logits are there to be used again (`takePicked`).
 */
import { UserError } from '../base/errors.ts';
import { unknownName } from '../base/suggest.ts';
import { noGrad, operator, ops, type Tensor, tensor, tidy } from '../torch/index.ts';
import { stream } from '../torch/random.ts';

/**
 * What the pool is ranked by; the largest are kept.
 * - `kl`: KL(teacher, student) at the distillation temperature, without its square: where the student disagrees most
 * - `teacher-entropy`, `student-entropy`: of the network's probabilities at temperature 1
 * - `dissimilarity`: the smallest squared distance of the teacher's probabilities to those of the batch's own images
 * - `random`: the control
 */
export const criteria = ['kl', 'teacher-entropy', 'student-entropy', 'dissimilarity', 'random'] as const;
export type Criterion = (typeof criteria)[number];

export interface PickOptions {
  criterion: Criterion;
  /** Views of the batch that make the pool. */
  factor: number;
  /** Share of the pool that is kept. */
  keep: number;
}

/** Two views, half of them kept: as many images as the batch has. */
export const pickDefaults: Readonly<PickOptions> = { criterion: 'kl', factor: 2, keep: 0.5 };

const isCriterion = (name: string): name is Criterion => (criteria as readonly string[]).includes(name);

/** Refuses what cannot be picked with, before anything is loaded. @throws UserError */
export function checkPickOptions(options: { criterion: string; factor: number; keep: number }): PickOptions {
  const { criterion, factor, keep } = options;
  if (!isCriterion(criterion)) throw unknownName('picking criterion', criterion, criteria);
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
  return { criterion, factor, keep };
}

/** How many images are kept for a batch of `batch`, the last and smaller one included: at least one. */
export const pickCount = ({ factor, keep }: PickOptions, batch: number): number =>
  Math.max(1, Math.round(factor * batch * keep));

/** Which logits a criterion reads: the passes that must be made before picking. */
export function criterionNeeds(criterion: Criterion): { teacher: boolean; student: boolean; batchTeacher: boolean } {
  return {
    teacher: criterion === 'kl' || criterion === 'teacher-entropy' || criterion === 'dissimilarity',
    student: criterion === 'kl' || criterion === 'student-entropy',
    batchTeacher: criterion === 'dissimilarity',
  };
}

export interface PickInput {
  criterion: Criterion;
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
  /** Mean score of the picked over mean of the pool (equation 4): at least 1; null for `random`, whose scores mean nothing. */
  ratio: number | null;
}

/** Keep the pool's images with the largest criterion. */
export function pick(input: PickInput): Picked {
  const { size, keep } = input;
  if (!(Number.isInteger(keep) && keep >= 1 && keep <= size)) {
    throw new UserError(`cannot keep ${keep} images of a pool of ${size}`);
  }
  const scores = scoresOf(input);
  const wrong = scores.findIndex((score) => !Number.isFinite(score));
  if (wrong >= 0) {
    throw new Error(
      `picking by ${input.criterion}: the score of image ${wrong} is ${scores[wrong]}; its logits are not finite`,
    );
  }
  const order = Array.from(scores.keys()).sort((a, b) => scores[b]! - scores[a]! || a - b);
  const indices = Int32Array.from(order.slice(0, keep));
  const mean = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const all = mean(scores);
  const kept = mean(Float64Array.from(indices, (i) => scores[i]!));
  return { indices, scores, ratio: input.criterion === 'random' ? null : all > 0 ? kept / all : 1 };
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

/** Below any log-probability that a float32 probability can have; keeps 0 log 0 and infinities out of the sums. */
const LEAST = -1e30;

/** Log-probabilities of logits. No gradient: picking is a choice, not a loss. */
const logSoftmax = (logits: Tensor): Tensor => ops.logSoftmax(logits.detach().to('float32'), 1).clamp(LEAST);

const entropy = (logits: Tensor): Tensor => {
  const log = logSoftmax(logits);
  return log.exp().mul(log).sum(1).neg();
};

let cdist: ReturnType<typeof operator> | undefined;
/** Distances between all rows of two matrices. Not by libtorch's matrix product, whose rounding swallows small ones. */
function distances(a: Tensor, b: Tensor): Tensor {
  // Looked up when first used: an import must not load the engine.
  cdist ??= operator('aten::cdist');
  const withoutProduct = 2;
  return cdist(a, b, 2, withoutProduct) as Tensor;
}

function scoresOf(input: PickInput): Float64Array {
  const { criterion, size, temperature = 4 } = input;
  if (criterion === 'random') {
    const random = stream(input.seed, 'pick.random', input.step);
    return Float64Array.from({ length: size }, () => random.float());
  }
  const need = (logits: Tensor | undefined, name: string, rows?: number): Tensor => {
    if (!logits) throw new TypeError(`picking by ${criterion} needs ${name}`);
    if (rows !== undefined && logits.size(0) !== rows) {
      throw new TypeError(`${name} has ${logits.size(0)} rows for ${rows} images`);
    }
    return logits;
  };
  return noGrad(() =>
    tidy(() => {
      const teacher = (): Tensor => need(input.poolTeacherLogits, 'poolTeacherLogits', size);
      const student = (): Tensor => need(input.poolStudentLogits, 'poolStudentLogits', size);
      const scores = (): Tensor => {
        switch (criterion) {
          case 'kl': {
            const target = logSoftmax(teacher().div(temperature));
            return target
              .exp()
              .mul(target.sub(logSoftmax(student().div(temperature))))
              .sum(1);
          }
          case 'teacher-entropy':
            return entropy(teacher());
          case 'student-entropy':
            return entropy(student());
          case 'dissimilarity': {
            const originals = logSoftmax(need(input.batchTeacherLogits, 'batchTeacherLogits')).exp();
            const mixed = logSoftmax(teacher()).exp();
            return distances(mixed, originals).amin(1).square();
          }
        }
      };
      return scores().toFloat64Array();
    }),
  );
}
