/**
 * A picking criterion of your own:
 *   thrive distill --data synthetic --teacher TEACHER --student resnet8 --augment cutmix --pick ./examples/my-criterion.ts
 *
 * Keeps the images of the pool between whose two likeliest classes the teacher is least decided.
 */
import { defineCriterion, logProbabilities } from 'thrive';

export default defineCriterion({
  name: 'undecided',
  measures: "1 minus the margin of the teacher's two likeliest classes",
  // What is not asked for costs no pass through a network, and is not there.
  needs: { teacher: true },
  // One number an image; the largest are kept.
  score({ teacher }) {
    const { values: largest } = logProbabilities(teacher).exp().topk(2);
    return largest.select(1, 1).sub(largest.select(1, 0)).add(1);
  },
});
