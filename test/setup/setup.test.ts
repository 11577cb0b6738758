import { spawnSync } from 'node:child_process';
import { readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { packageRoot } from '../../native/build/current.mjs';
import { withLock } from '../../native/build/lock.mjs';
import { packagesAreCurrent } from '../../scripts/packages.mjs';
import { compileTypeScript, linkCommand, typescriptState } from '../../scripts/typescript.mjs';
import { tree } from './trees.ts';

describe('npm packages', () => {
  const lock = {
    packages: {
      '': { version: '0.1.0' },
      'node_modules/zod': { version: '4.6.7' },
      'node_modules/@x/win32': { version: '1.0.0', optional: true },
    },
  };
  const root = (installed: object | undefined, files: Record<string, string> = { 'node_modules/zod/x': '' }) =>
    tree({
      'package-lock.json': JSON.stringify(lock),
      ...files,
      ...(installed ? { 'node_modules/.package-lock.json': JSON.stringify({ packages: installed }) } : {}),
    });

  test('what npm recorded is compared with the lock', () => {
    expect(packagesAreCurrent(root({ 'node_modules/zod': { version: '4.6.7' } }))).toBe(true);
    expect(packagesAreCurrent(root({ 'node_modules/zod': { version: '4.6.6' } }))).toBe(false);
    expect(packagesAreCurrent(root({}))).toBe(false);
    expect(packagesAreCurrent(root(undefined))).toBe(false);
  });

  test('a package whose folder was deleted is missing', () => {
    expect(packagesAreCurrent(root({ 'node_modules/zod': { version: '4.6.7' } }, {}))).toBe(false);
  });

  test('this checkout is current, or these tests would not run', () => {
    expect(packagesAreCurrent(packageRoot)).toBe(true);
  });
});

describe('TypeScript', () => {
  const project = () =>
    tree({
      'src/a.ts': "export { b } from './b.ts';\n",
      'src/b.ts': 'export const b: number = 1;\n',
      'src/b.test.ts': 'this is not compiled',
      'tsconfig.json': readFileSync(join(packageRoot, 'tsconfig.json'), 'utf8'),
      'tsconfig.build.json': readFileSync(join(packageRoot, 'tsconfig.build.json'), 'utf8'),
      'native/build/tsconfig.json': readFileSync(join(packageRoot, 'native/build/tsconfig.json'), 'utf8'),
      'native/build/tool.mjs': 'export const tool = 1;\n',
      'package.json': '{"type": "module", "bin": {"thrive": "dist/a.js"}}',
      node_modules: `-> ${join(packageRoot, 'node_modules')}`,
    });

  test('compiles once, and again when a source changes or an output is gone', async () => {
    const root = project();
    expect(await compileTypeScript(root)).toBe(true);
    expect(await compileTypeScript(root)).toBe(false);
    writeFileSync(join(root, 'src/b.ts'), 'export const b: number = 2;\n');
    expect(await compileTypeScript(root)).toBe(true);
    expect(readFileSync(join(root, 'dist/b.js'), 'utf8')).toContain('b = 2');
    rmSync(join(root, 'dist'), { recursive: true });
    expect(await compileTypeScript(root)).toBe(true);
    expect(readFileSync(join(root, 'dist/a.js'), 'utf8')).toContain("'./b.js'");
  });

  test('the output of a source that is gone goes too', async () => {
    const root = project();
    await compileTypeScript(root);
    rmSync(join(root, 'src/b.ts'));
    writeFileSync(join(root, 'src/a.ts'), 'export const a = 1;\n');
    writeFileSync(join(root, 'dist/page.js'), 'not of tsc');
    await compileTypeScript(root);
    expect(statSync(join(root, 'dist/b.js'), { throwIfNoEntry: false })).toBeUndefined();
    expect(statSync(join(root, 'dist/b.d.ts'), { throwIfNoEntry: false })).toBeUndefined();
    expect(readFileSync(join(root, 'dist/page.js'), 'utf8')).toBe('not of tsc');
  });

  test('a type error is shown, and is an error the next time too', async () => {
    const root = project();
    writeFileSync(join(root, 'src/b.ts'), "export const b: number = 'x';\n");
    await expect(compileTypeScript(root)).rejects.toThrow(/src\/b\.ts.*TS2322/);
    await expect(compileTypeScript(root)).rejects.toThrow(/TS2322/);
  });

  test('tests are no part of it', () => {
    expect(typescriptState(project()).outputs.map((path) => path.split('/').at(-1))).toEqual(['a.js', 'b.js']);
  });
});

test('the command is linked and can be run', () => {
  const root = tree({
    'package.json': '{"bin": {"thrive": "dist/cli/main.js", "later": "dist/none.js"}}',
    'dist/cli/main.js': '#!/usr/bin/env node\nconsole.log("thriving");\n',
    'node_modules/.bin/thrive': 'an old file',
  });
  linkCommand(root);
  linkCommand(root);
  const link = join(root, 'node_modules/.bin/thrive');
  expect(readlinkSync(link)).toBe('../../dist/cli/main.js');
  expect(spawnSync(link, { encoding: 'utf8' }).stdout).toBe('thriving\n');
});

describe('the lock', () => {
  test('work is done one after the other', async () => {
    const path = join(tree(), 'sub/lock');
    const order: string[] = [];
    const work = (name: string) =>
      withLock(
        path,
        async () => {
          order.push(`${name} begins`);
          await new Promise((resolve) => setTimeout(resolve, 30));
          order.push(`${name} ends`);
        },
        { poll: 5 },
      );
    await Promise.all([work('a'), work('b')]);
    expect(order.filter((line) => line.startsWith(order[0]![0]!))).toEqual(order.slice(0, 2));
  });

  test('is given back when the work fails', async () => {
    const path = join(tree(), 'lock');
    await expect(withLock(path, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(statSync(path, { throwIfNoEntry: false })).toBeUndefined();
  });

  test('an owner elsewhere is waited for, but not for ever', async () => {
    const root = tree({ lock: '1 another-host' });
    const waited: string[] = [];
    const result = await withLock(join(root, 'lock'), async () => 'done', {
      patience: 50,
      poll: 5,
      onWait: (owner) => waited.push(owner),
    });
    expect([result, waited]).toEqual(['done', ['1']]);
    expect(readFileSync(join(root, 'lock'), 'utf8')).toBe('1 another-host');
  });
});

describe('the script', () => {
  const script = join(packageRoot, 'scripts/setup.mjs');

  test('an unknown option is refused', () => {
    const { status, stderr } = spawnSync(process.execPath, [script, '--fore'], { encoding: 'utf8' });
    expect(status).toBe(2);
    expect(stderr).toBe('setup: unknown option --fore; known: --quiet, --force, --no-install\n');
  });

  test('an old Node.js says that it is too old', () => {
    const root = tree({
      'package.json': '{"engines": {"node": ">=999.1"}}',
      'scripts/setup.mjs': readFileSync(script, 'utf8'),
    });
    const { status, stderr } = spawnSync(process.execPath, [join(root, 'scripts/setup.mjs')], { encoding: 'utf8' });
    expect(status).toBe(1);
    expect(stderr).toMatch(/^setup: Node\.js 999\.1 or later is needed; this is v/);
  });

  test('a wrong LIBTORCH: what is wrong, and what would do, without installing anything', () => {
    const { status, stderr } = spawnSync(process.execPath, [script], {
      encoding: 'utf8',
      env: { ...process.env, LIBTORCH: '/nowhere', THRIVE_BUILD_DIR: tree() },
    });
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /The libtorch that LIBTORCH names cannot be used:\n +LIBTORCH=\/nowhere: there is no such folder/,
    );
    expect(stderr).toContain('export LIBTORCH_USE_PYTORCH=1');
    expect(stderr).not.toMatch(/\n +at /);
  });
});
