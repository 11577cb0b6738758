/** @file Whole runs and their folders. */
export type { Reporter, RunStart } from './recorder.ts';
export { type RunOptions, runExperiment } from './run.ts';
export { type MetricsRecord, RunFolder, type RunRecord } from './run-folder.ts';
export { lockOwner } from './run-lock.ts';
export type { RunSummary } from './summary.ts';
