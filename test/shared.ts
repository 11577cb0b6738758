import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');

/** A file of test/fixtures/golden: what the reference implementations compute. */
export const goldenPath = (name: string): string => join(root, 'test/fixtures/golden', name);

/** A file of the reference material kept beside a checkout (data, checkpoints); undefined where it is absent. */
export function sharedPath(name: string): string | undefined {
  const path = join(process.env.THRIVE_SHARED ?? join(root, '..', 'shared'), name);
  return existsSync(path) ? path : undefined;
}

/** The folder with `cifar-100-binary`: THRIVE_DATA, or the reference material's. */
export function dataDir(): string | undefined {
  const fromEnv = process.env.THRIVE_DATA;
  if (fromEnv && existsSync(join(fromEnv, 'cifar-100-binary'))) return fromEnv;
  return sharedPath('data');
}

/** For `test.skipIf`: the reason goes in the test's own name, so that a skipped test says why. */
export const because = (present: unknown, what: string): string => (present ? '' : ` (skipped: ${what} not found)`);
