/** @file Configurations: every setting, checked and with its default. */
export {
  type Config,
  type ConfigInput,
  configKeys,
  defineExperiment,
  flagOf,
  resolveConfig,
} from './config.ts';
export {
  type Fingerprint,
  fileHash,
  fingerprint,
  type TeacherIdentity,
  teacherIdentity,
} from './fingerprint.ts';
