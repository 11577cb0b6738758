/** @file Networks from a name, a file of code, a checkpoint or an .onnx; import and export. */
export {
  type CheckpointScore,
  type EvaluateCheckpointOptions,
  evaluateCheckpoint,
} from './evaluate-checkpoint.ts';
export { type Exported, exportCheckpoint, exportFormats } from './export-network.ts';
export type { ExportOptions } from './exporter.ts';
export { type Imported, type ImportOptions, importWeights } from './import-weights.ts';
export { type LoadedNetwork, type LoadNetworkOptions, loadNetwork } from './load-network.ts';
export { type ModelSource, modelSource, type NetworkOptions } from './model-source.ts';
export { type Prediction, type Predictions, type PredictOptions, predict } from './predict.ts';
export { type Recognized, recognizeModel } from './recognize.ts';
