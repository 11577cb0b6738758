import { stream } from '../../torch/random.ts';
import { defineCriterion } from './criterion.ts';

/** The control: a number drawn from the seed and the step. */
export const random = defineCriterion({
  name: 'random',
  source: 'the control',
  measures: 'a random number',
  comparable: false,
  score({ size, seed, step }) {
    const draws = stream(seed, 'pick.random', step);
    return Float64Array.from({ length: size }, () => draws.float());
  },
});
