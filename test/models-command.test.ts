/** @file `thrive models`, `import`, `export` and `bench models`, run as a user would. */
import { copyFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writePth } from '../src/formats/index.ts';
import { createModel, modelNames } from '../src/models/index.ts';
import { toStored } from '../src/train/weights.ts';
import { thrive } from './cli.ts';

let root: string;
let own: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'thrive-models-'));
  own = join(root, 'my-net.ts');
  copyFileSync(fileURLToPath(new URL('../examples/my-net.ts', import.meta.url)), own);
  using model = createModel('resnet8', { classes: 10, seed: 1 });
  writePth(join(root, 'resnet8.pth'), toStored(model.stateDict()), { epoch: 3 });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('thrive models', () => {
  test('lists all of them', async () => {
    const { code, stdout, stderr } = await thrive(['models', '--json']);
    expect(code, stderr).toBe(0);
    const { imageSize, classes, models } = JSON.parse(stdout);
    expect([imageSize, classes]).toEqual([32, 100]);
    expect(models.map(({ name }: { name: string }) => name)).toEqual(modelNames);
    // The paper's sizes are held in sizes.test.ts; one here, to see that these are they.
    expect(models[2]).toMatchObject({ name: 'resnet20', parameters: 278_324, multiplyAdds: 40_818_944 });
  });

  test('one’s own beside one of these, with taps and layers', async () => {
    const { code, stdout, stderr } = await thrive([
      'models',
      'resnet8',
      own,
      '--taps',
      '--classes',
      '10',
      '--image-size',
      '64',
    ]);
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/resnet8 +78,042 +[\d,]+ +16×64×64 16×64×64 32×32×32 64×16×16 64\n/);
    expect(stdout).toMatch(/my-net\.ts +76,594 +[\d,]+ +64\n/);
    const at = await thrive(['models', own, '--taps-at', 'stem,stage1.conv1,stage3']);
    expect(at.stdout).toMatch(/8×32×32 16×32×32 64×8×8 64\n/);
    const layers = await thrive(['models', own, '--layers']);
    expect(layers.stdout).toMatch(/stage2\.shortcut +Conv2d +32×16×16 +512 +131,072\n/);
  });

  test.each<[string, string[], RegExp]>([
    [
      'an unknown flag',
      ['--size', '64'],
      /unknown option '--size'\nhint: npx thrive models --help shows what there is/,
    ],
    ['an unknown name', ['resnet21'], /unknown model 'resnet21'; did you mean 'resnet20'\?/],
    ['a file below a file', [`${fileURLToPath(import.meta.url)}/net.ts`], /there is no file .*\/net\.ts/],
    ['a file that is not there', ['./nowhere.ts'], /there is no file \.\/nowhere\.ts/],
    ['an unknown tap', ['resnet8', '--taps-at', 'layer4'], /has no module 'layer4'; did you mean 'layer\d'\?/],
    ['a gap in the taps', ['resnet8', '--taps-at', 'conv1,,fc'], /A name between the commas is missing/],
  ])('%s', async (_what, args, message) => {
    const { code, stdout, stderr } = await thrive(['models', ...args]);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(message);
  });
});

describe('weights in and out', () => {
  test('import recognises, export writes, both say what they did', async () => {
    const checkpoint = join(root, 'teacher.safetensors');
    const imported = await thrive(['import', join(root, 'resnet8.pth'), '--data', 'cifar10', '--out', checkpoint]);
    expect(imported.code, imported.stderr).toBe(0);
    expect(imported.stderr).toMatch(/recognised resnet8 with 10 classes/);
    expect(imported.stdout).toMatch(
      /teacher\.safetensors: resnet8 for the 10 classes of cifar10, 78,042 parameters\ncheck it with: npx thrive eval /,
    );
    const out = join(root, 'student.pth');
    const exported = await thrive(['export', checkpoint, '--out', out, '--json']);
    expect(JSON.parse(exported.stdout)).toMatchObject({ format: 'pth', file: out });
    expect(existsSync(out)).toBe(true);
  });

  test('other classes: the way out is offered', async () => {
    const args = ['import', join(root, 'resnet8.pth'), '--data', 'cifar100', '--out', join(root, 'x.safetensors')];
    const refused = await thrive(args);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(/trained for 10 classes, the data has 100\nhint: .*--reset-head/);
    const { code, stdout } = await thrive([...args, '--reset-head']);
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /its classifier is drawn anew; train it with: npx thrive train --data cifar100 --model resnet8 --init /,
    );
  });

  test('a file of one’s own that fails says the line', async () => {
    const bad = join(root, 'bad.ts');
    writeFileSync(bad, 'export default () => {\n  const layers: string[] = undefined;\n  return layers.length;\n};\n');
    const { code, stderr } = await thrive([
      'train',
      '--data',
      'synthetic',
      '--model',
      bad,
      '--out',
      join(root, 'run'),
      '--limit-train',
      '100',
      '--limit-test',
      '10',
    ]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/bad\.ts failed to make a network, line 3: Cannot read properties of undefined/);
    expect(existsSync(join(root, 'run'))).toBe(false);
  });
});

describe('thrive bench models', () => {
  const bench = (...args: string[]) =>
    thrive(['bench', 'models', '--threads', '1', '--batch-size', '4', '--seconds', '0.01', ...args]);

  test('times both passes of each', { timeout: 120_000 }, async () => {
    const { code, stdout, stderr } = await bench('--models', `resnet8,${own}`, '--json');
    expect(code, stderr).toBe(0);
    const report = JSON.parse(stdout);
    expect(report).toMatchObject({
      batchSize: 4,
      threads: 1,
      models: [{ name: 'resnet8', parameters: 83_892 }, { name: 'my-net.ts' }],
    });
    for (const { speeds } of report.models) {
      expect(speeds).toHaveLength(1);
      expect(speeds[0].both).toBeGreaterThan(0);
      // Backward costs something: that alone tells the two passes apart on any machine.
      expect(speeds[0].forward).toBeGreaterThan(speeds[0].both);
    }
  });

  test('gives up after the time it has, and says so', { timeout: 120_000 }, async () => {
    const { code, stdout } = await bench(
      '--models',
      'resnet8,resnet14,resnet20',
      '--max-seconds',
      '0.05',
      '--markdown',
    );
    expect(code).toBe(0);
    expect(stdout).toMatch(/^\| model \| .*\n\| --- \| ---: .*\n\| resnet8 \| 0\.08 \| 12\.5 \| – \| – \|\n/);
    expect(stdout).toMatch(
      /– fp32: not done within 0\.05 s: resnet8, resnet14\n– fp32: not tried, as resnet8 and resnet14 took more than 0\.05 s: resnet20\n/,
    );
  });

  test.each<[string[], RegExp]>([
    [['--precision', 'fp16'], /--precision must be fp32 or bf16, not 'fp16'/],
    [['--models', 'resnet8,vgg9'], /unknown model 'vgg9'; did you mean 'vgg8'/],
  ])('%s', async (args, message) => {
    const { code, stderr } = await bench(...args);
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
  });
});
