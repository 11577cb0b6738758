/** @file Configurations, run folders and whole runs. */

export { type AugmentSheet, type AugmentSheetOptions, augmentSheet, type SheetView } from './augment-sheet.ts';
export {
  type ComparedRow,
  type ComparedRun,
  type CompareOptions,
  type Comparison,
  type CorrelationPoint,
  type CurvePoint,
  compareRuns,
  curveMetrics,
  type Difference,
  type DifferenceKind,
  type Flag,
  type Spread,
  type StddevCorrelation,
} from './compare.ts';
export { type Config, type ConfigInput, configKeys, defineExperiment, flagOf, resolveConfig } from './config.ts';
export {
  type CheckpointScore,
  type EvaluateCheckpointOptions,
  evaluateCheckpoint,
} from './evaluate-checkpoint.ts';
export { type Exported, type ExportOptions, exportCheckpoint, exportFormats } from './export-network.ts';
export { type Fingerprint, fileHash, fingerprint, type TeacherIdentity, teacherIdentity } from './fingerprint.ts';
export { type Imported, type ImportOptions, importWeights } from './import-weights.ts';
export type { CheckpointOptions, JudgeOptions, LeftOut } from './judges.ts';
export { type LoadedNetwork, type LoadNetworkOptions, loadNetwork } from './load-network.ts';
export { type ModelSource, modelSource, type NetworkOptions } from './model-source.ts';
export { type Recognized, recognizeModel } from './recognize.ts';
export type { Reporter, RunStart } from './recorder.ts';
export { type RunOptions, runExperiment } from './run.ts';
export { type MetricsRecord, RunFolder, type RunRecord } from './run-folder.ts';
export { type AugmentationScore, type SchemeScore, type ScoreOptions, scoreAugmentations } from './score.ts';
export type { RunSummary } from './summary.ts';
export { parseViews, type ViewSpec, viewName, viewTitle } from './views.ts';
