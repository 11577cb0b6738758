import { elsewhere, positive } from '../../base/options.ts';
import { defineCriterion, logProbabilities } from './criterion.ts';

/** KL(teacher, student) at the distillation temperature, without its square: where the student disagrees most. */
export const kl = defineCriterion({
  name: 'kl',
  source: 'H. Wang and others, Knowledge Distillation Thrives on Data Augmentation, 2020',
  measures: 'KL of teacher and student',
  needs: { teacher: true, student: true },
  options: {
    temperature: elsewhere(positive(4, 'divides both logits before the softmax'), "the distillation's"),
  },
  score({ teacher, student, temperature: distillation }, options) {
    const temperature = options.temperature ?? distillation;
    const target = logProbabilities(teacher.div(temperature));
    return target
      .exp()
      .mul(target.sub(logProbabilities(student.div(temperature))))
      .sum(1);
  },
});
