/** @file What a picking criterion is: a score for every image of a pool of augmented views; the largest are kept. */
import { type OptionSpecs, type OptionValues, resolveOptions } from '../../base/options.ts';
import { checkPart, remember } from '../../base/part.ts';
import { ops, type Tensor } from '../../torch/index.ts';

/** Which logits a criterion reads: the passes that must be made before picking. */
export interface CriterionNeeds {
  /** The teacher's on the pool. */
  teacher: boolean;
  /** The student's on the pool, without gradient. */
  student: boolean;
  /** The teacher's on x, the batch that the pool was made of. */
  batchTeacher: boolean;
}

/** A pool as a criterion sees it: whatever logits it needs are there. */
export interface CriterionInput {
  /** Images in the pool. */
  size: number;
  /** Logits [size, classes] on the pool. */
  teacher: Tensor;
  student: Tensor;
  /** Logits [B, classes] of the teacher on x. */
  batchTeacher: Tensor;
  /** Of the distillation; the paper's is 4. */
  temperature: number;
  /** What random draws are a function of. */
  seed: number;
  step: number;
}

/** A criterion in use. Add one: its file, its test, its line in registry.ts. */
export interface CriterionDefinition {
  readonly kind: 'criterion';
  readonly name: string;
  /** Who proposed it: authors, title, year. */
  readonly source: string;
  /** What its numbers are, for people: `the teacher's entropy`. */
  readonly measures: string;
  readonly needs: CriterionNeeds;
  readonly options: OptionSpecs;
  /** Whether a mean of its scores says something: not for random ones. */
  readonly comparable: boolean;
  /** The scores [size] of a pool, the larger the better. @throws UserError for an option that is not known or not allowed */
  score(input: CriterionInput, options?: Readonly<Record<string, unknown>>): Tensor | Float64Array;
}

/** A criterion as it is written down. */
export interface WrittenCriterion<Specs extends OptionSpecs> {
  name: string;
  /** Default: `own`. */
  source?: string;
  /** What its numbers are, for people. Default: its name. */
  measures?: string;
  /** Default: none. What is not asked for costs no pass, and is not there. */
  needs?: Partial<CriterionNeeds>;
  options?: Specs;
  /** Default: true. */
  comparable?: boolean;
  /** One number an image, as a tensor [size] or an array. Runs without gradient, inside a tidy. */
  score(input: CriterionInput, options: OptionValues<Specs>): Tensor | Float64Array;
}

/**
 * A picking criterion of one's own: as `--pick ./my-criterion.ts`, or in a configuration.
 *
 * @example
 * export default defineCriterion({
 *   name: 'confident',
 *   measures: "the teacher's largest probability",
 *   needs: { teacher: true },
 *   score: ({ teacher }) => teacher.softmax(1).amax(1),
 * });
 * @throws UserError for a definition that does not fit
 */
export function defineCriterion<const Specs extends OptionSpecs>(
  written: WrittenCriterion<Specs>,
): CriterionDefinition {
  checkPart('criterion', written, ['score']);
  const { name, source = 'own', measures = name, needs, options = {} as Specs, comparable = true } = written;
  const criterion: CriterionDefinition = {
    kind: 'criterion',
    name,
    source,
    measures,
    needs: { teacher: false, student: false, batchTeacher: false, ...needs },
    options,
    comparable,
    score: (input, given) => written.score(input, resolveOptions(name, options, given)),
  };
  return remember(criterion, written);
}

/** Below any log-probability that a float32 probability can have; keeps 0 log 0 and infinities out of the sums. */
const LEAST = -1e30;

/**
 * Log-probabilities of logits, bounded below, so that an underflow is no NaN that sorts as the largest. No gradient: picking is a
 * choice, not a loss.
 */
export const logProbabilities = (logits: Tensor): Tensor =>
  ops.logSoftmax(logits.detach().to('float32'), 1).clamp(LEAST);

/** The entropy [rows] of the probabilities of logits, in nats. */
export const entropy = (logits: Tensor): Tensor => {
  const log = logProbabilities(logits);
  return log.exp().mul(log).sum(1).neg();
};
