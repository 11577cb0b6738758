import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { BuildError, build, chooseLibtorch, smokeTest } from '../../native/build/build.mjs';
import { locateCompiler } from '../../native/build/compiler.mjs';
import { currentBuild, packageRoot } from '../../native/build/current.mjs';
import { locateLibtorch } from '../../native/build/locate.mjs';
import { sourcesIn } from '../../native/build/sources.mjs';
import { libtorchFiles, tree } from './trees.ts';

const { libtorch } = locateLibtorch();
const { compiler } = locateCompiler({ standard: libtorch?.cxxStandard ?? 17 });
const able = libtorch !== undefined && compiler !== undefined;
const why = able ? '' : ' (skipped: needs libtorch and a C++ compiler)';

// An addon of two files that stands for the real one: it compiles in half a second.
const addonSource = `
#include <node_api.h>
#include "answer.h"
napi_value version(napi_env env, napi_callback_info) {
  napi_value value;
  napi_create_string_utf8(env, answer(), NAPI_AUTO_LENGTH, &value);
  return value;
}
napi_value selfTest(napi_env env, napi_callback_info) {
  SELF_TEST
  return nullptr;
}
NAPI_MODULE_INIT() {
  napi_value function;
  napi_create_function(env, "version", NAPI_AUTO_LENGTH, version, nullptr, &function);
  napi_set_named_property(env, exports, "version", function);
  napi_create_function(env, "selfTest", NAPI_AUTO_LENGTH, selfTest, nullptr, &function);
  napi_set_named_property(env, exports, "selfTest", function);
  return exports;
}
`;
const sources = (selfTest = '') => ({
  'native/addon.cc': addonSource.replace('SELF_TEST', selfTest),
  'native/answer.cc': '#include "answer.h"\nconst char* answer() { return ANSWER; }\n',
  'native/answer.h': '#define ANSWER "1.0-stub"\nconst char* answer();\n',
});

function project(selfTest = '') {
  const root = tree(sources(selfTest));
  const lines: string[] = [];
  const options = {
    sourceDir: join(root, 'native'),
    buildDir: join(root, 'build'),
    log: (line: string): void => void lines.push(line),
  };
  return { root, lines, options, compiled: () => lines.filter((line) => /\.cc +[\d.]+ s/.test(line)).length };
}

async function failure(run: () => Promise<unknown>): Promise<BuildError> {
  try {
    await run();
  } catch (error) {
    if (error instanceof BuildError) return error;
    throw error;
  }
  throw new Error('expected the build to fail');
}

describe.skipIf(!able)(`building${why}`, () => {
  test('compiles, loads, records; then does nothing; then only what changed', async () => {
    const { root, options, compiled, lines } = project();
    const first = await build(options);
    expect(first.built).toBe(true);
    expect(compiled()).toBe(2);
    expect(currentBuild(options.buildDir)).toEqual(first.info);
    expect(first.info).toMatchObject({
      libtorch: { identity: libtorch?.identity, loaded: '1.0-stub' },
      compiler: { version: compiler?.version },
    });
    expect(await smokeTest(join(options.buildDir, first.info.addon))).toMatchObject({ version: '1.0-stub' });

    lines.length = 0;
    expect(await build(options)).toEqual({ built: false, info: first.info });
    expect(lines).toEqual([]);

    // Only answer.cc changes: addon.cc keeps its object.
    writeFileSync(join(root, 'native/answer.cc'), '#include "answer.h"\nconst char* answer() { return "2.0" ; }\n');
    const second = await build(options);
    expect(compiled()).toBe(1);
    expect(second.info.libtorch.loaded).toBe('2.0');
    expect(second.info.key).not.toBe(first.info.key);

    // Going back finds the first build again.
    writeFileSync(join(root, 'native/answer.cc'), sources()['native/answer.cc']);
    expect(await build(options)).toEqual({ built: false, info: first.info });
    expect(currentBuild(options.buildDir)?.key).toBe(first.info.key);
  });

  test('an error in the source names the file and the line, and keeps the build there was', async () => {
    const { root, options } = project();
    const { info } = await build(options);
    writeFileSync(join(root, 'native/answer.cc'), '#include "answer.h"\nint answer() { return nothing; }\n');
    const error = await failure(() => build(options));
    expect(error.message).toBe('answer.cc did not compile');
    expect(error.output).toMatch(/answer\.cc:2:\d+: error/);
    expect(error.report()).toMatch(/likely cause: /);
    expect(currentBuild(options.buildDir)).toEqual(info);
    expect(readdirSync(join(options.buildDir, 'objects')).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  test.each([
    ['its self-test fails', 'napi_throw_error(env, nullptr, "sums are wrong");', /sums are wrong/],
    ['it crashes', '__builtin_trap();', /the process ended with SIG(ILL|TRAP|SEGV)|lacks an instruction/],
    ['it never ends well', 'throw 1;', /SIGABRT/],
  ])('a build is not taken into use when %s', async (_, selfTest, message) => {
    const { options } = project(selfTest);
    const error = await failure(() => build(options));
    expect(error.message).toBe('the addon was built but does not work');
    expect(error.output).toMatch(message);
    expect(currentBuild(options.buildDir)).toBeUndefined();
  });

  test('a source edited while it compiles is compiled again', async () => {
    const { root, options, lines } = project();
    const { log } = options;
    let edited = false;
    options.log = (line: string) => {
      log(line);
      if (edited || !/\.cc +[\d.]+ s/.test(line)) return;
      edited = true; // the first object is ready, the second not yet
      writeFileSync(join(root, 'native/answer.h'), '#define ANSWER "edited"\nconst char* answer();\n');
    };
    expect((await build(options)).info.libtorch.loaded).toBe('edited');
    expect(lines).toContain('native: the sources changed meanwhile, starting again');
  });

  test('two processes at once: one builds, both end with a whole addon', async () => {
    const { options } = project();
    const script = `
      const { build } = await import(${JSON.stringify(pathToFileURL(join(packageRoot, 'native/build/build.mjs')).href)});
      const { built, info } = await build({ ...${JSON.stringify(options)}, log() {} });
      console.log(JSON.stringify({ built, key: info.key }));`;
    const run = () => promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
    const results = (await Promise.all([run(), run()])).map(({ stdout }) => JSON.parse(stdout));
    expect(results.map(({ built }) => built).sort()).toEqual([false, true]);
    expect(results[0].key).toBe(results[1].key);
    expect(await smokeTest(join(options.buildDir, currentBuild(options.buildDir)?.addon ?? ''))).toMatchObject({
      version: '1.0-stub',
    });
    expect(existsSync(join(options.buildDir, 'native.lock'))).toBe(false);
  });

  test('a lock left by a process that died does not stop the next build', async () => {
    const { root, options } = project();
    await build(options);
    const dead = await new Promise<number>((resolve) => {
      const child = execFile(process.execPath, ['-e', ''], () => resolve(child.pid ?? 0));
    });
    const { hostname } = await import('node:os');
    writeFileSync(join(options.buildDir, 'native.lock'), `${dead} ${hostname()}`);
    writeFileSync(join(root, 'native/answer.h'), '#define ANSWER "3.0"\nconst char* answer();\n');
    expect((await build(options)).info.libtorch.loaded).toBe('3.0');
  });

  test('no compiler is needed when there is nothing to compile', async () => {
    const { root, options } = project();
    const { info } = await build(options);
    const { CXX: _, ...rest } = process.env;
    const env = { ...rest, PATH: root };
    expect(locateCompiler({ env }).compiler).toBeUndefined();
    expect(await build({ ...options, env })).toEqual({ built: false, info });
    writeFileSync(join(root, 'native/answer.h'), '#define ANSWER "4.0"\nconst char* answer();\n');
    const error = await failure(() => build({ ...options, env: { ...env, CXX: '/nowhere/g++' } }));
    expect(error.missing).toBe('compiler');
    expect(error.output).toContain('CXX=/nowhere/g++: not installed');
  });
});

test('the libtorch of the last build is used again where there is no other', async () => {
  const root = tree(libtorchFiles('elsewhere'));
  const buildDir = join(root, 'build');
  const last = { libtorch: { root: join(root, 'elsewhere') } };
  mkdirSync(buildDir);
  writeFileSync(join(buildDir, 'current.json'), JSON.stringify(last));
  const found = (places: { root: string }) => chooseLibtorch({ env: {}, buildDir, ...places }).libtorch?.root;
  expect(found({ root: tree() })).toBe(last.libtorch.root);
  const system = tree(libtorchFiles('usr'));
  expect(found({ root: system })).toBe(join(system, 'usr'));
  // Asked for by name, it is that one or none.
  expect(chooseLibtorch({ env: { LIBTORCH: '/nowhere' }, buildDir }).libtorch).toBeUndefined();
});

test('a wrong LIBTORCH stops the build and is named', async () => {
  const { options } = project();
  const error = await failure(() => build({ ...options, env: { LIBTORCH: '/nowhere' } }));
  expect(error.missing).toBe('libtorch');
  expect(error.report()).toContain('LIBTORCH=/nowhere: there is no such folder');
});

test("an object depends on the addon's own headers, through other headers too", () => {
  const root = tree({
    'a.cc': '#include "one.h"\n#include <vector>\n',
    'b.cc': 'int b;\n',
    'one.h': '  #  include "sub/two.h"\n',
    'sub/two.h': '#include "../one.h"\nint two;\n',
  });
  const hashes = () => Object.fromEntries(sourcesIn(root).map(({ name, hash }) => [name, hash]));
  const before = hashes();
  writeFileSync(join(root, 'sub/two.h'), `${readFileSync(join(root, 'sub/two.h'), 'utf8')}int three;\n`);
  const after = hashes();
  expect(after['a.cc']).not.toBe(before['a.cc']);
  expect(after['b.cc']).toBe(before['b.cc']);
});
