import { readFileSync } from 'node:fs';
import { extname } from 'node:path';
import { errorMessage, UserError } from '../base/errors.ts';
import { withFileErrors } from '../base/files.ts';
import type { ConfigInput } from './config.ts';
import { importUserModule } from './user-module.ts';

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
 * `defineExperiment`). A module is code and runs as such.
 */
export async function readConfigFile(path: string): Promise<Partial<ConfigInput>> {
  const value =
    extname(path) === '.json' ? readJson(path) : defaultOf(await importUserModule(path, 'the configuration'));
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new UserError(`${path} does not export a configuration object`, {
      hint: 'export default defineExperiment({ data: …, model: … })',
    });
  }
  return value as Partial<ConfigInput>;
}

/** The default export; a CommonJS module is its own. */
const defaultOf = (exported: Record<string, unknown>): unknown => ('default' in exported ? exported.default : exported);
