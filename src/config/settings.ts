/** @file Every setting of a run, once: the table that flags, checks, types, docs, fingerprint and comparison follow from. */
import type { Resolved, Written } from './row.ts';
import { methodSettings, teacherSettings, viewSettings } from './settings/distilling.ts';
import { dataSettings, machineSettings, networkSettings, optimizerSettings } from './settings/training.ts';

/** In the order in which they are resolved: a row sees those before it. */
export const settings = {
  ...dataSettings,
  ...networkSettings,
  ...teacherSettings,
  ...optimizerSettings,
  ...methodSettings,
  ...viewSettings,
  ...machineSettings,
};

export type SettingName = keyof typeof settings;

/** What a user writes: everything but data, the network and its teacher may be left out. */
export interface ConfigInput extends Written<typeof settings> {}

/** A configuration with every default filled in. What has no effect is not in it. */
export interface Config extends Resolved<typeof settings> {}

export const configKeys = Object.keys(settings) as readonly SettingName[];
