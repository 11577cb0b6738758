import type { Compiler } from './compiler.mjs';
import type { Libtorch } from './locate.mjs';

export class BuildError extends Error {
  constructor(
    message: string,
    details?: { output?: string; cause?: string; remedy?: string; missing?: 'libtorch' | 'compiler' },
  );
  readonly output: string;
  readonly likelyCause: string;
  readonly remedy: string;
  /** What is not installed, if that is why. */
  readonly missing: 'libtorch' | 'compiler' | undefined;
  report(): string;
}

export class SourcesChanged extends Error {}
export function smokeTest(addon: string): Promise<{ version: string; openmp: string[] } | { failure: string }>;
export function compileAll(
  files: { name: string; path: string; hash: string; object: string }[],
  compiler: Compiler,
  flags: string[],
  log: (line: string) => void,
): Promise<void>;
export function linkAndTest(
  folder: string,
  objects: string[],
  libtorch: Libtorch,
  compiler: Compiler,
  log: (line: string) => void,
): Promise<{ cuda: boolean; note: string; loaded: string; linkFlags: string[] }>;
