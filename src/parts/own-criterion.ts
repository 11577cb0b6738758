/** @file A picking criterion of the user's: its scores are checked, and what it throws says where. */
import type { CriterionDefinition } from '../distill/pick/index.ts';
import { Tensor } from '../torch/index.ts';
import { described, guarded, misfit, type Origin } from './errors.ts';

/** The same criterion, with its function guarded. */
export function ownCriterion(criterion: CriterionDefinition, origin: Origin): CriterionDefinition {
  return {
    ...criterion,
    score(input, options) {
      const made: unknown = guarded(origin, 'score', () => criterion.score(input, options));
      const { size } = input;
      const hint = `it returns one number an image: a tensor [${size}] or a Float64Array`;
      if (!(made instanceof Tensor || made instanceof Float64Array)) {
        throw misfit(origin, 'score', `returns ${described(made)}`, hint);
      }
      const shape = made instanceof Tensor ? made.shape : [made.length];
      if (shape.length !== 1 || shape[0] !== size) {
        throw misfit(origin, 'score', `gives [${shape.join(', ')}] for ${size} images`, hint);
      }
      const scores = made instanceof Tensor ? made.toFloat64Array() : made;
      const wrong = scores.findIndex((score) => !Number.isFinite(score));
      if (wrong >= 0) {
        throw misfit(
          origin,
          'score',
          `gives image ${wrong} the score ${scores[wrong]}`,
          'scores are finite; see logProbabilities for logarithms that do not underflow',
        );
      }
      return scores;
    },
  };
}
