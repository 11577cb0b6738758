/** Files of weights (safetensors, PyTorch's) and TensorBoard events, on plain bytes: nothing here needs libtorch. */
export { describePort, type OnnxInfo, type OnnxPort, type OnnxSize, parseOnnxInfo, readOnnxInfo } from './onnx.ts';
export { readPickle } from './pickle-file.ts';
export { PickledObject, PickleGlobal } from './pickle-values.ts';
export { type FileTensors, parsePth, readPth, readTensors, readWeights, type Weights } from './pth.ts';
export { writePth } from './pth-write.ts';
export {
  parseSafetensors,
  readSafetensors,
  readSafetensorsMetadata,
  type SafetensorsFile,
  writeSafetensors,
} from './safetensors.ts';
export { type Scalar, type StateDict, stateDictFrom } from './state-dict.ts';
export {
  bytesPerElement,
  elementCount,
  isStoredTensor,
  type StoredDType,
  type StoredTensor,
  type StoredTensors,
  scalarOf,
} from './stored.ts';
export { EventWriter, type EventWriterOptions } from './tfevents.ts';
