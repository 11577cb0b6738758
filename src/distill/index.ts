/** @file Distillation: the frozen teacher, the KL term, the objective. */
export { crossEntropy, klDivergence } from './kl.ts';
export {
  checkKdOptions,
  type KdOptions,
  kdDefaults,
  kdTerms,
  supervisedTerms,
  type Term,
  type Terms,
  totalLoss,
  type ViewLogits,
} from './objective.ts';
export { Teacher, type TeacherOptions } from './teacher.ts';
