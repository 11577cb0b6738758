import { isAbsolute } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type ConfigInput, resolveConfig } from './config.ts';
import { continueConfig, mergeSettings, withAbsolutePaths } from './merge.ts';

describe('settings over settings', () => {
  test.each<[Partial<ConfigInput>, Partial<ConfigInput>, Partial<ConfigInput>]>([
    [{ lr: 1, epochs: 2 }, { lr: 3 }, { lr: 3, epochs: 2 }],
    [{ kd: { temperature: 2 } }, { kd: { alpha: 1 } }, { kd: { temperature: 2, alpha: 1 } }],
    [{ kd: { alpha: 2 } }, {}, { kd: { alpha: 2 } }],
    [{ teacher: 'a' }, { teacher: 'b' }, { teacher: { checkpoint: 'b' } }],
    [
      { teacher: { checkpoint: 'a', model: 'resnet56' } },
      { teacher: 'b' },
      { teacher: { checkpoint: 'b', model: 'resnet56' } },
    ],
    [
      { schedule: { kind: 'step', gamma: 0.2 } },
      { schedule: { kind: 'step', milestones: [3] } },
      { schedule: { kind: 'step', gamma: 0.2, milestones: [3] } },
    ],
    [
      { schedule: { kind: 'cosine', minLr: 0.1 } },
      { schedule: { kind: 'step', milestones: [3] } },
      { schedule: { kind: 'step', milestones: [3] } },
    ],
    [{ schedule: { kind: 'cosine' } }, { schedule: { kind: 'step' } }, { schedule: { kind: 'step' } }],
    [
      { strong: { scheme: 'cutmix', pick: { criterion: 'kl', factor: 3 } } },
      { strong: { draw: 'batch', pick: { criterion: 'random' } } } as unknown as Partial<ConfigInput>,
      { strong: { scheme: 'cutmix', draw: 'batch', pick: { criterion: 'random', factor: 3 } } },
    ],
    [{ lr: 1 }, { lr: undefined } as Partial<ConfigInput>, { lr: 1 }],
    [
      { teachers: [{ checkpoint: 'a' }, { checkpoint: 'b' }], ensemble: 'logits' },
      { teacher: 'c' },
      { teacher: { checkpoint: 'c' } },
    ],
    // kd's weight and temperature have two places.
    [
      { methods: [{ name: 'kd', weight: 2, options: { temperature: 2 } }, 'at'] },
      { kd: { alpha: 1, temperature: 3 } },
      { methods: [{ name: 'kd', options: {} }, 'at'], kd: { alpha: 1, temperature: 3 } },
    ],
    [
      { methods: [{ name: 'kd', weight: 2, options: { temperature: 2 } }] },
      { kd: { gamma: 1 } },
      { methods: [{ name: 'kd', weight: 2, options: { temperature: 2 } }], kd: { gamma: 1 } },
    ],
    [{ methods: ['crd', 'kd'] }, { methods: ['at'] }, { methods: ['at'] }],
  ])('%j and %j', (under, over, merged) => {
    const before = JSON.stringify([under, over]);
    expect(mergeSettings(under, over)).toEqual(merged);
    expect(JSON.stringify([under, over])).toBe(before);
  });

  test('a flag for the architecture alone is not lost', () => {
    const flags = { teacher: { model: 'resnet56' } } as unknown as Partial<ConfigInput>;
    expect(mergeSettings({ teacher: 'a' }, flags).teacher).toEqual({ checkpoint: 'a', model: 'resnet56' });
    expect(() => resolveConfig({ data: 'cifar10', model: 'resnet8', ...mergeSettings({}, flags) })).toThrow(
      /teacher\.checkpoint \(--teacher\) is missing/,
    );
  });
});

describe('a run that is continued', () => {
  const saved = resolveConfig({
    data: 'cifar100',
    model: 'resnet20',
    teacher: { checkpoint: '/old/t.pth', model: 'resnet56' },
    epochs: 40,
    schedule: { kind: 'cosine' },
    kd: { temperature: 2 },
  });

  test('keeps its settings', () => {
    expect(continueConfig(saved, {})).toEqual(saved);
    expect(continueConfig(saved, { epochs: 40, kd: { temperature: 2 }, teacher: '/old/t.pth' })).toEqual(saved);
    expect(continueConfig(JSON.parse(JSON.stringify(saved)), { data: 'CIFAR100' })).toEqual(saved);
  });

  test('may move to another machine', () => {
    const moved = continueConfig(saved, { dataDir: '/new', threads: 3, device: 'cpu', teacher: '/new/t.pth' });
    expect(moved).toEqual({
      ...saved,
      dataDir: '/new',
      threads: 3,
      teacher: { checkpoint: '/new/t.pth', model: 'resnet56' },
    });
  });

  test.each<[Partial<ConfigInput>, string]>([
    [{ lr: 0.2 }, '--lr 0.2 differs from the 0.05 of the run to resume'],
    [{ seed: 1 }, '--seed 1 differs from the 0'],
    [{ epochs: 50 }, '--epochs 50 differs from the 40'],
    [{ model: 'resnet14' }, '--student "resnet14" differs from the "resnet20"'],
    [{ kd: { temperature: 4 } }, '--temperature 4 differs from the 2'],
    [{ limitTrain: 100 }, '--limit-train 100 differs from the run to resume, which has none'],
    [{ schedule: { kind: 'step' } }, '--schedule "step" differs from the "cosine" of the run'],
    [{ schedule: { kind: 'cosine', minLr: 0.1 } }, 'schedule.minLr 0.1 differs from the 0'],
    [{ teacher: { checkpoint: '/old/t.pth', model: 'vgg13' } }, '--teacher-model "vgg13" differs from the "resnet56"'],
  ])('does not change: %j', (change, message) => {
    expect(() => continueConfig(saved, change)).toThrow(message);
  });
});

test('paths that are written down do not depend on the working folder', () => {
  const config = resolveConfig({ data: 'cifar10', model: 'resnet8', dataDir: 'data', teacher: 'runs/t.pth' });
  const { dataDir, teacher } = withAbsolutePaths(config);
  expect([isAbsolute(dataDir!), isAbsolute(teacher!.checkpoint)]).toEqual([true, true]);
  const plain = resolveConfig({ data: 'cifar10', model: 'resnet8' });
  expect(withAbsolutePaths(plain)).toEqual(plain);
});
