import type { BuildInfo } from './current.mjs';
import type { Attempt, Libtorch } from './locate.mjs';

export interface BuildOptions {
  /** Compile everything again. */
  force?: boolean;
  log?: (line: string) => void;
  sourceDir?: string;
  buildDir?: string;
  env?: NodeJS.ProcessEnv;
}

export function chooseLibtorch(options?: { env?: NodeJS.ProcessEnv; buildDir?: string }): {
  libtorch: Libtorch | undefined;
  tried: Attempt[];
};
export function build(options?: BuildOptions): Promise<{ built: boolean; info: BuildInfo }>;
export { BuildError, smokeTest } from './compile.mjs';
