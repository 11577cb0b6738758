import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { cxx11AbiOf, cxxStandardOf, neededLibraries } from '../../native/build/inspect.mjs';
import { describeAttempts, locateLibtorch, type Run, usesReferenceBlas } from '../../native/build/locate.mjs';
import { libtorchFiles, newStringSymbol, oldStringSymbol, tree } from './trees.ts';

const nothing: Run = () => ({ status: null, stdout: '', error: 'spawn python3 ENOENT' });
const linux = { platform: 'linux', arch: 'x64', run: nothing } as const;
const at = (env: Record<string, string>, root = tree()) => locateLibtorch({ ...linux, env, root });

describe('LIBTORCH', () => {
  test('an unpacked archive', () => {
    const root = tree(
      libtorchFiles('libtorch', {
        extra: { 'libtorch/build-version': '2.7.1+cpu\n', 'libtorch/lib/libgomp-98b21ff3.so.1': '' },
      }),
    );
    const { libtorch, tried } = at({ LIBTORCH: join(root, 'libtorch') });
    expect(tried).toEqual([]);
    expect(libtorch).toMatchObject({
      source: 'LIBTORCH',
      root: join(root, 'libtorch'),
      version: '2.7.1+cpu',
      includeDirs: [join(root, 'libtorch/include'), join(root, 'libtorch/include/torch/csrc/api/include')],
      libDir: join(root, 'libtorch/lib'),
      libraries: [join(root, 'libtorch/lib/libtorch_cpu.so'), join(root, 'libtorch/lib/libc10.so')],
      openmp: join(root, 'libtorch/lib/libgomp-98b21ff3.so.1'),
      usesOpenmp: true,
      cuda: false,
      cudaLibraries: [],
      cxx11Abi: 1,
      cxxStandard: 17,
    });
  });

  test('CUDA needs both of its libraries', () => {
    const cuda = { 't/lib/libtorch_cuda.so': '', 't/lib/libc10_cuda.so': '' };
    const both = tree(libtorchFiles('t', { extra: cuda }));
    expect(at({ LIBTORCH: join(both, 't') }).libtorch).toMatchObject({
      cuda: true,
      cudaLibraries: [join(both, 't/lib/libtorch_cuda.so'), join(both, 't/lib/libc10_cuda.so')],
    });
    const one = tree(libtorchFiles('t', { extra: { 't/lib/libtorch_cuda.so': '' } }));
    expect(at({ LIBTORCH: join(one, 't') }).libtorch).toMatchObject({ cuda: false, cudaLibraries: [] });
  });

  test('set but wrong is an error, even with a good system libtorch', () => {
    const root = tree(libtorchFiles('usr'));
    const { libtorch, tried } = at({ LIBTORCH: join(root, 'nowhere') }, root);
    expect(libtorch).toBeUndefined();
    expect(tried).toEqual([{ source: 'LIBTORCH', where: join(root, 'nowhere'), reason: 'there is no such folder' }]);
    expect(describeAttempts(tried)).toEqual([`LIBTORCH=${join(root, 'nowhere')}: there is no such folder`]);
  });

  test('an empty variable is not set', () => {
    const root = tree(libtorchFiles('usr'));
    expect(at({ LIBTORCH: '', LIBTORCH_USE_PYTORCH: '' }, root).libtorch?.source).toBe('system');
    expect(at({ LIBTORCH_USE_PYTORCH: '0' }, root).libtorch?.source).toBe('system');
  });

  test('says which part is missing', () => {
    const noHeaders = tree({ 'lib/libtorch_cpu.so': '', 'lib/libc10.so': '' });
    expect(at({ LIBTORCH: noHeaders }).tried[0]?.reason).toBe(
      `missing: the headers (${noHeaders}/include/ATen/ATen.h)`,
    );
    const noLibrary = tree({ 'include/ATen/ATen.h': '', 'lib/libc10.so': '' });
    expect(at({ LIBTORCH: noLibrary }).tried[0]?.reason).toBe(`missing: the library ${noLibrary}/lib/libtorch_cpu.so`);
  });

  test.each([
    ['the folder above', '', 'libtorch'],
    ['its lib', 'libtorch/lib', 'libtorch'],
  ])('a near miss (%s) is named', (_, wrong, right) => {
    const root = tree(libtorchFiles('libtorch'));
    const { libtorch, tried } = at({ LIBTORCH: join(root, wrong) });
    expect(libtorch).toBeUndefined();
    expect(tried[0]?.reason).toContain(`did you mean LIBTORCH=${join(root, right)}?`);
  });

  test('a relative path and a file are refused', () => {
    expect(at({ LIBTORCH: 'libtorch' }).tried[0]?.reason).toBe('it must be an absolute path');
    const root = tree({ 'libtorch.zip': '' });
    expect(at({ LIBTORCH: join(root, 'libtorch.zip') }).tried[0]?.reason).toMatch(/it is a file/);
  });
});

describe('LIBTORCH_USE_PYTORCH', () => {
  const answers =
    (torch: Record<string, string | null>): Run =>
    (command) =>
      command in torch
        ? {
            status: 0,
            stdout: `noise\n${JSON.stringify({ executable: `/real/${command}`, torch: torch[command] })}\n`,
            error: undefined,
          }
        : { status: null, stdout: '', error: `spawn ${command} ENOENT` };

  test("the active environment's torch, and a wheel's version", () => {
    const root = tree({
      ...libtorchFiles('torch', { symbols: oldStringSymbol }),
      'torch/version.py': "__all__ = ['__version__']\n__version__ = '2.5.1+cu124'\n",
    });
    const { libtorch } = locateLibtorch({
      ...linux,
      env: { LIBTORCH_USE_PYTORCH: '1', VIRTUAL_ENV: '/venv' },
      run: answers({ '/venv/bin/python': join(root, 'torch'), python3: '/other' }),
    });
    expect(libtorch).toMatchObject({ source: 'LIBTORCH_USE_PYTORCH', version: '2.5.1+cu124', cxx11Abi: 0 });
  });

  test('an active environment without torch is an error, not a reason to look elsewhere', () => {
    const root = tree(libtorchFiles('usr'));
    const { libtorch, tried } = locateLibtorch({
      ...linux,
      root,
      env: { LIBTORCH_USE_PYTORCH: '1', VIRTUAL_ENV: '/venv' },
      run: answers({ '/venv/bin/python': null, python3: join(root, 'usr') }),
    });
    expect(libtorch).toBeUndefined();
    expect(tried).toEqual([
      { source: 'LIBTORCH_USE_PYTORCH', where: '/real//venv/bin/python', reason: 'this Python has no package torch' },
    ]);
  });

  test('without one: python3, then python', () => {
    const root = tree(libtorchFiles('torch'));
    const { libtorch, tried } = locateLibtorch({
      ...linux,
      env: { LIBTORCH_USE_PYTORCH: '1' },
      run: answers({ python: join(root, 'torch') }),
    });
    expect(libtorch?.root).toBe(join(root, 'torch'));
    expect(tried.map(({ where }) => where)).toEqual(['python3']);
  });
});

describe('system', () => {
  test("Debian's multiarch folder", () => {
    const root = tree(libtorchFiles('usr', { lib: 'lib/aarch64-linux-gnu' }));
    const { libtorch } = locateLibtorch({ ...linux, arch: 'arm64', env: {}, root });
    expect(libtorch).toMatchObject({
      source: 'system',
      root: join(root, 'usr'),
      libDir: join(root, 'usr/lib/aarch64-linux-gnu'),
      version: '2.1.2',
    });
  });

  test('Homebrew', () => {
    const root = tree(libtorchFiles('opt/homebrew/opt/pytorch', { suffix: '.dylib' }));
    const { libtorch } = locateLibtorch({ platform: 'darwin', arch: 'arm64', env: {}, root, run: nothing });
    expect(libtorch).toMatchObject({ root: join(root, 'opt/homebrew/opt/pytorch'), cxx11Abi: undefined });
  });

  test('nothing anywhere: every place with its reason', () => {
    const root = tree({ 'usr/include/x': '' });
    const { libtorch, tried } = at({}, root);
    expect(libtorch).toBeUndefined();
    expect(tried.map(({ where }) => where)).toEqual([join(root, 'usr'), join(root, 'usr/local')]);
    for (const { reason } of tried) expect(reason).toMatch(/^missing: the headers .* the library .*libtorch_cpu\.so/);
  });

  test('a changed installation has another identity', () => {
    const one = tree(libtorchFiles('usr'));
    const first = at({}, one).libtorch?.identity;
    expect(at({}, one).libtorch?.identity).toBe(first);
    const two = tree({ ...libtorchFiles('usr'), 'usr/lib/libtorch_cpu.so': 'a longer library' });
    expect(at({}, two).libtorch?.identity).not.toBe(first);
  });
});

test('the layout of std::string is read off symbols', () => {
  expect(cxx11AbiOf(Buffer.from(newStringSymbol))).toBe(1);
  expect(cxx11AbiOf(Buffer.from(oldStringSymbol))).toBe(0);
  // A copy constructor tells nothing; a new-layout symbol elsewhere wins.
  expect(cxx11AbiOf(Buffer.from('\0_ZN3c105ErrorC1ERKS0_\0'))).toBeUndefined();
  expect(cxx11AbiOf(Buffer.from(`\0_ZN3c105ErrorC1ERKS0_${newStringSymbol}`))).toBe(1);
});

test.each([
  ['C++14', 17],
  ['C++17', 17],
  ['C++20', 20],
  ['C++23', 23],
])('headers that ask for %s are compiled as C++%i', (asked, standard) => {
  expect(cxxStandardOf(`#error ${asked} or later compatible compiler is required to use ATen.`)).toBe(standard);
});

test('a reference BLAS is told from OpenBLAS by where the link ends', () => {
  const lib = 'usr/lib/x86_64-linux-gnu';
  const files = { [`${lib}/blas/libblas.so.3`]: '', [`${lib}/openblas-openmp/libblas.so.3`]: '' };
  const slow = tree({ ...files, [`${lib}/libblas.so.3`]: '-> blas/libblas.so.3' });
  const fast = tree({ ...files, [`${lib}/libblas.so.3`]: '-> openblas-openmp/libblas.so.3' });
  expect(usesReferenceBlas({ root: slow, arch: 'x64' })).toBe(true);
  expect(usesReferenceBlas({ root: fast, arch: 'x64' })).toBe(false);
  expect(usesReferenceBlas({ root: tree(), arch: 'x64' })).toBe(false);
});

describe('libraries an ELF file needs', () => {
  const readelf = ['/usr/bin/readelf', '/usr/local/bin/readelf'].find((path) => existsSync(path));

  test.skipIf(!readelf || process.platform !== 'linux')(
    `as readelf lists them${readelf ? '' : ' (skipped: readelf not found)'}`,
    () => {
      const listed = execFileSync(readelf ?? '', ['-d', process.execPath], { encoding: 'utf8' });
      const names = [...listed.matchAll(/\(NEEDED\).*\[(.+)\]/g)].map((match) => match[1]);
      expect(names.length).toBeGreaterThan(0);
      expect(neededLibraries(process.execPath)).toEqual(names);
    },
  );

  test('anything else is not an ELF file', () => {
    const root = tree({ text: 'x'.repeat(200), empty: '' });
    expect(neededLibraries(join(root, 'text'))).toBeUndefined();
    expect(neededLibraries(join(root, 'empty'))).toBeUndefined();
    expect(readFileSync(join(root, 'empty')).length).toBe(0);
  });
});
