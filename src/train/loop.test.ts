import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writeTinyData } from '../../test/tiny-data.ts';
import { type TensorSet, toTensorSet } from '../data/batches.ts';
import { loadDataset } from '../data/index.ts';
import { kdDefaults } from '../distill/objective.ts';
import { Teacher } from '../distill/teacher.ts';
import { createModel, type ImageModel } from '../models/index.ts';
import { memory, setNumThreads } from '../torch/index.ts';
import { loadTraining, type NetworkInfo, saveTraining } from './checkpoint.ts';
import { distillation } from './distillation.ts';
import { type EpochRecord, InterruptedError, type TrainObserver, type TrainOptions, train } from './loop.ts';
import { supervised } from './task.ts';

const normalization = { mean: [0.286, 0.286, 0.286], std: [0.353, 0.353, 0.353] };
const options: TrainOptions = {
  seed: 3,
  epochs: 2,
  batchSize: 40,
  lr: 0.05,
  momentum: 0.9,
  nesterov: false,
  weightDecay: 5e-4,
  schedule: { kind: 'cosine' },
  precision: 'fp32',
  device: 'cpu',
  channelsLast: true,
  standard: { padding: 2, flip: true },
  normalization,
};
const network: NetworkInfo = {
  model: 'resnet8',
  classes: 10,
  imageSize: 32,
  data: 'fashion-mnist',
  normalization,
  classNames: [],
};

let folder: string;
let trainSet: TensorSet;
let testSet: TensorSet;

beforeAll(async () => {
  setNumThreads(2);
  folder = mkdtempSync(join(tmpdir(), 'thrive-loop-'));
  const dir = writeTinyData(folder, { train: 100, test: 30 });
  trainSet = toTensorSet(await loadDataset('fashion-mnist', { split: 'train', dir }));
  testSet = toTensorSet(await loadDataset('fashion-mnist', { split: 'test', dir }));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const student = (seed = 3): ImageModel =>
  createModel('resnet8', { classes: 10, seed }).to({ memoryFormat: 'channelsLast' });
const data = (): { train: TensorSet; test: TensorSet; dev: TensorSet | null } => ({
  train: trainSet,
  test: testSet,
  dev: null,
});

const weights = (model: ImageModel): string =>
  [...model.stateDict()]
    .map(([name, tensor]) => `${name} ${Buffer.from(tensor.bytes()).toString('base64')}`)
    .join('\n');

async function run(
  overrides: Partial<TrainOptions> = {},
  observer: TrainObserver = {},
  how: { signal?: AbortSignal; resumeFrom?: string } = {},
): Promise<{ record: EpochRecord | null; weights: string }> {
  const model = student(overrides.seed);
  try {
    const record = await train(
      model,
      supervised(),
      data(),
      { ...options, ...overrides },
      {
        ...observer,
        save: (position, optimizer) => {
          observer.save?.(position, optimizer);
          saveTraining(join(folder, 'last.safetensors'), model, optimizer, position, { network, metrics: {} });
        },
      },
      {
        ...(how.signal ? { signal: how.signal } : {}),
        ...(how.resumeFrom ? { resume: (optimizer) => loadTraining(how.resumeFrom!, model, optimizer) } : {}),
      },
    );
    return { record, weights: weights(model) };
  } finally {
    model.dispose();
  }
}

describe('the training loop', () => {
  test('the same seed gives the same weights and numbers, another seed others', async () => {
    const first = await run();
    const second = await run();
    const other = await run({ seed: 4 });
    expect(second.weights).toBe(first.weights);
    expect(second.record!.test!.loss).toBe(first.record!.test!.loss);
    expect(second.record!.train.loss).toBe(first.record!.train.loss);
    expect(other.weights).not.toBe(first.weights);
  });

  test('stopped after any step and resumed, it ends with the same bits', async () => {
    const whole = await run();
    for (const stopAt of [1, 2, 3, 5]) {
      const controller = new AbortController();
      let steps = 0;
      const stopped = run(
        {},
        { onStep: () => ++steps === stopAt && controller.abort() },
        { signal: controller.signal },
      );
      await expect(stopped).rejects.toThrow(InterruptedError);
      expect(steps).toBe(stopAt);
      const resumed = await run({}, {}, { resumeFrom: join(folder, 'last.safetensors') });
      expect(resumed.weights).toBe(whole.weights);
      const { train: a, test: b } = resumed.record!;
      expect([a.loss, a.top1, b!.loss, b!.top1]).toEqual([
        whole.record!.train.loss,
        whole.record!.train.top1,
        whole.record!.test!.loss,
        whole.record!.test!.top1,
      ]);
    }
  });

  test('stopped during an evaluation, it measures again when resumed', async () => {
    const whole = await run();
    const controller = new AbortController();
    const stopped = run({}, { onEvaluate: () => controller.abort() }, { signal: controller.signal });
    await expect(stopped).rejects.toThrow(InterruptedError);
    const resumed = await run({}, {}, { resumeFrom: join(folder, 'last.safetensors') });
    expect(resumed.weights).toBe(whole.weights);
    expect(resumed.record!.train.loss).toBe(whole.record!.train.loss);
  });

  test('measured after every second epoch and the last, it trains the same', async () => {
    const whole = await run({ epochs: 5 });
    const records: EpochRecord[] = [];
    const sparse = await run({ epochs: 5, evaluateEvery: 2 }, { onEpoch: (record) => records.push(record) });
    expect(sparse.weights).toBe(whole.weights);
    expect(records.map(({ test }) => test !== null)).toEqual([false, true, false, true, true]);
    // What was not measured cannot be the best, and what was measured first is.
    expect(records.map(({ isBest }) => isBest).slice(0, 3)).toEqual([false, true, false]);
    expect(sparse.record!.test!.loss).toBe(whole.record!.test!.loss);
  });

  test('learns: the loss falls by more than half', async () => {
    const epochs: EpochRecord[] = [];
    await run(
      { epochs: 8, batchSize: 20, standard: { padding: 2, flip: false } },
      { onEpoch: (record) => epochs.push(record) },
    );
    expect(epochs.map((record) => record.epoch)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(epochs.at(-1)!.train.loss).toBeLessThan(epochs[0]!.train.loss / 2);
    expect(epochs.at(-1)!.test!.top1).toBeGreaterThan(40);
  });

  test('a loss that is not finite stops the run and names step and term', async () => {
    await expect(run({ lr: 1e25, momentum: 0 })).rejects.toThrow(
      /^epoch [12], step [1-3] of 3: the loss is not finite: ce \(ce (NaN|Infinity)\)$/,
    );
  });

  test('the last, smaller batch counts by its size in the means', async () => {
    let sum = 0;
    let samples = 0;
    const { record } = await run(
      { epochs: 1 },
      {
        onStep: (result) => {
          sum += result.loss * result.samples;
          samples += result.samples;
        },
      },
    );
    expect(samples).toBe(100);
    expect(record!.train.loss).toBeCloseTo(sum / samples, 12);
  });

  test('the best epoch is chosen on the dev split where there is one', async () => {
    const records: EpochRecord[] = [];
    const model = student();
    await train(
      model,
      supervised(),
      { train: trainSet, test: trainSet, dev: testSet },
      { ...options, epochs: 3 },
      {
        onEpoch: (record) => records.push(record),
      },
    );
    let best = Number.NEGATIVE_INFINITY;
    for (const record of records) {
      expect(record.dev!.count).toBe(30);
      expect(record.isBest).toBe(record.dev!.top1 > best);
      best = Math.max(best, record.dev!.top1);
    }
    model.dispose();
  });

  test('distillation leaves no tensor behind, step by step', async () => {
    const before = memory().tensors;
    const model = student();
    const teacher = new Teacher(createModel('resnet8', { classes: 10, seed: 9 }), {
      normalization,
      inputNormalization: normalization,
      precision: 'fp32',
    });
    const counts = new Set<number>();
    await train(model, distillation(teacher, kdDefaults), data(), options, {
      onStep: () => counts.add(memory().tensors),
    });
    expect(counts.size).toBe(1);
    model.dispose();
    teacher.dispose();
    expect(memory().tensors).toBe(before);
  });

  test('bfloat16 trains too, and reports float32 losses', async () => {
    const { record } = await run({ precision: 'bf16', epochs: 1 });
    const exact = await run({ epochs: 1 });
    expect(Math.abs(record!.train.loss / exact.record!.train.loss - 1)).toBeLessThan(0.05);
  });
});
