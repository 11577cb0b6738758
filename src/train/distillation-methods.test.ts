/** @file Steps with losses beside cross entropy and KL, against the same sums written out. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { schemeByName } from '../augment/index.ts';
import { crossEntropy, klDivergence } from '../distill/kl.ts';
import { createLoss, type DistillLoss, type LossContext } from '../distill/losses/index.ts';
import { Methods } from '../distill/methods.ts';
import { Teacher } from '../distill/teacher.ts';
import { createModel, type Features, type ImageModel } from '../models/index.ts';
import { SGD } from '../nn/index.ts';
import { memory, noGrad, setNumThreads, type Tensor, tensor, tidy, zeros } from '../torch/index.ts';
import { stream } from '../torch/random.ts';
import { METHOD } from './checkpoint.ts';
import { distillation, type StrongView } from './distillation.ts';
import { type StepResult, trainStep } from './step.ts';
import type { Batch, Stage, Task } from './task.ts';

const normalization = { mean: [0, 0, 0], std: [1, 1, 1] };
const kd = { gamma: 1, alpha: 0.5, temperature: 4 };
const rate = { lr: 0.05, momentum: 0.9, weightDecay: 5e-4 };
const strong: StrongView = {
  scheme: schemeByName('cutmix'),
  draw: 'sample',
  settings: { padding: 4, cutout: 8, policy: 'cifar10' },
  normalization,
  channelsLast: false,
  seed: 3,
  weight: 0.25,
  labels: 'teacher',
  passes: 'separate',
  pick: null,
};

let teacher: Teacher;
let context: LossContext;
beforeAll(() => {
  setNumThreads(1);
  const network = createModel('resnet8', { classes: 10, seed: 9 });
  const { taps } = tidy(() => {
    const features = noGrad(() => network.eval().features(zeros([1, 3, 32, 32])));
    return { taps: features.taps.map(({ shape }) => shape.slice(1)) };
  });
  teacher = new Teacher(network, { normalization, inputNormalization: normalization, precision: 'fp32' });
  const side = { name: 'resnet8', taps };
  const labels = Int32Array.from({ length: 40 }, (_, i) => i % 10);
  context = { student: side, teacher: side, classes: 10, samples: 40, labels, batchSize: 4, seed: 2 };
});
afterAll(() => teacher.dispose());

const student = (): ImageModel => createModel('resnet8', { classes: 10, seed: 1 });

function batchOf(stage: Stage = { name: 'train', epoch: 0, step: 0 }): Batch {
  const random = stream(4, 'test');
  const shape = [4, 3, 32, 32];
  const index = Int32Array.of(5, 16, 27, 38);
  return {
    x: tensor(random.fillNormal(new Float32Array(4 * 3072)), { shape }),
    images: tensor(
      Uint8Array.from({ length: 4 * 3072 }, () => random.int(256)),
      { shape },
    ),
    labels: tensor(
      index.map((i) => i % 10),
      { dtype: 'int64' },
    ),
    index,
    epoch: 0,
    step: 0,
    stage,
  };
}

interface Outcome {
  result: StepResult;
  weights: Map<string, Float64Array>;
}

const valuesOf = (model: ImageModel): Map<string, Float64Array> =>
  tidy(() => new Map([...model.stateDict()].map(([name, value]) => [name, value.toFloat64Array()])));

/** One step of the real task from the start. */
function stepWith(
  list: readonly (readonly [DistillLoss, 'x' | 'both'])[],
  view: StrongView | null,
  { stage, gradients = false }: { stage?: Stage; gradients?: boolean } = {},
): Outcome {
  return tidy(() => {
    using model = student().train();
    const methods = new Methods(
      list.map(([loss, on]) => ({ loss, on })),
      2,
    );
    const task: Task = distillation(teacher, kd, view, methods);
    const own = [...methods.modules.namedParameters()].map(([name, value]) => [METHOD + name, value] as const);
    const optimizer = new SGD(new Map([...model.namedParameters(), ...own]), rate);
    try {
      const batch = batchOf(stage);
      task.enter?.(batch.stage!.name);
      const result = trainStep(model, task, batch, optimizer, {
        lr: 0.05,
        precision: 'fp32',
        device: 'cpu',
        gradients,
      });
      return { result, weights: valuesOf(model) };
    } finally {
      optimizer.dispose();
    }
  });
}

/** The same step with its sum written out by `sum`. */
function stepByHand(sum: (model: ImageModel, batch: Batch) => Tensor): { loss: number; weights: Outcome['weights'] } {
  return tidy(() => {
    using model = student().train();
    const optimizer = new SGD(model.namedParameters(), rate);
    const total = sum(model, batchOf());
    const loss = total.item();
    total.backward();
    optimizer.step();
    optimizer.zeroGrad();
    optimizer.dispose();
    return { loss, weights: valuesOf(model) };
  });
}

function expectSame(got: Outcome['weights'], expected: Outcome['weights']): void {
  for (const [name, values] of expected) {
    const most = values.reduce((greatest, value, i) => Math.max(greatest, Math.abs(value - got.get(name)![i]!)), 0);
    expect(most, name).toBeLessThan(2e-6);
  }
}

const add = (terms: Record<string, Tensor>, weight: number): Tensor =>
  Object.values(terms)
    .reduce((sum, term) => sum.add(term))
    .mul(weight);

const ofTask = (batch: Batch) => ({
  labels: batch.labels,
  index: batch.index,
  epoch: 0,
  step: 0,
  seed: 2,
  phase: 'train' as const,
});

describe('the update is that of the sum written out', () => {
  test('at on both views, sp on x, kd, cutmix', () => {
    const at = createLoss('at', context, { weight: 700 });
    const sp = createLoss('sp', context);
    const { result, weights } = stepWith(
      [
        [at, 'both'],
        [sp, 'x'],
      ],
      strong,
    );
    const hand = stepByHand((model, batch) => {
      const { x, index, labels } = batch;
      const draws = { seed: 3, epoch: 0, step: 0, round: 0, index, height: 32, width: 32, draw: 'sample' as const };
      const cut = strong.scheme.draw({ ...draws, settings: strong.settings });
      const mixed = strong.scheme.apply({ images: batch.images, x, normalization, channelsLast: false }, cut);
      const [s, m]: Features[] = [model.features(x), model.features(mixed)];
      const [t, u] = [teacher.features(x), teacher.features(mixed)];
      return crossEntropy(s!.logits, labels)
        .add(klDivergence(s!.logits, t.logits, 4).mul(0.5))
        .add(klDivergence(m!.logits, u.logits, 4).mul(0.25))
        .add(add(at.terms({ ...ofTask(batch), student: s!, teacher: t }), 700))
        .add(add(at.terms({ ...ofTask(batch), student: m!, teacher: u }), 700))
        .add(add(sp.terms({ ...ofTask(batch), student: s!, teacher: t }), 3000));
    });
    expect(result.loss).toBeCloseTo(hand.loss, 4);
    expectSame(weights, hand.weights);
    expect(Object.keys(result.terms).filter((name) => name.startsWith('sp'))).toEqual(['sp']);
    at.dispose();
    sp.dispose();
  });

  test('a loss on logits while the images are picked from a pool', () => {
    const dist = createLoss('dist', context, { weight: 2 });
    const picked = { ...strong, pick: { criterion: 'kl', factor: 2, keep: 0.5, updateStatistics: false } as const };
    const { result } = stepWith([[dist, 'both']], picked);
    const hand = stepByHand((model, batch) => {
      const logits = model.forward(batch.x);
      const features = { student: { logits, taps: [] }, teacher: { logits: teacher.logits(batch.x), taps: [] } };
      return add(dist.terms({ ...ofTask(batch), ...features }), 2);
    });
    const terms = Object.entries(result.terms).filter(([name]) => name.startsWith('dist.') || name === 'dist');
    expect(terms.reduce((sum, [, value]) => sum + 2 * value, 0)).toBeCloseTo(hand.loss, 4);
    expect(Object.keys(result.terms).some((name) => name.startsWith('dist_strong'))).toBe(true);
    dist.dispose();
  });
});

describe('a first stage', () => {
  const init: Stage = { name: 'init', epoch: 0, step: 0 };
  const changed = ({ weights }: Outcome): string[] => {
    using fresh = student();
    return [...valuesOf(fresh)].flatMap(([name, values]) =>
      values.some((value, i) => value !== weights.get(name)![i]) ? [name] : [],
    );
  };

  test('of ft trains the paraphraser and leaves the student and its statistics as they are', () => {
    const ft = createLoss('ft', context);
    const before = tidy(() => ft.modules.entries.paraphraser!.parameters().map((value) => value.toFloat64Array()));
    const outcome = stepWith([[ft, 'x']], null, { stage: init });
    expect(changed(outcome)).toEqual([]);
    expect(Object.keys(outcome.result.terms)).toEqual(['ft']);
    const after = tidy(() => ft.modules.entries.paraphraser!.parameters().map((value) => value.toFloat64Array()));
    expect(after).not.toEqual(before);
    ft.dispose();
  });

  test.each(['ab', 'fsp'])('of %s trains the student but its classifier, which not even decays', (name) => {
    const loss = createLoss(name, context);
    const outcome = stepWith([[loss, 'x']], null, { stage: init });
    const names = changed(outcome);
    expect(names).toContain('conv1.weight');
    expect(names.filter((one) => one.startsWith('fc.'))).toEqual([]);
    expect('ce' in outcome.result.terms).toBe(false);
    // Nor does it add to the run's own epochs.
    const own = stepWith([[loss, 'x']], null);
    expect(Object.keys(own.result.terms)).toEqual(['ce', 'kl']);
    loss.dispose();
  });
});

describe('the share of the gradient', () => {
  test('is that of each weighted term alone, worked out by a step of its own', () => {
    const at = createLoss('at', context, { weight: 700 });
    const { result } = stepWith([[at, 'x']], null, { gradients: true });
    const normOf = (part: (model: ImageModel, batch: Batch) => Tensor): number =>
      tidy(() => {
        using model = student().train();
        part(model, batchOf()).backward();
        const squares = [...model.parameters()].map(({ grad }) =>
          grad ? grad.toFloat64Array().reduce((sum, value) => sum + value * value, 0) : 0,
        );
        return Math.sqrt(squares.reduce((sum, value) => sum + value));
      });
    const expected: Record<string, number> = {
      ce: normOf((model, { x, labels }) => crossEntropy(model.forward(x), labels)),
      kl: normOf((model, { x }) => klDivergence(model.forward(x), teacher.logits(x), 4).mul(0.5)),
    };
    const tap = (name: string) => (model: ImageModel, batch: Batch) =>
      at
        .terms({ ...ofTask(batch), student: model.features(batch.x), teacher: teacher.features(batch.x) })
        [name]!.mul(700);
    for (const name of ['stage1', 'stage2', 'stage3']) expected[`at.${name}`] = normOf(tap(name));
    const sum = Object.values(expected).reduce((total, norm) => total + norm);
    expect(Object.keys(result.gradients!)).toEqual(Object.keys(expected));
    for (const [name, norm] of Object.entries(expected)) {
      const { norm: got, share, value, weight } = result.gradients![name]!;
      expect(got / norm, name).toBeCloseTo(1, 4);
      expect(share, name).toBeCloseTo(norm / sum, 5);
      expect(value).toBe(result.terms[name]);
      expect(weight).toBe({ ce: 1, kl: 0.5 }[name] ?? 700);
    }
    at.dispose();
  });
});

test('a step with losses, memories and shares leaves nothing behind', () => {
  const losses = ['crd', 'vid', 'reviewkd'].map((name) =>
    createLoss(name, context, name === 'crd' ? { options: { negatives: 12 } } : {}),
  );
  const step = () =>
    stepWith(
      losses.map((loss) => [loss, loss.name === 'vid' ? 'both' : 'x'] as const),
      strong,
      { gradients: true },
    );
  step();
  const before = memory();
  for (let i = 0; i < 3; i++) step();
  expect(memory()).toEqual(before);
  for (const loss of losses) loss.dispose();
});
