/** @file Training: the loop, a step, evaluation, checkpoints. */
export {
  type CheckpointInfo,
  checkpointNetwork,
  loadTraining,
  type NetworkInfo,
  type Position,
  saveNetwork,
  saveTraining,
} from './checkpoint.ts';
export { distillation, type StrongView } from './distillation.ts';
export { type EvaluateOptions, type Evaluation, evaluate } from './evaluate.ts';
export { prefersChannelsLast } from './layout.ts';
export {
  type EpochRecord,
  InterruptedError,
  startPosition,
  type TrainData,
  type TrainObserver,
  type TrainOptions,
  train,
} from './loop.ts';
export { DivergedError, type StepResult, trainStep } from './step.ts';
export { type Batch, type StepOutput, type StudentPass, supervised, type Task } from './task.ts';
export { fromStored, toStored } from './weights.ts';
