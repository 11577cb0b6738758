import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writeTinyData } from '../../test/tiny-data.ts';
import { schemeByName } from '../augment/index.ts';
import { type TensorSet, toTensorSet } from '../data/batches.ts';
import { loadDataset } from '../data/index.ts';
import { crossEntropy, klDivergence } from '../distill/kl.ts';
import { kdDefaults } from '../distill/objective.ts';
import { Teacher } from '../distill/teacher.ts';
import { createModel, type ImageModel } from '../models/index.ts';
import { memory, noGrad, setNumThreads, tensor, tidy } from '../torch/index.ts';
import { loadTraining, saveTraining } from './checkpoint.ts';
import { distillation, type StrongView } from './distillation.ts';
import { InterruptedError, type TrainOptions, train } from './loop.ts';

const normalization = { mean: [0.286, 0.286, 0.286], std: [0.353, 0.353, 0.353] };
const options: TrainOptions = {
  seed: 3,
  epochs: 2,
  batchSize: 20,
  lr: 0.02,
  momentum: 0.9,
  nesterov: false,
  weightDecay: 5e-4,
  schedule: { kind: 'constant' },
  precision: 'fp32',
  device: 'cpu',
  channelsLast: true,
  standard: { padding: 2, flip: true },
  normalization,
};
const strong = (name: string, more: Partial<StrongView> = {}): StrongView => ({
  scheme: schemeByName(name),
  draw: 'sample',
  settings: { padding: 4, cutout: 8, policy: 'imagenet' },
  normalization,
  channelsLast: true,
  seed: 3,
  weight: 0.9,
  labels: 'teacher',
  passes: 'separate',
  pick: null,
  ...more,
});
const picking = { criterion: 'kl', factor: 2, keep: 0.5, updateStatistics: false } as const;

let folder: string;
let set: TensorSet;
let teacher: Teacher;
beforeAll(async () => {
  setNumThreads(2);
  folder = mkdtempSync(join(tmpdir(), 'thrive-distillation-'));
  const dir = writeTinyData(folder, { train: 60, test: 10 });
  set = toTensorSet(await loadDataset('fashion-mnist', { split: 'train', dir }));
  teacher = new Teacher(createModel('resnet8', { classes: 10, seed: 9 }).to({ memoryFormat: 'channelsLast' }), {
    normalization,
    inputNormalization: normalization,
    precision: 'fp32',
  });
});
afterAll(() => {
  teacher.dispose();
  rmSync(folder, { recursive: true, force: true });
});

const student = (): ImageModel => createModel('resnet8', { classes: 10, seed: 1 }).to({ memoryFormat: 'channelsLast' });
const weights = (model: ImageModel): string =>
  [...model.stateDict().values()].map((t) => Buffer.from(t.bytes()).toString('base64')).join();

async function run(
  view: StrongView,
  stopAfter?: number,
  resume = false,
): Promise<{ weights: string; record: unknown }> {
  const model = student();
  const path = join(folder, 'last.safetensors');
  const controller = new AbortController();
  let steps = 0;
  const network = {
    model: 'resnet8',
    classes: 10,
    imageSize: 32,
    data: 'fashion-mnist',
    normalization,
    classNames: [],
  };
  try {
    const record = await train(
      model,
      distillation(teacher, kdDefaults, view),
      { train: set, test: set, dev: null },
      options,
      {
        onStep: () => ++steps === stopAfter && controller.abort(),
        save: (position, optimizer) => saveTraining(path, model, optimizer, position, { network, metrics: {} }),
      },
      { signal: controller.signal, ...(resume ? { resume: (optimizer) => loadTraining(path, model, optimizer) } : {}) },
    );
    return { weights: weights(model), record: record && { ...record.train, imagesPerSecond: 0 } };
  } finally {
    model.dispose();
  }
}

describe('a second view', () => {
  test.each([
    ['cutmix picked by KL', strong('cutmix', { pick: picking })],
    ['autoaugment, a draw for the batch', strong('autoaugment', { draw: 'batch' })],
    ['cutmix with mixed labels', strong('cutmix', { labels: 'mixed' })],
    ['mixup in a joint pass', strong('mixup', { passes: 'joint' })],
  ] as const)('%s: stopped and resumed, it ends with the same bits and leaves no tensor', async (_, view) => {
    const before = memory().tensors;
    const whole = await run(view);
    await expect(run(view, 4)).rejects.toThrow(InterruptedError);
    expect(await run(view, undefined, true)).toEqual(whole);
    expect(memory().tensors).toBe(before);
  });

  test('the terms are those of the definition, with the teacher run on x itself', () => {
    tidy(() => {
      const model = student().train();
      const x = tensor(
        Float32Array.from({ length: 4 * 3072 }, (_, i) => Math.sin(i)),
        { shape: [4, 3, 32, 32] },
      ).to({
        memoryFormat: 'channelsLast',
      });
      const labels = tensor(Int32Array.of(1, 2, 3, 4), { dtype: 'int64' });
      const index = Int32Array.of(5, 6, 7, 8);
      const images = tensor(new Uint8Array(4 * 3072), { shape: [4, 3, 32, 32] });
      const view = strong('cutmix');
      const task = distillation(teacher, kdDefaults, view);
      const pass = Object.assign((images: typeof x) => model.forward(images), {
        score: () => x,
        features: () => ({ logits: x, taps: [] }),
      });
      const { terms } = task.step({ x, images, labels, index, epoch: 0, step: 0 }, pass);
      const context = { seed: 3, epoch: 0, step: 0, round: 0, index, height: 32, width: 32, draw: 'sample' as const };
      const parameters = view.scheme.draw({ ...context, settings: view.settings });
      const mixed = view.scheme.apply({ images, x, normalization, channelsLast: true }, parameters);
      const [s, m] = noGrad(() => [model.forward(x), model.forward(mixed)]) as [typeof x, typeof x];
      const expected = {
        ce: [crossEntropy(s, labels), 0.1],
        kl: [klDivergence(s, teacher.logits(x), 4), 0.9],
        kl_strong: [klDivergence(m, teacher.logits(mixed), 4), 0.9],
      } as const;
      expect(Object.keys(terms)).toEqual(Object.keys(expected));
      for (const [name, [value, weight]] of Object.entries(expected)) {
        expect(terms[name]!.weight).toBe(weight);
        expect(terms[name]!.value.item()).toBeCloseTo(value.item(), 4);
      }
      model.dispose();
    });
  });

  test('scoring leaves the running statistics alone unless asked', async () => {
    const counts = async (updateStatistics: boolean): Promise<number> => {
      const model = student();
      const view = strong('cutmix', { pick: { ...picking, updateStatistics } });
      const once = { ...options, epochs: 1 };
      await train(model, distillation(teacher, kdDefaults, view), { train: set, test: set, dev: null }, once);
      const tracked = model.namedBuffers().get('bn1.num_batches_tracked')!.item();
      model.dispose();
      return tracked;
    };
    // Three steps, two passes each; with statistics, the scoring pass as well.
    expect(await counts(false)).toBe(6);
    expect(await counts(true)).toBe(9);
  });

  test('picking reports how much harder the picked are', async () => {
    const { record } = await run(strong('cutmix', { pick: picking }));
    const { measures } = record as { measures: Record<string, number> };
    expect(measures.pick_ratio).toBeGreaterThan(1);
    expect(measures.pick_ratio).toBeLessThan(2);
  });
});
