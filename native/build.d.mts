import type { BuildInfo } from './current.mjs';

export interface BuildOptions {
  /** Compile everything again. */
  force?: boolean;
  log?: (line: string) => void;
  sourceDir?: string;
  buildDir?: string;
  env?: NodeJS.ProcessEnv;
}

export class BuildError extends Error {
  readonly output: string;
  readonly likelyCause: string;
  readonly remedy: string;
  /** What is not installed, if that is why. */
  readonly missing: 'libtorch' | 'compiler' | undefined;
  report(): string;
}

export function build(options?: BuildOptions): Promise<{ built: boolean; info: BuildInfo }>;
export function smokeTest(addon: string): Promise<{ version: string; openmp: string[] } | { failure: string }>;
