import { readFileSync } from 'node:fs';
import { extname, resolve } from 'node:path';
import { errorMessage, UserError } from '../base/errors.ts';
import { withFileErrors } from '../base/files.ts';
import type { ConfigInput } from './config.ts';

/**
 * Settings from a file: JSON, or a JavaScript or TypeScript module whose default export is an object (see
 * `defineExperiment`). A module is code and runs as such.
 */
export async function readConfigFile(path: string): Promise<Partial<ConfigInput>> {
  const text = withFileErrors('read', path, () => readFileSync(path, 'utf8'));
  let value: unknown;
  try {
    if (extname(path) === '.json') value = JSON.parse(text);
    else {
      const { createJiti } = await import('jiti');
      // The module may import 'thrive' for its types and defineExperiment, installed or not.
      const jiti = createJiti(import.meta.url, { alias: { thrive: new URL('../index.js', import.meta.url).pathname } });
      value = await jiti.import(resolve(path), { default: true });
    }
  } catch (error) {
    throw new UserError(`cannot read the configuration in ${path}: ${errorMessage(error)}`, { cause: error });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new UserError(`${path} does not export a configuration object`, {
      hint: 'export default defineExperiment({ data: …, model: … })',
    });
  }
  return value as Partial<ConfigInput>;
}
