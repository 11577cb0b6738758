import { describe, expect, test } from 'vitest';
import { type ConfigInput, resolveConfig } from '../../config/config.ts';
import { scaleEpochs } from './train.ts';

const data = { data: 'cifar100', model: 'resnet20' };
const scaled = (given: Partial<ConfigInput>, scale?: number): unknown => {
  const { epochs, schedule, milestones } = resolveConfig({ ...data, ...scaleEpochs(given, scale) });
  return [epochs, schedule, milestones];
};

describe('--epoch-scale', () => {
  // The paper's long training: 480 and 960 epochs instead of 240, milestones with them.
  test.each<[Partial<ConfigInput>, number | undefined, unknown]>([
    [{}, undefined, [240, 'step', [150, 180, 210]]],
    [{}, 2, [480, 'step', [300, 360, 420]]],
    [{}, 4, [960, 'step', [600, 720, 840]]],
    [{ epochs: 10, milestones: [4, 7] }, 2, [20, 'step', [8, 14]]],
    [{ epochs: 10, milestones: [4, 7] }, 0.5, [5, 'step', [2, 4]]],
    [{ epochs: 10, schedule: 'constant' }, 3, [30, 'constant', undefined]],
    [{ epochs: 1 }, 0.1, [1, 'step', []]],
  ])('%j times %j', (given, scale, expected) => {
    const before = JSON.stringify(given);
    expect(scaled(given, scale)).toEqual(expected);
    expect(JSON.stringify(given)).toBe(before);
  });

  test.each([0, -1, Number.NaN])('refuses %d', (scale) => {
    expect(() => scaleEpochs({}, scale)).toThrow(/--epoch-scale must be above 0/);
  });

  test('leaves a wrong setting to the check of the whole', () => {
    expect(() => scaled({ epochs: 10, milestones: 5 as never }, 2)).toThrow(/^milestones: must be an array/);
  });
});
