import type { Libtorch, Run } from './locate.mjs';

export interface Compiler {
  command: string;
  /** Arguments that belong to the command: CXX may be `ccache g++`. */
  args: string[];
  kind: 'gcc' | 'clang' | 'apple-clang';
  version: string;
}

export interface CompilerOptions {
  env?: Record<string, string | undefined>;
  platform?: NodeJS.Platform;
  /** The C++ standard it must speak: `Libtorch.cxxStandard`. */
  standard?: 17 | 20 | 23;
  run?: Run;
}

export function identify(macros: string): Pick<Compiler, 'kind' | 'version'> | undefined;
export function locateCompiler(options?: CompilerOptions): {
  compiler: Compiler | undefined;
  tried: { where: string; reason: string }[];
};
export function compileFlags(
  libtorch: Libtorch,
  compiler: Compiler,
  options: { nodeApiInclude: string; platform?: NodeJS.Platform },
): string[];
export function linkFlags(
  libtorch: Libtorch,
  compiler: Compiler,
  options: { cuda: boolean; platform?: NodeJS.Platform },
): string[];
