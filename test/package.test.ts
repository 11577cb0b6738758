/** @file The package as its users have it: packed, installed in an empty project, set up, imported under `strict`, trained with. */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildDirOf, packageRoot } from '../native/build/current.mjs';

const folder = mkdtempSync(join(tmpdir(), 'thrive-package-'));
const installed = join(folder, 'node_modules/thrive');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function run(command: string, args: string[], cwd = folder): { status: number | null; output: string; stdout: string } {
  // Nothing of vitest's or of the outer npm's surroundings.
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_OPTIONS|VITEST)/.test(name)),
  );
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, env, encoding: 'utf8' });
  return { status, stdout, output: `${stdout}${stderr}` };
}

const files: Record<string, string> = {
  'package.json': '{ "name": "empty", "private": true, "type": "module" }',
  'tsconfig.json': JSON.stringify({
    compilerOptions: {
      ...{ target: 'es2022', module: 'nodenext', strict: true, skipLibCheck: false, rootDir: '.', outDir: 'out' },
      types: ['node'],
    },
    files: ['train.ts'],
  }),
  'train.ts': `
import { defineExperiment, runExperiment } from 'thrive';
import { createModel } from 'thrive/models';
import { memory } from 'thrive/torch';
${['nn', 'data', 'augment', 'distill', 'train', 'onnx', 'formats'].map((name) => `import 'thrive/${name}';`).join('\n')}

const experiment = defineExperiment({ data: 'synthetic', model: 'resnet8', limitTrain: 128, limitTest: 64, epochs: 1 });
const { top1, checkpoint } = await runExperiment(experiment, { out: 'run' });
using network = createModel('resnet8', { classes: 10 });
const tensors: number = memory().tensors;
console.log(JSON.stringify({ top1, checkpoint, tensors }));
`,
};

describe('the packed package', { timeout: 600_000 }, () => {
  let offline = '';

  beforeAll(() => {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    const packed = run('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder], packageRoot);
    expect(packed.status, packed.output).toBe(0);
    const types = JSON.parse(readFileSync(join(packageRoot, 'node_modules/@types/node/package.json'), 'utf8')).version;
    const options = ['--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline', '--fetch-retries=1'];
    const { status, output } = run('npm', ['install', ...options, packed.stdout.trim(), `@types/node@${types}`]);
    if (/ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ECONNREFUSED|ENETUNREACH/.test(output)) offline = 'no npm registry within reach';
    else expect(status, output).toBe(0);
  }, 300_000);

  test('has the sources that source maps and docs point at, and no tests and logs', (context) => {
    if (offline) context.skip(offline);
    const all = readdirSync(installed, { recursive: true, encoding: 'utf8' });
    for (const map of all.filter((name) => /^dist\/(?!dashboard).*\.js\.map$/.test(name))) {
      const { sources } = JSON.parse(readFileSync(join(installed, map), 'utf8')) as { sources: string[] };
      for (const source of sources)
        expect(existsSync(resolve(installed, dirname(map), source)), `${map}: ${source}`).toBe(true);
    }
    expect(all).toContain('src/train/loop.ts');
    expect(all.filter((name) => /\.test\.|^docs\/results\/|^test\/|^build\//.test(name))).toEqual([]);
  });

  test('its types hold under strict, libraries checked too', (context) => {
    if (offline) context.skip(offline);
    const { status, output } = run(process.execPath, [join(packageRoot, 'node_modules/typescript/bin/tsc')]);
    expect(status, output).toBe(0);
  });

  test('thrive setup builds it in place, and an epoch trains', (context) => {
    if (offline) context.skip(offline);
    // Compiled already, by this checkout's setup, from the same sources: what is left is to link and to try.
    mkdirSync(join(installed, 'build'));
    cpSync(join(buildDirOf(), 'objects'), join(installed, 'build/objects'), { recursive: true });
    const setup = run('npx', ['thrive', 'setup', '--no-install']);
    expect(setup.status, setup.output).toBe(0);
    expect(setup.output).toMatch(/native: 0 of \d+ files to compile/);
    expect(existsSync(join(installed, 'build/current.json'))).toBe(true);
    const trained = run(process.execPath, ['out/train.js']);
    expect(trained.status, trained.output).toBe(0);
    const { top1, checkpoint, tensors } = JSON.parse(trained.stdout.trim().split('\n').at(-1)!);
    expect(top1).toBeGreaterThanOrEqual(0);
    expect(existsSync(join(folder, checkpoint))).toBe(true);
    expect(tensors).toBeGreaterThan(0);
  });
});
