/** @file Configurations, run folders and whole runs. */
export { type Config, type ConfigInput, configKeys, defineExperiment, flagOf, resolveConfig } from './config.ts';
export { type Fingerprint, fileHash, fingerprint } from './fingerprint.ts';
export { type LoadedNetwork, type LoadNetworkOptions, loadNetwork } from './load-network.ts';
export { type Reporter, type RunOptions, type RunSummary, runExperiment } from './run.ts';
export { type MetricsRecord, RunFolder, type RunRecord } from './run-folder.ts';
