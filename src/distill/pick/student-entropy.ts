import { defineCriterion, entropy } from './criterion.ts';

/** The entropy of the student's probabilities at temperature 1. */
export const studentEntropy = defineCriterion({
  name: 'student-entropy',
  source: "H. Wang, S. Lohit, M. Jones, Y. Fu, What Makes a 'Good' Data Augmentation in Knowledge Distillation, 2022",
  measures: "the student's entropy",
  needs: { student: true },
  score: ({ student }) => entropy(student),
});
