/** @file A teacher in an .onnx file through whole runs: exported, distilled from, scored with, refused. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { resolveConfig } from '../src/config/config.ts';
import { fingerprint, teacherIdentity } from '../src/config/fingerprint.ts';
import type { ConfigInput } from '../src/config/index.ts';
import { readOnnxInfo } from '../src/formats/index.ts';
import { decodeModel, encodeModel } from '../src/formats/onnx-schema.ts';
import { createModel } from '../src/models/index.ts';
import { exportCheckpoint } from '../src/networks/export-network.ts';
import { modelFile } from '../src/networks/model-reference.ts';
import { modelSource } from '../src/networks/model-source.ts';
import { exportOnnx } from '../src/onnx/index.ts';
import { runExperiment } from '../src/run/run.ts';
import { scoreAugmentations } from '../src/score/score.ts';
import { memory, noGrad, setNumThreads, tensor, tidy } from '../src/torch/index.ts';
import { saveNetwork } from '../src/train/checkpoint.ts';
import { thrive } from './cli.ts';
import { filler, fillModule } from './filler.ts';
import { ortModel, relativeDifference } from './onnx.ts';
import { writeTinyData } from './tiny-data.ts';
import { writeTinyNetwork } from './tiny-network.ts';

let root: string;
let dataDir: string;
let checkpoint: string;
/** Takes images that are normalised; takes pixels; says nothing of itself. */
let plain: string;
let pixels: string;
let foreign: string;

beforeAll(async () => {
  setNumThreads(1);
  root = mkdtempSync(join(tmpdir(), 'thrive-onnx-runs-'));
  dataDir = writeTinyData(join(root, 'data'), { train: 96, test: 32 });
  checkpoint = writeTinyNetwork(join(root, 'teacher.safetensors'));
  [plain, pixels, foreign] = ['plain.onnx', 'pixels.onnx', 'foreign.onnx'].map((name) => join(root, name)) as [
    string,
    string,
    string,
  ];
  await exportCheckpoint(checkpoint, { out: plain });
  await exportCheckpoint(checkpoint, { out: pixels, normalize: true });
  const network = fillModule(createModel('resnet8', { classes: 10, seed: 1 }));
  writeFileSync(foreign, exportOnnx(network, { imageSize: 32, producer: { name: 'pytorch', version: '2.5' } }));
  network.dispose();
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

let runs = 0;
const settings = (teacher: string) => ({
  data: 'fashion-mnist',
  dataDir,
  student: 'resnet8',
  teacher,
  epochs: 1,
  batchSize: 32,
  threads: 1,
  augment: 'cutmix',
});
const run = (teacher: string, more: object = {}) =>
  runExperiment({ ...settings(teacher), ...more }, { out: join(root, `run${runs++}`) });

test('what export says of the file, and what is in it', async () => {
  const found = await exportCheckpoint(checkpoint, { format: 'onnx', normalize: true });
  expect(found).toMatchObject({
    file: checkpoint.replace(/safetensors$/, 'onnx'),
    format: 'onnx',
    opset: 17,
    takes: 'pixels: float32 [batch, 3, 32, 32], RGB from 0 to 255',
    gives: 'logits: float32 [batch, 10]',
  });
  const { metadata, producer } = readOnnxInfo(found.file);
  expect(producer).toMatch(/^thrive \d/);
  expect(Object.fromEntries(metadata)).toMatchObject({
    model: 'resnet8',
    data: 'fashion-mnist',
    image_size: '32',
    input: 'pixels',
    normalization: '{"mean":[0.286,0.286,0.286],"std":[0.353,0.353,0.353]}',
  });
});

test("a network of one's own, from its file", async () => {
  const file = fileURLToPath(new URL('../examples/my-net.ts', import.meta.url));
  const { create } = await modelSource(file);
  const network = create({ classes: 10, imageSize: 32, seed: 1 });
  const path = join(root, 'own.safetensors');
  const normalization = { mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] };
  const about = { model: 'my-net.ts', modelFile: modelFile(file)!, classes: 10, imageSize: 32, data: 'cifar10' };
  saveNetwork(path, network, {
    network: { ...about, normalization, classNames: [] },
    metrics: { top1: 12.5 },
    epoch: 1,
  });
  const { file: out } = await exportCheckpoint(path, { format: 'onnx' });
  expect(Object.fromEntries(readOnnxInfo(out).metadata)).toMatchObject({
    model: 'my-net.ts',
    top1: '12.5',
    input: 'normalized',
  });
  const model = await ortModel(readFileSync(out));
  const values = filler('own', [3, 3, 32, 32]);
  const got = await model.run(values, [3, 3, 32, 32]);
  const images = tensor(values, { shape: [3, 3, 32, 32] });
  const expected = tidy(() => noGrad(() => network.eval().forward(images).data() as Float32Array));
  expect(relativeDifference(got.values, expected)).toBeLessThan(1e-5);
  await model.release();
  images.dispose();
  network.dispose();
});

test('a student learns the same from the file as from the checkpoint', async () => {
  const ours = await run(checkpoint);
  const before = memory();
  for (const file of [plain, pixels]) {
    const theirs = await run(file);
    expect(theirs.teacher!.top1).toBe(ours.teacher!.top1);
    expect(theirs.teacher!.loss).toBeCloseTo(ours.teacher!.loss, 4);
    // Rounding differs by a millionth, and three steps of training make little of that.
    for (const name of ['kl', 'kl_strong']) expect(theirs.train.terms[name]).toBeCloseTo(ours.train.terms[name]!, 3);
    expect(theirs.teacherForwards).toBe(ours.teacherForwards);
  }
  expect(memory()).toEqual(before);
});

test('scores are the same', async () => {
  const score = (teacher: string) =>
    scoreAugmentations({
      data: 'fashion-mnist',
      dataDir,
      teacher: { checkpoint: teacher },
      augment: 'identity,cutmix',
      epochs: 1,
      batchSize: 8,
      group: 2,
      threads: 1,
    });
  const [ours, theirs] = [await score(checkpoint), await score(plain)];
  expect(theirs.teacher.model).toBe('resnet8');
  for (const [i, { tStddev }] of theirs.schemes.entries()) expect(tStddev).toBeCloseTo(ours.schemes[i]!.tStddev, 5);
});

test("a file that does not say how its images are normalised: the dataset's way, with a note, or as asked for", async () => {
  const notes: string[] = [];
  const out = join(root, `run${runs++}`);
  await runExperiment(settings(foreign), { out, reporter: { note: (text) => notes.push(text) } });
  expect(notes).toContainEqual(expect.stringMatching(/foreign\.onnx does not say how its images were normalised/));
  const asked = await run(foreign, { teacherNormalization: 'imagenet' });
  const same = await run(foreign, { teacherNormalization: 'same' });
  expect(asked.teacher!.loss).not.toBeCloseTo(same.teacher!.loss, 2);
});

test('the same of a .pth, in a run and in score; a checkpoint says it itself', async () => {
  const { file: bare } = await exportCheckpoint(checkpoint, { format: 'pth', out: join(root, 'bare.pth') });
  const notesOf = async (path: string, model?: string): Promise<string[]> => {
    const notes: string[] = [];
    const teacher = { checkpoint: path, ...(model ? { model } : {}) };
    await runExperiment(
      { ...settings(path), ...(model ? { teacherModel: model } : {}) },
      { out: join(root, `run${runs++}`), reporter: { note: (text) => notes.push(text) } },
    );
    await scoreAugmentations({
      data: 'fashion-mnist',
      dataDir,
      teacher,
      augment: 'identity',
      epochs: 1,
      batchSize: 8,
      group: 2,
      threads: 1,
      onNote: (text) => notes.push(text),
    });
    return notes.filter((text) => /does not say how its images were normalised/.test(text));
  };
  expect(await notesOf(bare, 'resnet8')).toEqual(
    Array(2).fill(
      `note: ${bare} does not say how its images were normalised; taken to be as the dataset's are, mean 0.286, 0.286, 0.286, std 0.353, 0.353, 0.353 (--teacher-normalization)`,
    ),
  );
  expect(await notesOf(checkpoint)).toEqual([]);
});

describe('the fingerprint', () => {
  const printOf = (teacher: string, more: ConfigInput = {}): string => {
    const config = resolveConfig({ ...settings(teacher), ...more });
    return fingerprint(config, teacherIdentity(config)).id;
  };
  test("is the file's content, and what was said of its images", () => {
    expect(teacherIdentity(resolveConfig(settings(plain)))).toMatchObject({
      model: 'resnet8',
      sha256: expect.any(String),
    });
    expect(printOf(plain)).not.toBe(printOf(pixels));
    expect(printOf(foreign)).not.toBe(printOf(foreign, { teacherNormalization: 'imagenet' }));
  });
});

describe('what does not go together is refused before the run begins', () => {
  test.each<[string, () => object, RegExp]>([
    [
      'a file that says it itself',
      () => ({ teacherNormalization: 'imagenet' }),
      /says itself how its images are normalised/,
    ],
    [
      'a normalisation nobody knows',
      () => ({ teacher: foreign, teacherNormalization: 'imagnet' }),
      /imagnet.*did you mean 'imagenet'/,
    ],
    ['an architecture', () => ({ teacherModel: 'resnet56' }), /holds its network itself/],
    ['feature taps', () => ({ method: ['at', 'kd'], teacherTaps: ['layer1'] }), /gives logits and nothing else/],
    [
      'a loss on features',
      () => ({ augment: undefined, method: ['at'] }),
      /at compares features, and the teacher resnet8 gives logits only/,
    ],
    ['other classes', () => ({ data: 'cifar100' }), /was trained for 10 classes, the data has 100/],
  ])('%s', async (_name, more, message) => {
    const out = join(root, `run${runs++}`);
    await expect(runExperiment({ ...settings(plain), ...more() }, { out })).rejects.toThrow(message);
    expect(existsSync(out)).toBe(false);
  });

  test('damaged metadata', async () => {
    const model = decodeModel(readFileSync(plain));
    for (const [key, value] of [
      ['normalization', '{"mean":[1]}'],
      ['normalization', 'not JSON'],
      ['input', 'grey'],
    ] as const) {
      const metadata_props = model.metadata_props!.map((entry) => (entry.key === key ? { key, value } : entry));
      const path = join(root, 'damaged.onnx');
      writeFileSync(path, encodeModel({ ...model, metadata_props }));
      await expect(run(path)).rejects.toThrow(
        new RegExp(`damaged\\.onnx is damaged: its metadata has no proper ${key}`),
      );
    }
  });
});

test('the built command line: export, then distil from the file', async () => {
  const file = join(root, 'cli.onnx');
  const exported = await thrive(['export', checkpoint, '--out', file, '--normalize']);
  expect(exported.stdout).toContain('takes pixels: float32 [batch, 3, 32, 32], RGB from 0 to 255');
  const out = join(root, `run${runs++}`);
  const flags = [
    '--data',
    'fashion-mnist',
    '--data-dir',
    dataDir,
    '--student',
    'resnet8',
    '--epochs',
    '1',
    '--threads',
    '1',
  ];
  const done = await thrive(['distill', ...flags, '--teacher', file, '--batch-size', '32', '--out', out, '--json']);
  expect(done.code, done.stderr).toBe(0);
  expect(JSON.parse(done.stdout)).toMatchObject({ task: 'distill', epochs: 1 });
  const wrong = await thrive(['export', checkpoint, '--out', join(root, 'x.pth'), '--normalize']);
  expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('--normalize is for an .onnx file')]);
});
