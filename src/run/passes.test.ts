/** @file The forwards a run says it took, against those of its steps, counted. */
import { describe, expect, test } from 'vitest';
import { fillerFeatures, smallTaps } from '../../test/losses.ts';
import { schemeByName } from '../augment/index.ts';
import { type ConfigInput, resolveConfig } from '../config/config.ts';
import { kdOf, methodsOf, viewOf } from '../config/derive.ts';
import type { TeacherModel } from '../distill/teacher.ts';
import type { Features } from '../models/index.ts';
import { type Tensor, tensor, tidy, zeros } from '../torch/index.ts';
import { distillation } from '../train/distillation.ts';
import type { Batch, StudentPass, Task } from '../train/task.ts';
import { makeMethods } from './methods.ts';
import { epochForwards, type Forwards, initForwards } from './passes.ts';

const COUNT = 11;
const classes = 5;
const taps = smallTaps([2, 3, 4]);
const outputOf = (who: string, images: Tensor): Features =>
  fillerFeatures(who, taps, { batch: images.size(0), classes, dtype: 'float32' });

/** Batches of 4, 4 and 3 images through a task, with networks that only count. */
function counted(make: (teacher: TeacherModel) => Task, stage: 'init' | 'train', batchSize: number): Forwards {
  const count = { teacher: 0, student: 0 };
  const see = (network: keyof Forwards, images: Tensor): Features => {
    count[network] += images.size(0);
    return outputOf(network, images);
  };
  const teacher: TeacherModel = {
    classes,
    logits: (images) => see('teacher', images).logits,
    features: (images) => see('teacher', images),
    dispose() {},
  };
  const student: StudentPass = Object.assign((images: Tensor) => see('student', images).logits, {
    features: (images: Tensor) => see('student', images),
    score: (images: Tensor) => see('student', images).logits,
  });
  const task = make(teacher);
  for (let first = 0, step = 0; first < COUNT; first += batchSize, step++) {
    const size = Math.min(batchSize, COUNT - first);
    tidy(() => {
      const index = Int32Array.from({ length: size }, (_, i) => first + i);
      const batch: Batch = {
        x: zeros([size, 3, 8, 8]),
        images: zeros([size, 3, 8, 8], { dtype: 'uint8' }),
        labels: tensor(
          index.map((i) => i % classes),
          { dtype: 'int64' },
        ),
        index,
        epoch: 0,
        step,
        stage: { name: stage, epoch: 0, step },
      };
      task.step(batch, student);
    });
  }
  return count;
}

const augment = 'cutmix';
const pick = (criterion: string, more: ConfigInput = {}): ConfigInput => ({ augment, pick: criterion, ...more });

describe.each<[string, ConfigInput]>([
  ['kd', {}],
  ['a second view', { augment }],
  ['a second view, joined', { augment, passes: 'joint' }],
  ['a second view alone', { augment, strongWeight: 1, alpha: 0 }],
  ['mixed labels', { augment, strongLabels: 'mixed' }],
  ['mixed labels without KL', { augment, strongLabels: 'mixed', strongWeight: 1, method: 'ab' }],
  ['mixed labels, a loss on both', { augment, strongLabels: 'mixed', method: 'at@both+kd' }],
  ['picked by kl', pick('kl')],
  ['picked by kl, a third of three', pick('kl', { pickFactor: 3, pickKeep: 0.3 })],
  ['picked by teacher-entropy', pick('teacher-entropy')],
  ['picked by student-entropy', pick('student-entropy', { pickKeep: 0.7 })],
  ['picked by dissimilarity, without KL(x)', pick('dissimilarity', { strongWeight: 1, alpha: 0 })],
  ['picked at random', pick('random', { pickKeep: 0.9 })],
  ['picked at random, a loss on both', pick('random', { method: 'at@both+kd' })],
  [
    'picked by kl, losses on both',
    pick('kl', { method: 'at@both+sp@both+crd+kd', methodOption: { crd: { negatives: 4 } } }),
  ],
  ['a loss on x', { method: 'at' }],
  ['a loss on logits', { method: 'dkd' }],
  ['a loss on both without KL', { augment, method: 'sp@both' }],
  ['ab', { method: 'ab' }],
  ['ab and dkd', { method: 'ab+dkd' }],
  ['ab, a second view', { augment, strongWeight: 1, method: 'ab' }],
  ['ft', { method: 'ft+kd' }],
])('%s', (_name, more) => {
  test.each([4, 11])('in batches of %i', (batchSize) => {
    const config = resolveConfig({ data: 'cifar100', student: 'resnet8', teacher: 't', batchSize, ...more });
    const network = { features: (images: Tensor) => outputOf('s', images), eval: () => undefined };
    const losses = methodsOf(config);
    const methods =
      losses.length > 0
        ? makeMethods(losses, {
            student: { name: 'a', network: network as never },
            teacher: { name: 'b', network: network as never },
            classes,
            imageSize: 8,
            samples: COUNT,
            labels: Int32Array.from({ length: COUNT }, (_, i) => i % classes),
            batchSize,
            seed: 0,
          })
        : null;
    const strong = viewOf(config);
    const view = strong && {
      ...strong,
      scheme: schemeByName(strong.scheme),
      settings: { padding: 1, cutout: 2, policy: 'cifar10' as const },
      normalization: { mean: [0, 0, 0], std: [1, 1, 1] },
      channelsLast: false,
      seed: 0,
    };
    try {
      const task = (teacher: TeacherModel): Task => distillation(teacher, kdOf(config), view, methods);
      methods?.enter('train');
      expect(epochForwards(config, COUNT, methods)).toEqual(counted(task, 'train', batchSize));
      if (!methods?.init) return;
      methods.enter('init');
      expect(initForwards(COUNT, methods)).toEqual(counted(task, 'init', batchSize));
    } finally {
      methods?.dispose();
    }
  });
});

test('plain training asks no teacher', () => {
  const config = resolveConfig({ data: 'cifar100', model: 'resnet8' });
  expect(epochForwards(config, COUNT)).toEqual({ teacher: 0, student: COUNT });
});
