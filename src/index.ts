/**
 * @file Thrive as a library. Everything is here under one name; the rooms can also be imported by themselves (`thrive/torch`,
 * `thrive/nn`, …). Importing loads no native code: libtorch is loaded by the first tensor.
 */
export * from './augment/index.ts';
export { UserError } from './base/errors.ts';
export * as options from './base/options.ts';
export * from './compare/index.ts';
export * from './config/index.ts';
export { batchCount, epochOrder, type TensorSet, toTensorSet } from './data/batches.ts';
export * from './data/index.ts';
export * from './distill/index.ts';
export {
  EventWriter,
  readPth,
  readSafetensors,
  readWeights,
  type StoredTensor,
  type StoredTensors,
  stateDictFrom,
  writePth,
  writeSafetensors,
} from './formats/index.ts';
export * from './models/index.ts';
export * from './networks/index.ts';
export * as nn from './nn/index.ts';
export { AdamW, clipGradNorm, initialize, Module, SGD } from './nn/index.ts';
export { type Precision, withPrecision } from './nn/precision.ts';
export { exportOnnx, type OnnxOptions } from './onnx/index.ts';
export { loadPart } from './parts/index.ts';
export * from './run/index.ts';
export * from './score/index.ts';
export * from './torch/index.ts';
export { type Stream, stream } from './torch/random.ts';
export * from './train/index.ts';
