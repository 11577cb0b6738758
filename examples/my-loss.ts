/**
 * A loss of your own:
 *   thrive distill --data synthetic --teacher TEACHER --student resnet8 --method ./examples/my-loss.ts
 *
 * The logits of student and teacher, each minus its mean, held against each other by their squared distance (J. Ba and R. Caruana,
 * "Do Deep Nets Really Need to be Deep?", 2014, without the mean).
 */
import { defineLoss, options, type Tensor } from 'thrive';

const centred = (logits: Tensor): Tensor => logits.sub(logits.mean([1], true));

export default defineLoss({
  name: 'logit-mse',
  paper: 'Ba, Caruana: Do Deep Nets Really Need to be Deep? (arXiv:1312.6184)',
  weight: 1,
  gamma: 0.1,
  options: { scale: options.positive(0.1, 'multiplies the squared distance') },
  create: (_context, { scale }) => ({
    // Named scalars; the trainer weighs and sums them. Nothing flows back into the teacher.
    terms: ({ student, teacher }) => ({
      mse: centred(student.logits).sub(centred(teacher.logits)).square().mean().mul(scale),
    }),
  }),
});
