import { defineCriterion, entropy } from './criterion.ts';

/** The entropy of the teacher's probabilities at temperature 1. */
export const teacherEntropy = defineCriterion({
  name: 'teacher-entropy',
  source: "H. Wang, S. Lohit, M. Jones, Y. Fu, What Makes a 'Good' Data Augmentation in Knowledge Distillation, 2022",
  measures: "the teacher's entropy",
  needs: { teacher: true },
  score: ({ teacher }) => entropy(teacher),
});
