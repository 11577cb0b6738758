/** @file The command line as a user meets it: results, help, and what every kind of bad input gets. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Finished, thrive } from './cli.ts';
import { writeTinyData } from './tiny-data.ts';

let root: string;
let data: string[];

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'thrive-cli-'));
  writeTinyData(join(root, 'data'), { train: 96, test: 32 });
  data = ['--data', 'fashion-mnist', '--data-dir', join(root, 'data')];
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const out = (name: string): string => join(root, 'runs', name);
const short = ['--epochs', '1', '--batch-size', '32', '--lr', '0.05', '--seed', '1', '--threads', '2'];
const trainArgs = (name: string): string[] => ['train', ...data, '--model', 'resnet8', ...short, '--out', out(name)];

/** Bad input: exit code 2, a message, no stack, and nothing written. */
function expectRefused({ code, stdout, stderr }: Finished, message: RegExp): void {
  expect(stderr).toMatch(message);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).not.toMatch(/\n\s+at .*:\d+:\d+/);
}

describe('a teacher, a student, and their scores', () => {
  test('train, distill and eval agree with each other and print one JSON object', async () => {
    const trained = await thrive([...trainArgs('teacher'), '--json']);
    expect(trained.code, trained.stderr).toBe(0);
    const teacher = JSON.parse(trained.stdout);
    expect(teacher).toMatchObject({ task: 'train', model: 'resnet8', epochs: 1, imagesSeen: 96, teacherForwards: 0 });
    expect(readdirSync(out('teacher')).filter((name) => !name.startsWith('events'))).toEqual([
      'best-on-test.safetensors',
      'config.json',
      'console.log',
      'last.safetensors',
      'metrics.jsonl',
      'summary.json',
    ]);
    expect(readdirSync(out('teacher')).some((name) => name.startsWith('events.out.tfevents'))).toBe(true);

    const checkpoint = join(out('teacher'), 'last.safetensors');
    const measured = await thrive(['eval', checkpoint, '--data-dir', join(root, 'data'), '--json']);
    expect(measured.code, measured.stderr).toBe(0);
    const score = JSON.parse(measured.stdout);
    expect(score).toMatchObject({
      model: 'resnet8',
      data: 'fashion-mnist',
      count: 32,
      top1: teacher.top1,
      top5: teacher.top5,
    });
    expect(score.loss).toBeCloseTo(teacher.loss, 6);

    const args = ['distill', ...data, '--teacher', checkpoint, '--student', 'resnet8', ...short, '--holdout', '0.25'];
    const distilled = await thrive([...args, '--out', out('student')]);
    expect(distilled.code, distilled.stderr).toBe(0);
    expect(distilled.stdout).toMatch(/teacher +\d+\.\d\d/);
    expect(distilled.stdout).toMatch(/best on the dev split: epoch 1/);
    expect(distilled.stderr).toMatch(/teacher resnet8: top-1 [\d.]+ %, top-5 [\d.]+ %, loss [\d.]+ on 32 test images/);
    expect(existsSync(join(out('student'), 'best.safetensors'))).toBe(true);

    const config = JSON.parse(readFileSync(join(out('student'), 'config.json'), 'utf8'));
    expect(config.config).toMatchObject({ epochs: 1, gamma: 0.1, alpha: 0.9, temperature: 4, holdout: 0.25 });
    expect(config.fingerprint.fields.teacher.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(config.teacher.top1).toBeCloseTo(teacher.top1, 10);
  });

  test('settings come from a file, and flags win over it', async () => {
    const typescript = join(root, 'experiment.ts');
    writeFileSync(
      typescript,
      `import { defineExperiment } from 'thrive';\nexport default defineExperiment({ model: 'resnet8', epochs: 7, batchSize: 32 });\n`,
    );
    const args = ['train', ...data, '--config', typescript, '--epochs', '1', '--seed', '1', '--out', out('from-file')];
    const finished = await thrive([...args, '--json']);
    expect(finished.code, finished.stderr).toBe(0);
    const { config } = JSON.parse(readFileSync(join(out('from-file'), 'config.json'), 'utf8'));
    expect(config).toMatchObject({ model: 'resnet8', epochs: 1, batchSize: 32 });
    const json = join(root, 'typo.json');
    writeFileSync(json, '{ "model": "resnet8", "epocs": 3 }');
    expectRefused(
      await thrive(['train', ...data, '--config', json]),
      /unknown setting 'epocs'; did you mean 'epochs'\?/,
    );
  });

  test('a finished run is not trained again, and a new run does not overwrite it', async () => {
    await thrive([...trainArgs('once'), '--json']);
    const before = readFileSync(join(out('once'), 'summary.json'), 'utf8');
    const again = await thrive(['train', '--resume', out('once'), '--json']);
    expect(again.stderr).toMatch(/is finished; nothing to do/);
    expect(`${JSON.stringify(JSON.parse(before))}\n`).toBe(again.stdout);
    expectRefused(await thrive(trainArgs('once')), /already holds a run[\s\S]*--resume/);
  });
});

describe('help', () => {
  test('is there for every command, with examples, without loading libtorch', async () => {
    const top = await thrive(['--help'], { LIBTORCH: '/nonexistent' });
    expect(top.code).toBe(0);
    expect(top.stdout).toMatch(/Examples:/);
    for (const command of ['doctor', 'train', 'distill', 'eval', 'quickstart']) {
      expect(top.stdout).toContain(command);
      const own = await thrive([command, '--help'], { LIBTORCH: '/nonexistent' });
      expect(own.code).toBe(0);
      expect(own.stdout).toMatch(/Usage: thrive/);
    }
  });

  test('misspelt commands, flags and names get the nearest right one', async () => {
    expectRefused(await thrive(['distil']), /Did you mean distill\?/);
    expectRefused(await thrive(['train', '--epoch', '3']), /Did you mean --epochs\?/);
    expectRefused(await thrive(['train', '--data', 'cifar', '--model', 'resnet8']), /unknown dataset 'cifar'/);
    expectRefused(
      await thrive(['train', ...data, '--model', 'resnet21']),
      /unknown model 'resnet21'; did you mean 'resnet20'\?/,
    );
  });
});

describe('impossible values are refused before anything is loaded', () => {
  test.each([
    [['--epochs', '0'], /--epochs: must be > 0, got 0/],
    [['--epochs', '1.5'], /whole number/],
    [['--lr', 'fast'], /--lr: must be a number, got 'fast'/],
    [['--lr', '-1'], /--lr: must be > 0, got -1/],
    [['--momentum', '1'], /--momentum/],
    [['--batch-size', '-4'], /--batch-size: must be > 0, got -4/],
    [['--holdout', '1'], /--holdout/],
    [['--seed', '-1'], /--seed/],
    [['--precision', 'fp8'], /--precision/],
    [['--schedule', 'linear'], /schedule/],
    [['--milestones', '5', '--epochs', '4'], /--milestones: 5 is not before/],
    [['--milestones', '2', '--schedule', 'cosine'], /belongs to --schedule step/],
    [['--nesterov', '--momentum', '0'], /--nesterov has no effect: it needs a momentum/],
    [['--device', 'gpu'], /unknown device 'gpu'/],
    [['--device', 'cuda:99'], /CUDA/],
    [['--limit-train', '100000'], /100000/],
    [['--limit-test', '0'], /--limit-test: must be > 0, got 0/],
    [['--base-augment', 'rotate'], /--base-augment/],
  ] as const)('%s', async (flags, message) => {
    const name = `refused-${flags.join('').replaceAll(/\W/g, '')}`;
    expectRefused(await thrive(['train', ...data, '--model', 'resnet8', '--out', out(name), ...flags]), message);
    expect(existsSync(out(name))).toBe(false);
  });

  test.each([
    [['--temperature', '0'], /--temperature/],
    [['--alpha', '-1'], /--alpha/],
    [['--gamma', '0', '--alpha', '0'], /--alpha 0: kd has no weight/],
    [['--teacher', 'missing.pth'], /cannot read missing.pth: there is no such file/],
  ] as const)('distill %s', async (flags, message) => {
    const args = [
      'distill',
      ...data,
      '--student',
      'resnet8',
      '--teacher',
      'missing.pth',
      '--out',
      out('refused'),
      ...flags,
    ];
    expectRefused(await thrive(args), message);
    expect(existsSync(out('refused'))).toBe(false);
  });
});

describe('bad files', () => {
  const evaluate = (path: string, ...more: string[]): Promise<Finished> =>
    thrive(['eval', path, ...data, '--model', 'resnet8', ...more]);

  test('an empty THRIVE_DATA means none', async () => {
    const args = ['train', '--data', 'cifar10', '--model', 'resnet8', '--out', out('none')];
    expectRefused(await thrive(args, { THRIVE_DATA: '' }), /cannot find CIFAR-10[\s\S]*thrive data get cifar10/);
  });

  test('an architecture for a teacher that was not named', async () => {
    const args = ['distill', ...data, '--student', 'resnet8', '--teacher-model', 'resnet56'];
    expectRefused(await thrive(args), /teacher \(--teacher\) is missing/);
  });

  test('one architecture for several teachers is not for those that hold their own', async () => {
    const several = ['--teacher', join(root, 'nowhere.onnx'), '--teacher', 'nowhere.pth', '--teacher-model', 'resnet8'];
    const args = ['distill', ...data, '--student', 'resnet8', ...several, '--out', out('several')];
    expectRefused(await thrive(args), /cannot read .*nowhere\.onnx/);
  });

  test('data that is missing, cut short or mislabelled', async () => {
    expectRefused(
      await thrive(['train', '--data', 'cifar10', '--data-dir', root, '--model', 'resnet8']),
      /thrive data get cifar10/,
    );
    const cut = join(root, 'cut');
    writeTinyData(cut, { train: 20, test: 10 });
    truncateSync(join(cut, 'fashion-mnist', 'train-images-idx3-ubyte'), 5000);
    expectRefused(
      await thrive(['train', '--data', 'fashion-mnist', '--data-dir', cut, '--model', 'resnet8']),
      /truncated/,
    );
    const wrong = join(root, 'wrong');
    writeTinyData(wrong, { train: 20, test: 10 });
    const labels = join(wrong, 'fashion-mnist', 'train-labels-idx1-ubyte');
    const bytes = readFileSync(labels);
    bytes[10] = 77;
    writeFileSync(labels, bytes);
    expectRefused(await thrive(['train', '--data', 'fashion-mnist', '--data-dir', wrong, '--model', 'resnet8']), /77/);
  });

  test('weights that are no weights', async () => {
    const path = join(root, 'note.pth');
    writeFileSync(path, 'these are not weights');
    expectRefused(await evaluate(path), /neither a PyTorch checkpoint nor a safetensors file/);
    expectRefused(await evaluate(join(root, 'nowhere.safetensors')), /there is no such file/);
    expectRefused(await evaluate(root), /folder/);
  });

  test('weights of another architecture: says which tensors differ', async () => {
    await thrive(trainArgs('other'));
    const path = join(out('other'), 'last.safetensors');
    expectRefused(
      await thrive(['eval', path, ...data, '--model', 'resnet14']),
      /missing from the file \(\d+\): layer1\.1\./,
    );
    expectRefused(
      await thrive(['eval', path, ...data, '--model', 'resnet8x4']),
      /of another shape[\s\S]*conv1\.weight is \[16, 3, 3, 3\]/,
    );
    truncateSync(path, 20_000);
    expectRefused(await evaluate(path), /not a valid safetensors file/);
  });

  test('weights for another number of classes', async () => {
    await thrive([
      'train',
      '--data',
      'synthetic',
      '--limit-train',
      '20',
      '--limit-test',
      '10',
      '--model',
      'resnet8',
      ...short,
      '--out',
      out('ten'),
    ]);
    expectRefused(
      await thrive(['eval', join(out('ten'), 'last.safetensors'), '--data', 'cifar100', '--data-dir', root]),
      /10 classes, the data has 100/,
    );
  });

  test('a folder that cannot be written', async () => {
    const file = join(root, 'a-file');
    writeFileSync(file, '');
    expectRefused(
      await thrive([...trainArgs('x').slice(0, -1), join(file, 'run')]),
      /cannot write to .*a part of the path is not a folder/,
    );
    mkdirSync(join(root, 'empty'));
    expectRefused(await thrive(['distill', '--resume', join(root, 'empty')]), /holds no run to resume/);
  });
});
