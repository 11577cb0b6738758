/** @file The engine: tensors, operators, automatic differentiation, memory, threads. */
export { autocast, enableGrad, grad, isAutocast, isGradEnabled, noGrad } from './autograd.ts';
export {
  arange,
  cat,
  empty,
  eye,
  full,
  ones,
  stack,
  type TensorOptions,
  tensor,
  tensorFromBytes,
  where,
  zeros,
} from './create.ts';
export type { OperatorOptions } from './dispatch.ts';
export { type DType, dtypeBytes, dtypeCode, dtypes, isFloating, type MemoryFormat, memoryFormatCode } from './dtype.ts';
export { schemas } from './ops.ts';
export {
  checkDevice,
  defaultThreads,
  type EngineInfo,
  engineInfo,
  getNumThreads,
  manualSeed,
  setNumThreads,
  version,
} from './runtime.ts';
export { type Nested, operator, ops, type Scalar, Tensor, type TypedArray } from './tensor.ts';
export { keep, liveTensors, memory, tidy } from './tensor-scope.ts';
