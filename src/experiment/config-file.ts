import { readFileSync } from 'node:fs';
import { extname, resolve } from 'node:path';
import { errorMessage, UserError } from '../base/errors.ts';
import { withFileErrors } from '../base/files.ts';
import type { ConfigInput } from './config.ts';

/**
 * What 'thrive' and its rooms mean in a configuration file: this very library, installed beside the file or not. Its own
 * modules, not copies, so that a tensor there is a tensor here.
 */
async function library(): Promise<Record<string, unknown>> {
  const [all, torch, nn, models, data, augment, distill, train, formats] = await Promise.all([
    import('../index.ts'),
    import('../torch/index.ts'),
    import('../nn/index.ts'),
    import('../models/index.ts'),
    import('../data/index.ts'),
    import('../augment/index.ts'),
    import('../distill/index.ts'),
    import('../train/index.ts'),
    import('../formats/index.ts'),
  ]);
  const rooms = { torch, nn, models, data, augment, distill, train, formats };
  return {
    thrive: all,
    ...Object.fromEntries(Object.entries(rooms).map(([name, room]) => [`thrive/${name}`, room])),
  };
}

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
      const jiti = createJiti(import.meta.url, { virtualModules: await library() });
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
