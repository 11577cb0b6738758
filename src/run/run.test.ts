import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writeTinyData } from '../../test/tiny-data.ts';
import { UserError } from '../base/errors.ts';
import { type ConfigInput, defineExperiment } from '../config/config.ts';
import { readSafetensors, readSafetensorsMetadata } from '../formats/index.ts';
import { evaluateCheckpoint } from '../networks/evaluate-checkpoint.ts';
import { memory } from '../torch/index.ts';
import { InterruptedError } from '../train/loop.ts';
import { type Reporter, type RunSummary, runExperiment } from './run.ts';
import { RunFolder } from './run-folder.ts';

let root: string;
let shared: ReturnType<typeof settings>;
let teacher: RunSummary;

const settings = (dataDir: string) =>
  defineExperiment({
    data: 'fashion-mnist',
    model: 'resnet8',
    dataDir,
    epochs: 2,
    batchSize: 20,
    lr: 0.02,
    seed: 3,
    threads: 1,
  });

/** The same from a teacher. */
function distilled(file: string): ConfigInput {
  const { model, ...rest } = shared;
  return { ...rest, student: model, teacher: file };
}

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'thrive-runs-'));
  shared = settings(writeTinyData(join(root, 'data'), { train: 60, test: 20 }));
  teacher = await runExperiment({ ...shared, seed: 4 }, { out: join(root, 'teacher') });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const fresh = (() => {
  let count = 0;
  return (): string => join(root, `run-${count++}`);
})();
const weightsOf = (path: string): string[] =>
  [...readSafetensors(path).tensors].map(([name, { data }]) => `${name} ${Buffer.from(data).toString('base64')}`);
const read = (out: string, name: string) => JSON.parse(readFileSync(join(out, name), 'utf8'));

describe('a run', () => {
  test('leaves its folder behind, and nothing in memory', async () => {
    const before = memory().tensors;
    const out = fresh();
    const summary = await runExperiment(distilled(teacher.checkpoint), { out });
    expect(memory().tensors).toBe(before);
    expect(summary).toMatchObject({
      task: 'distill',
      data: 'fashion-mnist',
      model: 'resnet8',
      seed: 3,
      epochs: 2,
      imagesSeen: 120,
      teacherForwards: 120,
      studentForwards: 120,
      folder: out,
      checkpoint: join(out, 'last.safetensors'),
    });
    expect(summary.teacher).toEqual({ top1: teacher.top1, top5: teacher.top5, loss: expect.closeTo(teacher.loss, 5) });
    expect(read(out, 'summary.json')).toEqual(summary);
    expect(readdirSync(out).filter((name) => !name.startsWith('events'))).toEqual([
      'best-on-test.safetensors',
      'config.json',
      'last.safetensors',
      'metrics.jsonl',
      'summary.json',
    ]);
    const { metrics, network } = readSafetensorsMetadata(summary.checkpoint);
    expect(JSON.parse(metrics!)).toEqual({ top1: summary.top1, top5: summary.top5, loss: summary.loss });
    expect(JSON.parse(network!)).toMatchObject({ model: 'resnet8', data: 'fashion-mnist', classes: 10, imageSize: 32 });
  });

  test('measures what a later program measures', async () => {
    const { top1, top5, loss, count, model, data } = await evaluateCheckpoint(teacher.checkpoint, {
      dataDir: shared.dataDir,
      threads: 1,
      batchSize: 7,
    });
    expect([top1, top5, count, model, data]).toEqual([teacher.top1, teacher.top5, 20, 'resnet8', 'fashion-mnist']);
    expect(loss).toBeCloseTo(teacher.loss, 5);
    const part = await evaluateCheckpoint(teacher.checkpoint, {
      dataDir: shared.dataDir,
      split: 'train',
      limitTest: 30,
    });
    expect(part.count).toBe(30);
  });

  test('is the same in any working folder: paths are written out', async () => {
    const out = fresh();
    await runExperiment({ ...shared, epochs: 1 }, { out });
    expect(read(out, 'config.json').config.dataDir).toBe(join(root, 'data'));
  });

  test('measures as often as asked, in metrics, checkpoint and summary', async () => {
    const out = fresh();
    const summary = await runExperiment({ ...shared, epochs: 3, evaluateEvery: 2 }, { out });
    const epochs = RunFolder.open(out).run.epochs();
    expect(epochs.map(({ test }) => test !== null)).toEqual([false, true, true]);
    expect(summary.top1).toBe(epochs[2]!.test!.top1);
    expect([2, 3]).toContain(summary.best.epoch);
    const { metrics } = readSafetensorsMetadata(join(out, 'last.safetensors'));
    expect(JSON.parse(metrics!).loss).toBe(epochs[2]!.test!.loss);
  });

  test('with a dev split chooses its best epoch there', async () => {
    const out = fresh();
    const summary = await runExperiment({ ...shared, epochs: 3, holdout: 0.2 }, { out });
    const epochs = RunFolder.open(out).run.epochs();
    const best = epochs.reduce((a, b) => (b.dev!.top1 > a.dev!.top1 ? b : a));
    expect(summary.best).toEqual({ epoch: best.epoch, top1: best.test!.top1, chosenOn: 'dev' });
    expect(existsSync(join(out, 'best.safetensors'))).toBe(true);
    expect(Number(readSafetensorsMetadata(join(out, 'best.safetensors')).epoch)).toBe(best.epoch);
    // One of each class is kept apart.
    expect(summary.imagesSeen).toBe(150);
  });

  test('tells what it is about to do, and how it goes', async () => {
    const told: string[] = [];
    const reporter: Reporter = {
      note: (text) => told.push(text),
      onStart: (start) => told.push(JSON.stringify(start)),
      onStep: (_, { epoch, step }) => told.push(`step ${epoch}.${step}`),
      onEvaluate: (set, done, total) => told.push(`${set} ${done}/${total}`),
      onEpoch: ({ epoch }) => told.push(`epoch ${epoch}`),
    };
    await runExperiment({ ...distilled(teacher.checkpoint), epochs: 1 }, { out: fresh(), reporter });
    expect(told).toEqual([
      'loading fashion-mnist',
      'teacher 20/20',
      expect.stringMatching(/^teacher resnet8: top-1 [\d.]+ %, top-5 [\d.]+ %, loss [\d.]+ on 20 test images$/),
      // It has had six steps.
      expect.stringMatching(/^note: teacher resnet8 is no better than guessing \([\d.]+ %\)/),
      '{"trainCount":60,"testCount":20,"devCount":0,"parameters":78042,"epoch":0,"initEpochs":0}',
      'step 0.0',
      'step 0.1',
      'step 0.2',
      'test 20/20',
      'epoch 1',
    ]);
  });
});

describe('resuming', () => {
  test('begins where there is no run, and does nothing where one is finished', async () => {
    const out = fresh();
    const first = await runExperiment({ ...shared, epochs: 1 }, { out, resume: true });
    const notes: string[] = [];
    const reporter = { note: (text: string) => notes.push(text) };
    const again = await runExperiment({ ...shared, epochs: 1 }, { out, resume: true, reporter });
    expect(again).toEqual(first);
    expect(notes).toEqual([`${out} is finished; nothing to do`]);
    await expect(runExperiment({ ...shared, epochs: 1 }, { out })).rejects.toThrow(/already holds a run/);
  });

  test('a finished run does not answer for other settings', async () => {
    const resumed = runExperiment({ ...shared, seed: 4, lr: 0.5 }, { out: join(root, 'teacher'), resume: true });
    await expect(resumed).rejects.toThrow('lr 0.5 differs from the 0.02 of the run to resume');
  });

  test('after being stopped, in every phase, ends as if it had not been', async () => {
    const settings = distilled(teacher.checkpoint);
    const whole = await runExperiment(settings, { out: fresh() });
    for (const phase of ['teacher', 'step', 'test'] as const) {
      const out = fresh();
      const controller = new AbortController();
      const stop = (): void => controller.abort();
      const reporter: Reporter = {
        onEvaluate: (set) => set === phase && stop(),
        onStep: (_, { epoch, step }) => phase === 'step' && epoch === 1 && step === 1 && stop(),
      };
      const before = memory().tensors;
      const stopped = runExperiment(settings, { out, reporter, signal: controller.signal });
      await expect(stopped).rejects.toThrow(InterruptedError);
      expect(memory().tensors).toBe(before);
      expect(existsSync(join(out, 'run.lock'))).toBe(false);
      const resumed = await runExperiment(settings, { out, resume: true });
      expect([phase, ...weightsOf(resumed.checkpoint)]).toEqual([phase, ...weightsOf(whole.checkpoint)]);
      expect([resumed.top1, resumed.loss]).toEqual([whole.top1, whole.loss]);
      expect(resumed.fingerprint).toBe(whole.fingerprint);
    }
  });

  test('killed between the last epoch and the summary, it has only the summary to write', async () => {
    const out = fresh();
    const summary = await runExperiment({ ...shared, epochs: 1 }, { out });
    rmSync(join(out, 'summary.json'));
    const steps: number[] = [];
    const reporter: Reporter = { onStep: (_, { step }) => steps.push(step) };
    expect(await runExperiment({ ...shared, epochs: 1 }, { out, resume: true, reporter })).toEqual(summary);
    expect(steps).toEqual([]);
    rmSync(join(out, 'summary.json'));
    rmSync(join(out, 'metrics.jsonl'));
    await expect(runExperiment({ ...shared, epochs: 1 }, { out, resume: true })).rejects.toThrow(
      /is damaged: metrics\.jsonl does not hold the last epoch/,
    );
  });

  test('a checkpoint beyond the run is refused', async () => {
    const out = fresh();
    await runExperiment({ ...shared, epochs: 2 }, { out });
    const [longer, shorter] = [join(out, 'last.safetensors'), fresh()];
    await runExperiment({ ...shared, epochs: 1 }, { out: shorter });
    rmSync(join(shorter, 'summary.json'));
    writeFileSync(join(shorter, 'last.safetensors'), readFileSync(longer));
    await expect(runExperiment({ ...shared, epochs: 1 }, { out: shorter, resume: true })).rejects.toThrow(
      'cannot continue after 2 epochs and 0 steps: the run has 1 epochs of 3 steps',
    );
  });

  test('a checkpoint that was cut short: what to do is said, and doing it gives the same run', async () => {
    const out = fresh();
    const whole = await runExperiment({ ...shared, epochs: 1 }, { out });
    const tensors = [...readSafetensors(whole.checkpoint).tensors.values()].map(({ data }) => Buffer.from(data));
    rmSync(join(out, 'summary.json'));
    writeFileSync(whole.checkpoint, readFileSync(whole.checkpoint).subarray(0, 100_000));
    const again = () => runExperiment({ ...shared, epochs: 1 }, { out, resume: true });
    await expect(again()).rejects.toMatchObject({
      message: expect.stringMatching(/last\.safetensors is not a valid safetensors file/),
      hint: expect.stringMatching(/^remove .*last\.safetensors to begin the run from its first step$/),
    });
    rmSync(whole.checkpoint);
    await again();
    expect([...readSafetensors(whole.checkpoint).tensors.values()].map(({ data }) => Buffer.from(data))).toEqual(
      tensors,
    );
    expect(RunFolder.open(out).run.epochs()).toHaveLength(1);
  });
});

describe('what is wrong is found before anything is written', () => {
  test.each<[string, object, RegExp]>([
    ['an unknown model', { model: 'resnet9' }, /unknown model 'resnet9'/],
    ['an unknown device', { device: 'gpu' }, /unknown device 'gpu'/],
    ['a missing teacher', { model: undefined, student: 'resnet8', teacher: 'nowhere.pth' }, /cannot read nowhere\.pth/],
    ['a missing dataset', { data: 'cifar10' }, /cannot find CIFAR-10/],
    ['more images than there are', { limitTrain: 61 }, /limitTrain 61/],
    ['a misspelt setting', { epocs: 3 }, /did you mean 'epochs'/],
  ])('%s', async (_what, change, message) => {
    const out = fresh();
    const before = memory().tensors;
    const running = runExperiment({ ...shared, ...change } as typeof shared, { out });
    await expect(running).rejects.toThrow(message);
    await expect(running).rejects.toThrow(UserError);
    expect(existsSync(out)).toBe(false);
    expect(memory().tensors).toBe(before);
  });

  test('a teacher for other classes', async () => {
    const out = fresh();
    const running = runExperiment(
      { ...distilled(teacher.checkpoint), data: 'cifar100', teacherModel: 'resnet8' },
      { out },
    );
    await expect(running).rejects.toThrow(/was trained for 10 classes, the data has 100/);
    expect(existsSync(out)).toBe(false);
  });
});

test('a run that diverges says where, and keeps what it had', async () => {
  const out = fresh();
  const running = runExperiment({ ...shared, lr: 1e25, momentum: 0 }, { out });
  await expect(running).rejects.toThrow(/^epoch 1, step \d of 3: the loss is not finite/);
  expect(existsSync(join(out, 'config.json'))).toBe(true);
  expect(existsSync(join(out, 'run.lock'))).toBe(false);
});
