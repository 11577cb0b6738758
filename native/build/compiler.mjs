// Which C++ compiler to use, and with which flags for a given libtorch.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from './locate.mjs';

/** @typedef {import('./locate.mjs').Attempt} Attempt */
/** @typedef {import('./locate.mjs').Libtorch} Libtorch */

/**
 * @typedef {object} Compiler
 * @property {string} command
 * @property {string[]} args Arguments that belong to the command: CXX may be `ccache g++`.
 * @property {'gcc' | 'clang' | 'apple-clang'} kind
 * @property {string} version
 */

/**
 * @typedef {object} CompilerOptions
 * @property {Record<string, string | undefined>} [env]
 * @property {NodeJS.Platform} [platform]
 * @property {17 | 20 | 23} [standard] The C++ standard it must speak: `Libtorch.cxxStandard`.
 * @property {import('./locate.mjs').Run} [run]
 */

// libtorch 2.x itself asks for GCC 9.3; C++20's concepts and <bit> came with GCC 10 and clang 12, to Apple's in 13.
/** @type {Record<number, Record<Compiler['kind'], number>>} */
const minimum = {
  17: { gcc: 9, clang: 9, 'apple-clang': 11 },
  20: { gcc: 10, clang: 12, 'apple-clang': 13 },
  23: { gcc: 13, clang: 17, 'apple-clang': 16 },
};

/**
 * What a compiler says about itself, by the macros that it defines.
 *
 * @param {string} macros output of `-dM -E`
 * @returns {Pick<Compiler, 'kind' | 'version'> | undefined}
 */
export function identify(macros) {
  /** @param {string} name */
  const macro = (name) => macros.match(new RegExp(`#define ${name} (\\d+)`))?.[1];
  const clang = macro('__clang_major__');
  if (clang) {
    const version = [clang, macro('__clang_minor__'), macro('__clang_patchlevel__')].join('.');
    return { kind: macro('__apple_build_version__') ? 'apple-clang' : 'clang', version };
  }
  const gcc = macro('__GNUC__');
  if (!gcc) return undefined;
  return { kind: 'gcc', version: [gcc, macro('__GNUC_MINOR__'), macro('__GNUC_PATCHLEVEL__')].join('.') };
}

/**
 * Find a compiler for a C++ standard: `CXX` (obeyed, or an error), else g++, clang++, c++ (clang++ first on macOS).
 *
 * @param {CompilerOptions} [options]
 * @returns {{ compiler: Compiler | undefined, tried: { where: string, reason: string }[] }}
 */
export function locateCompiler({
  env = process.env,
  platform = process.platform,
  standard = 17,
  run = runCommand,
} = {}) {
  const usual = platform === 'darwin' ? ['clang++', 'g++', 'c++'] : ['g++', 'clang++', 'c++'];
  const candidates = env.CXX?.trim() ? [env.CXX.trim()] : usual;
  const tried = [];
  for (const candidate of candidates) {
    const [command = candidate, ...args] = candidate.split(/\s+/); // CXX="ccache g++"
    const where = env.CXX?.trim() ? `CXX=${candidate}` : candidate;
    const { status, stdout, error } = run(command, [...args, '-dM', '-E', '-x', 'c++', '/dev/null'], env);
    if (status !== 0) {
      const reason = /ENOENT/.test(error ?? '') ? 'not installed' : (error?.split('\n')[0] ?? `exit code ${status}`);
      tried.push({ where, reason });
      continue;
    }
    const identity = identify(stdout);
    if (!identity) {
      tried.push({ where, reason: 'neither GCC nor clang' });
      continue;
    }
    const needed = minimum[standard]?.[identity.kind] ?? 0;
    if (Number.parseInt(identity.version, 10) < needed) {
      const reason = `version ${identity.version} is too old for C++${standard}: ${identity.kind} ${needed} or later is needed`;
      tried.push({ where, reason });
      continue;
    }
    return { compiler: { command, args, ...identity }, tried };
  }
  return { compiler: undefined, tried };
}

/**
 * How at::parallel_for's inline pragmas are compiled. They must end in the OpenMP runtime that libtorch itself uses: GCC's
 * libgomp on Linux, LLVM's on macOS. Where the compiler cannot do that they are ignored, and those loops run on one core.
 *
 * @param {Libtorch} libtorch
 * @param {Compiler} compiler
 * @param {NodeJS.Platform} platform
 * @returns {{ compile: string[], link: string[] }}
 */
function openmpFlags(libtorch, compiler, platform) {
  if (!libtorch.usesOpenmp) return { compile: [], link: [] };
  if (platform === 'darwin') {
    const header = [...libtorch.includeDirs, '/opt/homebrew/opt/libomp/include', '/usr/local/opt/libomp/include'].find(
      (dir) => existsSync(join(dir, 'omp.h')),
    );
    if (!header || !libtorch.openmp) return { compile: [], link: [] };
    return { compile: ['-Xpreprocessor', '-fopenmp', '-isystem', header], link: [libtorch.openmp] };
  }
  // Nothing is linked: the calls find the runtime that libtorch_cpu brings. Wheels carry it under a changed file name but
  // with its old soname, so naming it would load the system's beside it. clang's own calls (__kmpc_*) are not in libgomp.
  const suits = compiler.kind === 'gcc' || (libtorch.openmp !== undefined && !/libgomp/.test(libtorch.openmp));
  return { compile: suits ? ['-fopenmp'] : [], link: [] };
}

/**
 * Flags for one object file. No `-march`: hot loops choose their instructions at run time, and a build may travel.
 *
 * @param {Libtorch} libtorch
 * @param {Compiler} compiler
 * @param {{ nodeApiInclude: string, platform?: NodeJS.Platform }} options
 */
export function compileFlags(libtorch, compiler, { nodeApiInclude, platform = process.platform }) {
  // GCC loses its own headers when /usr/include comes before them.
  const system = [...libtorch.includeDirs.filter((dir) => dir !== '/usr/include'), nodeApiInclude];
  return [
    `-std=c++${libtorch.cxxStandard}`,
    '-O3',
    '-DNDEBUG',
    '-DNAPI_VERSION=9', // Node 20 and later
    '-fPIC',
    '-fvisibility=hidden',
    '-Wall',
    ...(libtorch.cxx11Abi === undefined ? [] : [`-D_GLIBCXX_USE_CXX11_ABI=${libtorch.cxx11Abi}`]),
    ...openmpFlags(libtorch, compiler, platform).compile,
    ...system.flatMap((dir) => ['-isystem', dir]),
  ];
}

/**
 * Flags that follow the object files. Nothing refers to CUDA's libraries by name: they register themselves when loaded.
 *
 * @param {Libtorch} libtorch
 * @param {Compiler} compiler
 * @param {{ cuda: boolean, platform?: NodeJS.Platform }} options
 */
export function linkFlags(libtorch, compiler, { cuda, platform = process.platform }) {
  const openmp = openmpFlags(libtorch, compiler, platform).link;
  const rpath = `-Wl,-rpath,${libtorch.libDir}`;
  if (platform === 'darwin') {
    return ['-bundle', '-undefined', 'dynamic_lookup', ...libtorch.libraries, ...openmp, rpath];
  }
  return [
    '-shared',
    '-s',
    '-pthread',
    ...libtorch.libraries,
    ...(cuda ? ['-Wl,--no-as-needed', ...libtorch.cudaLibraries, '-Wl,--as-needed'] : []),
    ...openmp,
    rpath,
  ];
}
