import { readFileSync } from 'node:fs';
import { extname } from 'node:path';
import { errorMessage, UserError } from '../base/errors.ts';
import { withFileErrors } from '../base/files.ts';
import { importUserModule } from '../parts/user-module.ts';
import type { ConfigInput } from './config.ts';

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
export async function readConfigFile(path: string): Promise<Partial<ConfigInput>> {
  const value =
    extname(path) === '.json' ? readJson(path) : defaultOf(await importUserModule(path, 'the configuration'));
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new UserError(`${path} does not export a configuration object`, {
      hint: 'export default defineExperiment({ data: …, model: … })',
    });
  }
  return (isRecord(value) ? value.config : value) as Partial<ConfigInput>;
}

/** What a run wrote into its folder: its configuration, beside what it was run with. */
const isRecord = (value: object): value is { config: object } =>
  'config' in value && 'fingerprint' in value && typeof value.config === 'object' && value.config !== null;

/** The default export; a CommonJS module is its own. */
const defaultOf = (exported: Record<string, unknown>): unknown => ('default' in exported ? exported.default : exported);
