/** @file Distillation: the frozen teacher, the KL term, the objective. */
export { Ensemble, type EnsembleKind, type EnsembleMember, ensembleKinds } from './ensemble.ts';
export { crossEntropy, klDivergence } from './kl.ts';
export * as losses from './losses/index.ts';
export { defineLoss } from './losses/loss.ts';
export { type Method, type MethodInput, Methods, type TeacherFeatures } from './methods.ts';
export {
  type KdOptions,
  kdDefaults,
  kdTerms,
  mixedCrossEntropy,
  supervisedTerms,
  type Term,
  type Terms,
  totalLoss,
  type ViewLogits,
} from './objective.ts';
export { OnnxTeacher, type OnnxTeacherOptions, pixelNormalization } from './onnx-teacher.ts';
export {
  type CriterionDefinition,
  type CriterionInput,
  type CriterionNeeds,
  criteria,
  defineCriterion,
  entropy,
  findCriterion,
  logProbabilities,
  type PickOptions,
  pickDefaults,
  type WrittenCriterion,
} from './pick/index.ts';
export { Teacher, type TeacherModel, type TeacherOptions } from './teacher.ts';
