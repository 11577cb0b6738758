import { isAbsolute } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type ConfigInput, resolveConfig } from './config.ts';
import { continueConfig, mergeSettings, withAbsolutePaths } from './merge.ts';

describe('settings over settings', () => {
  test.each<[ConfigInput, ConfigInput, ConfigInput]>([
    [{ lr: 1, epochs: 2 }, { lr: 3 }, { lr: 3, epochs: 2 }],
    [{ lr: 1 }, { lr: undefined }, { lr: 1 }],
    [{ temperature: 2 }, { alpha: 1 }, { temperature: 2, alpha: 1 }],
    [{ weight: { at: 1, sp: 2 } }, { weight: { at: 3 } }, { weight: { at: 3, sp: 2 } }],
    [
      { methodOption: { crd: { dim: 64 } } },
      { methodOption: { crd: { negatives: 16 } } },
      { methodOption: { crd: { dim: 64, negatives: 16 } } },
    ],
    [{ schedule: 'step', milestones: [3] }, { schedule: 'cosine' }, { schedule: 'cosine' }],
    [{ schedule: 'cosine', minLr: 0.1 }, { schedule: 'cosine' }, { schedule: 'cosine', minLr: 0.1 }],
    [{ milestones: [3], lrDecay: 0.2 }, { milestones: [4] }, { milestones: [4], lrDecay: 0.2 }],
    [{ method: 'crd+at', weight: { crd: 2, at: 3 } }, { method: 'at' }, { method: 'at', weight: { at: 3 } }],
    [{ method: 'crd+kd', alpha: 2 }, { method: 'crd' }, { method: 'crd' }],
    [{ teacher: 'a', teacherModel: 'm' }, { teacher: 'b' }, { teacher: 'b', teacherModel: 'm' }],
    [{ teacher: ['a', 'b'], teacherWeights: [1, 2], ensemble: 'logits' }, { teacher: 'c' }, { teacher: 'c' }],
    // kd's weight and temperature may stand in two places each.
    [{ weight: { kd: 1 } }, { alpha: 2 }, { weight: {}, alpha: 2 }],
    [{ temperature: 3 }, { methodOption: { kd: { temperature: 2 } } }, { methodOption: {}, temperature: 2 }],
  ])('%j, over it %j', (under, over, expected) => {
    const before = JSON.stringify([under, over]);
    expect(mergeSettings(under, over)).toEqual(expected);
    expect(JSON.stringify([under, over])).toBe(before);
  });
});

describe('a run that is continued', () => {
  const saved = resolveConfig({
    data: 'cifar100',
    student: 'resnet20',
    teacher: '/old/t.pth',
    teacherModel: 'resnet56',
    epochs: 40,
    schedule: 'cosine',
    temperature: 2,
    method: 'crd+kd',
  });
  const continued = (given: ConfigInput) => continueConfig(saved, given).config;

  test('needs nothing said again, and may be told everything again', () => {
    expect(continued({})).toEqual(saved);
    expect(continued(saved)).toEqual(saved);
    expect(continued(JSON.parse(JSON.stringify(saved)) as ConfigInput)).toEqual(saved);
    expect(continued({ data: 'CIFAR100', method: 'contrast+kd', weight: { kd: 1 } })).toEqual(saved);
  });

  test('may move to another machine', () => {
    expect(continued({ dataDir: '/new', threads: 3, device: 'cpu', teacher: '/new/t.pth', gradientEvery: 0 })).toEqual({
      ...saved,
      dataDir: '/new',
      threads: 3,
      teacher: '/new/t.pth',
      gradientEvery: 0,
    });
  });

  test.each<[ConfigInput, string]>([
    [{ lr: 0.2 }, 'lr 0.2 differs from the 0.05 of the run to resume'],
    [{ seed: 1 }, 'seed 1 differs from the 0'],
    [{ epochs: 50 }, 'epochs 50 differs from the 40'],
    [{ student: 'resnet14' }, 'student "resnet14" differs from the "resnet20"'],
    [{ temperature: 4 }, 'temperature 4 differs from the 2'],
    [{ limitTrain: 100 }, 'limitTrain 100 differs from the run to resume, which has none'],
    [{ schedule: 'step' }, 'schedule "step" differs from the "cosine" of the run'],
    [{ minLr: 0.1 }, 'minLr 0.1 differs from the 0'],
    [{ teacherModel: 'vgg13' }, 'teacherModel "vgg13" differs from the "resnet56"'],
    [{ method: 'at' }, 'method ["at"] differs from the ["crd","kd"]'],
    [{ weight: { crd: 3 } }, 'weight {"crd":3} differs from the {"crd":0.8}'],
    [{ augment: 'cutmix' }, 'augment "cutmix" differs from the run to resume, which has none'],
  ])('does not change: %j', (change, message) => {
    expect(() => continued(change)).toThrow(message);
  });
});

test('paths that are written down do not depend on the working folder', () => {
  const config = resolveConfig({
    data: 'cifar10',
    student: './net.ts',
    dataDir: 'data',
    teacher: ['t.pth', 'runs/t.pth'],
  });
  const { dataDir, teacher, student } = withAbsolutePaths(config);
  expect([dataDir, student, ...(teacher ?? [])].map((path) => isAbsolute(path!))).toEqual([true, true, true, true]);
  const plain = resolveConfig({ data: 'cifar10', model: 'resnet8' });
  expect(withAbsolutePaths(plain)).toEqual(plain);
});
