import { describe, expect, test } from 'vitest';
import { type Compiler, compileFlags, identify, linkFlags, locateCompiler } from '../../native/build/compiler.mjs';
import type { Libtorch, Run } from '../../native/build/locate.mjs';

const gcc = (major: number) => `#define __GNUC__ ${major}\n#define __GNUC_MINOR__ 2\n#define __GNUC_PATCHLEVEL__ 0\n`;
// clang calls itself GCC 4.2.1 as well.
const clang = (major: number, more = '') =>
  `${gcc(4)}#define __clang_major__ ${major}\n#define __clang_minor__ 0\n#define __clang_patchlevel__ 6\n${more}`;
const installed =
  (commands: Record<string, string>): Run =>
  (command) =>
    command in commands
      ? { status: 0, stdout: commands[command] ?? '', error: undefined }
      : { status: null, stdout: '', error: `spawnSync ${command} ENOENT` };

describe('which compiler', () => {
  test('GCC, clang and Apple clang are told apart', () => {
    expect(identify(gcc(12))).toEqual({ kind: 'gcc', version: '12.2.0' });
    expect(identify(clang(14))).toEqual({ kind: 'clang', version: '14.0.6' });
    expect(identify(clang(15, '#define __apple_build_version__ 15000309\n'))?.kind).toBe('apple-clang');
    expect(identify('#define _MSC_VER 1938')).toBeUndefined();
  });

  test('g++ before clang++ on Linux, the other way on macOS', () => {
    const run = installed({ 'g++': gcc(12), 'clang++': clang(15) });
    expect(locateCompiler({ env: {}, platform: 'linux', run }).compiler?.command).toBe('g++');
    expect(locateCompiler({ env: {}, platform: 'darwin', run }).compiler?.command).toBe('clang++');
  });

  test('CXX is obeyed, with its arguments', () => {
    const run = installed({ 'g++': gcc(12), ccache: gcc(13) });
    expect(locateCompiler({ env: { CXX: 'ccache g++-13' }, platform: 'linux', run }).compiler).toMatchObject({
      command: 'ccache',
      args: ['g++-13'],
      version: '13.2.0',
    });
  });

  test('a CXX that is wrong is an error, even with a good g++', () => {
    const { compiler, tried } = locateCompiler({
      env: { CXX: 'g+' },
      platform: 'linux',
      run: installed({ 'g++': gcc(12) }),
    });
    expect(compiler).toBeUndefined();
    expect(tried).toEqual([{ where: 'CXX=g+', reason: 'not installed' }]);
  });

  test('one too old for the headers is passed over, with the reason', () => {
    const run = installed({ 'g++': gcc(9), 'clang++': clang(14) });
    expect(locateCompiler({ env: {}, platform: 'linux', standard: 17, run }).compiler?.command).toBe('g++');
    const { compiler, tried } = locateCompiler({ env: {}, platform: 'linux', standard: 20, run });
    expect(compiler?.command).toBe('clang++');
    expect(tried).toEqual([{ where: 'g++', reason: 'version 9.2.0 is too old for C++20: gcc 10 or later is needed' }]);
  });

  test('none at all: every name that was tried', () => {
    const { compiler, tried } = locateCompiler({ env: {}, platform: 'linux', run: installed({}) });
    expect(compiler).toBeUndefined();
    expect(tried.map(({ where }) => where)).toEqual(['g++', 'clang++', 'c++']);
  });
});

describe('flags', () => {
  const compiler: Compiler = { command: 'g++', args: [], kind: 'gcc', version: '12.2.0' };
  const debian: Libtorch = {
    source: 'system',
    root: '/usr',
    version: '1.13.0',
    includeDirs: ['/usr/include', '/usr/include/torch/csrc/api/include'],
    libDir: '/usr/lib/x86_64-linux-gnu',
    libraries: ['/usr/lib/x86_64-linux-gnu/libtorch_cpu.so', '/usr/lib/x86_64-linux-gnu/libc10.so'],
    cudaLibraries: [],
    cuda: false,
    openmp: '/usr/lib/x86_64-linux-gnu/libgomp.so.1',
    usesOpenmp: true,
    cxx11Abi: 1,
    cxxStandard: 17,
    identity: 'x',
  };
  const options = { nodeApiInclude: '/napi', platform: 'linux' } as const;

  test('/usr/include is never named: GCC then loses its own headers', () => {
    const flags = compileFlags(debian, compiler, options);
    expect(flags).not.toContain('/usr/include');
    expect(flags.join(' ')).toContain('-isystem /usr/include/torch/csrc/api/include -isystem /napi');
  });

  test('a build may travel between processors of a kind', () => {
    expect(compileFlags(debian, compiler, options).join(' ')).not.toMatch(/-march|-mtune|-ffast-math/);
  });

  test("the libtorch's string layout and C++ standard are kept", () => {
    const old = compileFlags({ ...debian, cxx11Abi: 0, cxxStandard: 20 }, compiler, options);
    expect(old).toContain('-D_GLIBCXX_USE_CXX11_ABI=0');
    expect(old).toContain('-std=c++20');
    expect(compileFlags({ ...debian, cxx11Abi: undefined }, compiler, options).join(' ')).not.toContain('CXX11_ABI');
  });

  test('OpenMP: only where the compiler calls the runtime that libtorch loads', () => {
    const clangxx: Compiler = { ...compiler, command: 'clang++', kind: 'clang' };
    const intel = { ...debian, openmp: '/t/lib/libiomp5.so' };
    expect(compileFlags(debian, compiler, options)).toContain('-fopenmp');
    expect(compileFlags(debian, clangxx, options)).not.toContain('-fopenmp');
    expect(compileFlags(intel, clangxx, options)).toContain('-fopenmp');
    expect(compileFlags({ ...debian, usesOpenmp: false }, compiler, options)).not.toContain('-fopenmp');
    // No runtime is named to the linker: libtorch_cpu brings its own.
    expect(linkFlags(debian, compiler, { cuda: false, platform: 'linux' }).join(' ')).not.toMatch(/omp/);
  });

  test("CUDA's libraries are kept though nothing refers to them", () => {
    const cuda = { ...debian, cuda: true, cudaLibraries: ['/t/libtorch_cuda.so', '/t/libc10_cuda.so'] };
    const flags = linkFlags(cuda, compiler, { cuda: true, platform: 'linux' });
    const start = flags.indexOf('-Wl,--no-as-needed');
    expect(flags.slice(start, start + 4)).toEqual([
      '-Wl,--no-as-needed',
      '/t/libtorch_cuda.so',
      '/t/libc10_cuda.so',
      '-Wl,--as-needed',
    ]);
    expect(linkFlags(cuda, compiler, { cuda: false, platform: 'linux' }).join(' ')).not.toContain('cuda');
  });

  test('libraries are found again at run time', () => {
    expect(linkFlags(debian, compiler, { cuda: false, platform: 'linux' })).toContain(
      '-Wl,-rpath,/usr/lib/x86_64-linux-gnu',
    );
  });
});
