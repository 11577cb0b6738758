/** @file Configurations: every setting, checked and with its default. */
export {
  type Config,
  type ConfigInput,
  configKeys,
  defineExperiment,
  resolveConfig,
} from './config.ts';
export {
  kdOf,
  type MethodSettings,
  methodsOf,
  networkOf,
  scheduleOf,
  type TeacherSettings,
  teachersOf,
  type ViewSettings,
  viewOf,
} from './derive.ts';
export {
  type Fingerprint,
  fileHash,
  fingerprint,
  type TeacherIdentity,
  teacherIdentity,
} from './fingerprint.ts';
export type { Setting } from './row.ts';
export { settings } from './settings.ts';
