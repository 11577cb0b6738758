/** @file The forwards a run says it took, against those of its steps, counted. */
import { describe, expect, test } from 'vitest';
import { fillerFeatures, smallTaps } from '../../test/losses.ts';
import { schemeByName } from '../augment/index.ts';
import { type ConfigInput, resolveConfig } from '../config/config.ts';
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

const strong = { scheme: 'cutmix' };
const pick = (criterion: 'kl' | 'teacher-entropy' | 'student-entropy' | 'dissimilarity' | 'random', more = {}) => ({
  strong: { ...strong, pick: { criterion, ...more } },
});
const crd = { name: 'crd', options: { negatives: 4 } };
const at = { name: 'at', on: 'both' } as const;
const sp = { name: 'sp', on: 'both' } as const;

describe.each<[string, Partial<ConfigInput>]>([
  ['kd', {}],
  ['ce alone', { kd: { alpha: 0 } }],
  ['a second view', { strong }],
  ['a second view, joined', { strong: { ...strong, passes: 'joint' } }],
  ['a second view alone', { strong: { ...strong, weight: 1 }, kd: { alpha: 0 } }],
  ['mixed labels', { strong: { ...strong, labels: 'mixed' } }],
  ['mixed labels without KL', { strong: { ...strong, labels: 'mixed', weight: 1 }, kd: { alpha: 0 } }],
  ['mixed labels, a loss on both', { strong: { ...strong, labels: 'mixed' }, methods: [at, 'kd'] }],
  ['picked by kl', pick('kl')],
  ['picked by kl, a third of three', pick('kl', { factor: 3, keep: 0.3 })],
  ['picked by teacher-entropy', pick('teacher-entropy')],
  ['picked by student-entropy', pick('student-entropy', { keep: 0.7 })],
  [
    'picked by dissimilarity, without KL(x)',
    {
      strong: { ...strong, weight: 1, pick: { criterion: 'dissimilarity' } },
      kd: { alpha: 0 },
    },
  ],
  ['picked at random', pick('random', { keep: 0.9 })],
  ['picked at random, a loss on both', { ...pick('random'), methods: [at, 'kd'] }],
  ['picked by kl, losses on both', { ...pick('kl'), methods: [at, sp, crd, 'kd'] }],
  ['a loss on x', { methods: ['at'] }],
  ['a loss on logits', { methods: ['dkd'] }],
  ['a loss on both without KL', { strong, methods: [sp] }],
  ['ab', { methods: ['ab'] }],
  ['ab and dkd', { methods: ['ab', 'dkd'] }],
  ['ab, a second view', { strong: { ...strong, weight: 1 }, methods: ['ab'] }],
  ['ft', { methods: ['ft', 'kd'] }],
])('%s', (_name, more) => {
  test.each([4, 11])('in batches of %i', (batchSize) => {
    const config = resolveConfig({ data: 'cifar100', model: 'resnet8', teacher: 't', batchSize, ...more });
    const network = { features: (images: Tensor) => outputOf('s', images), eval: () => undefined };
    const methods = config.methods
      ? makeMethods(config.methods, {
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
    const view = config.strong && {
      ...config.strong,
      scheme: schemeByName(config.strong.scheme),
      settings: { padding: 1, cutout: 2, policy: 'cifar10' as const },
      normalization: { mean: [0, 0, 0], std: [1, 1, 1] },
      channelsLast: false,
      seed: 0,
      weight: config.strong.weight ?? config.kd.alpha,
      pick: config.strong.pick ?? null,
    };
    try {
      const task = (teacher: TeacherModel): Task => distillation(teacher, config.kd, view ?? null, methods);
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
