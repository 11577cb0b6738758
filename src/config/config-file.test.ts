import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { UserError } from '../base/errors.ts';
import { Tensor } from '../torch/index.ts';
import { readConfigFile } from './config-file.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'thrive config ümläut-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const written = (name: string, text: string): string => {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  return path;
};
const settings = { model: 'resnet8', epochs: 7, schedule: 'cosine' };
const body = JSON.stringify(settings);

describe('settings come from', () => {
  test.each([
    ['JSON', 'a.json', body],
    ['a JavaScript module', 'a.mjs', `export default ${body};`],
    ['a CommonJS module', 'a.cjs', `module.exports = ${body};`],
    [
      'TypeScript with types',
      'a.ts',
      `const epochs: number = 7 satisfies number;\nexport default { ...(${body} as object), epochs };`,
    ],
    [
      'TypeScript that uses the library, wherever it lies',
      'deep/er/b.ts',
      `import { defineExperiment } from 'thrive';\nexport default defineExperiment(${body});`,
    ],
    ["a run's folder", 'run/config.json', JSON.stringify({ config: settings, fingerprint: {}, versions: {} })],
    ['a module that imports another', 'c.ts', `import shared from './a.json';\nexport default { ...shared };`],
  ])('%s', async (_what, name, text) => {
    written('a.json', body);
    expect(await readConfigFile(written(name, text))).toEqual(settings);
  });

  test('a module that asks a room for something', async () => {
    const text = `import { paperMilestones } from 'thrive/nn';\nimport { DATASETS } from 'thrive/data';\nexport default { model: String(typeof paperMilestones), data: DATASETS.cifar10.name };`;
    expect(await readConfigFile(written('rooms.ts', text))).toMatchObject({ data: 'cifar10' });
  });

  test('every room that the package exports is known', async () => {
    const rooms = Object.keys(packageJson.exports).filter((name) => name !== '.');
    const imports = rooms.map((name, i) => `import * as room${i} from 'thrive/${name.slice(2)}';`);
    const count = `[${rooms.map((_, i) => `room${i}`)}].filter((room) => Object.keys(room).length > 0).length`;
    expect(
      await readConfigFile(written('all.ts', `${imports.join('\n')}\nexport default { seed: ${count} };`)),
    ).toEqual({
      seed: rooms.length,
    });
  });
});

test('the library there is the library here, not a copy', async () => {
  const path = written('same.ts', `import { Tensor } from 'thrive/torch';\nexport default { Tensor };`);
  expect(((await readConfigFile(path)) as { Tensor?: unknown }).Tensor).toBe(Tensor);
});

describe('refused with the file’s name', () => {
  test.each([
    ['broken JSON', 'bad.json', '{ "model": ', /^cannot read the configuration in .*bad\.json: .*JSON/],
    [
      'broken TypeScript',
      'bad.ts',
      'export default {',
      /^cannot read the configuration in .*bad\.ts, line 1: ParseError: Unexpected token$/,
    ],
    [
      'one that throws',
      'throws.ts',
      `const today: number = 1;\nthrow new Error('no such day');`,
      /throws\.ts, line 2: no such day/,
    ],
    [
      'a missing import',
      'lost.ts',
      `import './nowhere.ts';\nexport default {};`,
      /lost\.ts, line 1: Cannot find module '\.\/nowhere\.ts'$/,
    ],
    ['a number', 'number.json', '5', /number\.json does not export a configuration object/],
    ['a list', 'list.ts', 'export default [1];', /list\.ts does not export a configuration object/],
    ['null', 'null.json', 'null', /null\.json does not export a configuration object/],
  ])('%s', async (_what, name, text, message) => {
    const reading = readConfigFile(written(name, text));
    await expect(reading).rejects.toThrow(message);
    await expect(reading).rejects.toThrow(UserError);
  });

  test('a missing file, a folder', async () => {
    await expect(readConfigFile(join(folder, 'nowhere.ts'))).rejects.toThrow(
      /cannot read .*nowhere\.ts: there is no such/,
    );
    await expect(readConfigFile(folder)).rejects.toThrow(/it is a folder/);
  });
});
