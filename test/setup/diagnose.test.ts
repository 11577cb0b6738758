import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { diagnoseCompile, diagnoseLoad, firstErrors } from '../../native/build/diagnose.mjs';
import { tree } from './trees.ts';

const hasCompiler = spawnSync('g++', ['--version']).status === 0;
const ifCompiler = hasCompiler ? '' : ' (skipped: g++ not found)';

/** What g++ really prints for a source, so that these tests follow the compiler there is. */
function compile(source: string, args: string[] = ['-fsyntax-only']): string {
  const dir = tree({ 'a.cc': source });
  return spawnSync('g++', [...args, 'a.cc'], { cwd: dir, encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' } })
    .stderr;
}

describe.skipIf(!hasCompiler)(`g++'s own complaints${ifCompiler}`, () => {
  test.each([
    ['#include <node_api.h>', /Node-API headers are missing/, /npm ci/],
    ['#include <ATen/NoSuchHeader.h>', /libtorch's header ATen\/NoSuchHeader\.h is missing/, /libtorch-dev/],
    ['#include <nosuchpackage/part.h>', /header nosuchpackage\/part\.h is missing/, /install/],
    ['int x = "text";', /does not compile against this libtorch/, /report/],
  ])('%s', (source, cause, remedy) => {
    const found = diagnoseCompile(compile(source));
    expect(found.cause).toMatch(cause);
    expect(found.remedy).toMatch(remedy);
  });

  test('a standard it does not know', () => {
    expect(diagnoseCompile(compile('', ['-fsyntax-only', '-std=c++99'])).cause).toMatch(/too old/);
  });

  test('a library of another string layout', () => {
    const source = '#include <string>\nnamespace c10 { void f(std::string); }\nint main() { c10::f("x"); }';
    expect(diagnoseCompile(compile(source, [])).cause).toMatch(/layout of std::string/);
    expect(diagnoseCompile(compile('namespace at { void g(int); }\nint main() { at::g(1); }', [])).cause).toMatch(
      /do not belong together/,
    );
  });

  test('the excerpt begins with the first error', () => {
    const lines = firstErrors(compile('#warning a warning first\nint x = nothing;\n')).split('\n');
    expect(lines[0]).toMatch(/error: .nothing. was not declared/);
  });
});

test.each([
  ['g++: fatal error: Killed signal terminated program cc1plus', null, /want of memory/],
  ['', 'SIGKILL' as const, /want of memory/],
  ['cc1plus: out of memory allocating 65536 bytes', null, /want of memory/],
  ['fatal error: error writing to /tmp/ccX.s: No space left on device', null, /disk is full/],
  ['#error C++20 or later compatible compiler is required to use PyTorch.', null, /too old/],
  ["a.cc:1:10: fatal error: 'ATen/ATen.h' file not found", null, /libtorch's header ATen\/ATen\.h/],
])('%s %s', (output, signal, cause) => {
  expect(diagnoseCompile(output, { signal }).cause).toMatch(cause);
});

describe('loading', () => {
  test('a build of this moment is not to be built again', () => {
    const message = '/x/thrive.node: undefined symbol: _ZN3c105ErrorC1ENS_14SourceLocationESs';
    expect(diagnoseLoad(message, { fresh: true }).cause).toMatch(/headers and libraries do not belong together/);
    expect(diagnoseLoad(message, { fresh: true }).remedy).not.toMatch(/rebuild/);
  });

  test('a file that is no library, as the loader here says it', () => {
    const path = join(tree(), 'x.node');
    writeFileSync(path, 'x'.repeat(100));
    let message = '';
    try {
      process.dlopen({ exports: {} }, path);
    } catch (error) {
      message = String(error);
    }
    expect(diagnoseLoad(message).cause).toMatch(/another kind of processor or system/);
  });

  test.each([
    [
      'libtorch_cpu.so: cannot open shared object file: No such file or directory',
      { cause: /libtorch_cpu\.so was not found/, remedy: /LIBTORCH/, missingLibrary: 'libtorch_cpu.so' },
    ],
    [
      'libcudnn.so.9: cannot open shared object file: No such file or directory',
      { cause: /libcudnn\.so\.9/, remedy: /nvidia/, missingLibrary: 'libcudnn.so.9' },
    ],
    [
      'libgfortran.so.5: cannot open shared object file: No such file or directory',
      { cause: /libgfortran\.so\.5/, remedy: /install the package/, missingLibrary: 'libgfortran.so.5' },
    ],
    [
      "/opt/conda/lib/libstdc++.so.6: version `GLIBCXX_3.4.30' not found (required by thrive.node)",
      { cause: /GLIBCXX_3\.4\.30 is missing/, remedy: /conda/ },
    ],
    [
      '/x/thrive.node: undefined symbol: _ZN3c105ErrorC1ENS_14SourceLocationESs',
      { cause: /another libtorch/, remedy: /--force/ },
    ],
    [
      '/t/lib/libgomp-d22c30c5.so.1: cannot allocate memory in static TLS block',
      { cause: /loaded before everything else/, remedy: /LD_PRELOAD=\/t\/lib\/libgomp-d22c30c5\.so\.1/ },
    ],
    [
      '/x/thrive.node: cannot open shared object file: No such file',
      { cause: /thrive\.node was not found|gone/, remedy: /./ },
    ],
    ['/x/thrive.node: file too short', { cause: /not whole/, remedy: /--force/ }],
    ['something nobody has seen', { cause: /refused/, remedy: /rebuild/ }],
  ])('%s', (message, expected) => {
    const found = diagnoseLoad(message);
    expect(found.cause).toMatch(expected.cause);
    expect(found.remedy).toMatch(expected.remedy);
    expect(found.missingLibrary).toBe('missingLibrary' in expected ? expected.missingLibrary : undefined);
  });
});
