import { readFileSync } from 'node:fs';
import { extname } from 'node:path';
import { errorMessage, UserError } from '../base/errors.ts';
import { withFileErrors } from '../base/files.ts';
import { paperMilestones } from '../nn/schedule.ts';
import { importUserModule } from '../parts/user-module.ts';
import { modernize } from './legacy.ts';
import type { ConfigInput } from './settings.ts';
import { type Dict, isDict } from './values.ts';

function readJson(path: string): unknown {
  const text = withFileErrors('read', path, () => readFileSync(path, 'utf8'));
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UserError(`cannot read the configuration in ${path}: ${errorMessage(error)}`, { cause: error });
  }
}

/**
 * Settings from a file: JSON, or a JavaScript or TypeScript module whose default export is an object (see
 * `defineExperiment`). A module is code and runs as such. The config.json of a run's folder is one, too.
 */
export async function readConfigFile(path: string): Promise<ConfigInput> {
  const value =
    extname(path) === '.json' ? readJson(path) : defaultOf(await importUserModule(path, 'the configuration'));
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new UserError(`${path} does not export a configuration object`, {
      hint: 'export default defineExperiment({ data: …, model: … })',
    });
  }
  const settings = isRecord(value) ? writtenOf(value) : value;
  return settings as ConfigInput;
}

/** What a run wrote into its folder: its configuration, beside what it was run with. */
const isRecord = (value: object): value is { config: Dict; written?: unknown } =>
  'config' in value && 'fingerprint' in value && isDict(value.config);

/** What was written of a run's settings: what followed from that follows anew, beside other settings. */
function writtenOf({ config, written }: { config: Dict; written?: unknown }): Dict {
  if (isDict(written)) return written;
  const { milestones, ...settings } = modernize(config);
  const derived = JSON.stringify(milestones) === JSON.stringify(paperMilestones(Number(config.epochs)));
  return derived || milestones === undefined ? settings : { ...settings, milestones };
}

/** The default export; a CommonJS module is its own. */
const defaultOf = (exported: Record<string, unknown>): unknown => ('default' in exported ? exported.default : exported);
