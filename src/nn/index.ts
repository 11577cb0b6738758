/** @file Networks: modules with PyTorch's names and state dicts, initialisation, optimizers, schedules. */
export { AdamW, type AdamWOptions } from './adamw.ts';
export { BatchNorm2d, OneValueError, withoutStatistics } from './batchnorm.ts';
export { clipGradNorm } from './clip-grad.ts';
export { Conv2d, type ConvOptions, ConvTranspose2d } from './conv.ts';
export { foldBatchNorm } from './fold.ts';
export * as init from './init.ts';
export {
  AdaptiveAvgPool2d,
  AvgPool2d,
  Flatten,
  forwardAll,
  Identity,
  LeakyReLU,
  MaxPool2d,
  ReLU,
  Sequential,
} from './layers.ts';
export { Linear } from './linear.ts';
export { describeReport, type LoadReport } from './load-report.ts';
export { makeOptimizer, type OptimizerName, type OptimizerOptions, optimizerNames } from './make-optimizer.ts';
export { buffer, Module, parameter } from './module.ts';
export { type Observation, observe } from './observe.ts';
export { Optimizer } from './optimizer.ts';
export { type LrSchedule, lrAt, type ScheduleConfig } from './schedule.ts';
export { initialize, seedLayers, withoutDrawing } from './seed.ts';
export { SGD, type SGDOptions } from './sgd.ts';
