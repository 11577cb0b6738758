import { existsSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { type BuildInfo, buildDirOf, currentBuild, describeLibtorch } from '../../native/build/current.mjs';
import { diagnoseLoad } from '../../native/build/diagnose.mjs';
import { errorMessage, UserError } from '../base/errors.ts';
import type { NativeAddon } from './native-types.ts';

/** What the loader looks at: set in tests only. */
export interface LoadOptions {
  buildDir?: string;
  env?: Record<string, string | undefined>;
  platform?: NodeJS.Platform;
  /** Loads a `.node` file. */
  load?: (path: string) => NativeAddon;
}

let loaded: NativeAddon | undefined;

/**
 * The native addon, loaded with libtorch on the first call and never by an import: `thrive --help` and decode workers do
 * without it.
 *
 * @throws UserError that says what failed and lists what can be done about it on this machine
 */
export function native(): NativeAddon {
  if (!loaded) {
    boundSpinning();
    loaded = loadAddon();
  }
  return loaded;
}

/**
 * OpenMP's threads wait for each other by spinning, by default for about a millisecond. On a machine whose processors have
 * other work too, a spinning thread keeps the one it waits for from running: a training step took seven times as long. GNU's
 * runtime reads this when libtorch is loaded; a user's own setting wins.
 */
function boundSpinning(): void {
  if (!process.env.OMP_WAIT_POLICY) process.env.GOMP_SPINCOUNT ??= '10000';
}

/** What the addon that `native()` loads was built from; undefined before the first build. */
export function nativeBuild(): BuildInfo | undefined {
  return currentBuild();
}

/** Load the addon of a build folder. `native()` is what everything but tests calls. */
export function loadAddon({
  buildDir = buildDirOf(),
  env = process.env,
  platform = process.platform,
  load = createRequire(import.meta.url) as (path: string) => NativeAddon,
}: LoadOptions = {}): NativeAddon {
  if (platform === 'win32') {
    throw failure(['there is no build for Windows'], ['use the Windows Subsystem for Linux (WSL)']);
  }
  const info = currentBuild(buildDir);
  if (!info) {
    throw failure(
      [`it has not been built yet (there is no ${join(buildDir, 'current.json')})`],
      ['build it, installing what is missing: npx thrive setup'],
    );
  }
  const path = join(buildDir, info.addon);
  const { libtorch } = info;
  const disagreement = disagrees(info, env);
  if (disagreement) throw failure([disagreement], ['build for it: npx thrive setup', 'or unset LIBTORCH']);
  if (!existsSync(path)) throw failure([`${path}: the built file is gone`], ['build it again: npx thrive setup']);
  try {
    return load(path);
  } catch (error) {
    const message = errorMessage(error);
    const { cause, remedy } = diagnoseLoad(message);
    const problems = [`${path}: ${message}`, `likely cause: ${cause}`];
    const solutions = [remedy];
    if (!existsSync(libtorch.libDir)) {
      problems.push(`it was built against ${describeLibtorch(libtorch)}, and that folder is gone`);
      solutions.push('build it against the libtorch there is now: npx thrive setup');
    } else {
      problems.push(
        `it was built against ${describeLibtorch(libtorch)} with ${info.compiler.kind} ${info.compiler.version}`,
      );
    }
    if (env.LD_LIBRARY_PATH) {
      solutions.push(
        `unset LD_LIBRARY_PATH (${env.LD_LIBRARY_PATH}): libraries there take precedence over libtorch's own`,
      );
    }
    if (env.CONDA_PREFIX) solutions.push('leave the conda environment: its libraries may take precedence');
    solutions.push('see what this machine lacks: npx thrive doctor');
    throw failure(problems, solutions, error);
  }
}

/** LIBTORCH set to another libtorch than the one built against: loading the old one would be a silent surprise. */
function disagrees(info: BuildInfo, env: Record<string, string | undefined>): string | undefined {
  if (!env.LIBTORCH) return undefined;
  const real = (path: string) => (existsSync(path) ? realpathSync(path) : path);
  if (real(env.LIBTORCH) === real(info.libtorch.root)) return undefined;
  return `LIBTORCH is ${env.LIBTORCH}, but it was built against ${describeLibtorch(info.libtorch)}`;
}

function failure(problems: string[], solutions: string[], cause?: unknown): UserError {
  const list = [...new Set(solutions)].map((line) => `\n  - ${line}`).join('');
  return new UserError(
    `could not load Thrive's native addon for ${process.platform}-${process.arch}\n  ${problems.join('\n  ')}`,
    {
      hint: `possible solutions:${list}`,
      ...(cause === undefined ? {} : { cause }),
    },
  );
}
