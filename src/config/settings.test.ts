import { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { addSettings } from '../cli/setting-flags.ts';
import { type ConfigInput, resolveConfig } from './config.ts';
import { fingerprint } from './fingerprint.ts';
import { setting, type Table } from './row.ts';
import { settings } from './settings.ts';

const alone: ConfigInput = { data: 'cifar100', model: 'resnet20' };
const taught: ConfigInput = { data: 'cifar100', student: 'resnet20', teacher: 't.pth' };
const picked: ConfigInput = { ...taught, augment: 'cutmix', pick: 'kl' };

describe('a setting that would change nothing is refused, and changes something where it is not', () => {
  // A value, where it has an effect, and where it has none.
  const cases: Record<string, [value: unknown, effect: ConfigInput, none: ConfigInput]> = {
    resetHead: [true, { ...alone, init: 'a.pth' }, alone],
    nesterov: [true, alone, { ...alone, momentum: 0 }],
    milestones: [[3], alone, { ...alone, schedule: 'cosine' }],
    lrDecay: [0.3, alone, { ...alone, schedule: 'constant' }],
    minLr: [0.01, { ...alone, schedule: 'cosine' }, alone],
    warmupEpochs: [3, { ...alone, schedule: 'cosine' }, alone],
    pctStart: [0.2, { ...alone, schedule: 'one-cycle' }, alone],
    divFactor: [9, { ...alone, schedule: 'one-cycle' }, alone],
    finalDivFactor: [9, { ...alone, schedule: 'one-cycle' }, alone],
    teacherWeights: [[2, 1], { ...taught, teacher: ['a', 'b'] }, taught],
    ensemble: ['logits', { ...taught, teacher: ['a', 'b'] }, taught],
    alpha: [0.5, taught, { ...taught, method: 'crd' }],
    draw: ['batch', picked, { ...taught, augment: 'identity' }],
    pick: ['random', { ...taught, augment: 'cutmix' }, taught],
    augmentOption: [{ cutmix: { alpha: 0.5 } }, { ...taught, augment: 'cutmix' }, taught],
    pickOption: [{ kl: { temperature: 2 } }, picked, { ...taught, augment: 'cutmix' }],
    pickFactor: [3, picked, { ...taught, augment: 'cutmix' }],
    pickKeep: [0.3, picked, { ...taught, augment: 'cutmix' }],
    pickUpdatesStatistics: [true, picked, { ...picked, pick: 'random' }],
    strongLabels: ['mixed', { ...taught, augment: 'cutmix' }, taught],
    strongWeight: [0.5, picked, taught],
    passes: ['joint', picked, taught],
    temperature: [2, taught, { ...taught, method: 'lskd' }],
    studentTaps: [['layer1'], { ...taught, method: 'at' }, { ...taught, method: 'dkd' }],
    teacherTaps: [['layer1'], { ...taught, method: 'at' }, taught],
    gradientEvery: [7, taught, { ...taught, gamma: 0 }],
  };

  test('every row with a condition is here', () => {
    const rows: Table = settings;
    expect(Object.keys(cases).sort()).toEqual(
      Object.keys(rows)
        .filter((key) => rows[key]?.needs)
        .sort(),
    );
  });

  test.each(Object.entries(cases))('%s', (key, [value, effect, none]) => {
    expect(resolveConfig({ ...effect, [key]: value })).not.toEqual(resolveConfig(effect));
    expect(() => resolveConfig({ ...none, [key]: value })).toThrow(`${key} has no effect`);
  });

  test.each(['lskd', 'dkd', 'mlkd'])('--temperature with %s names the option that it has', (method) => {
    expect(() => resolveConfig({ ...taught, method, temperature: 8 })).toThrow(/temperature has no effect/);
  });
});

test('a new row is seen everywhere', () => {
  const made = setting(z.number().positive(), {
    group: 'Data',
    help: 'how blue',
    value: '<n>',
    default: 2,
    title: 'blueness',
  });
  const table: Table = { ...settings, skyBlue: made };
  const config = resolveConfig({ ...alone, skyBlue: 3 }, table);
  expect(config).toMatchObject({ skyBlue: 3 });
  expect(resolveConfig(alone, table)).toMatchObject({ skyBlue: 2 });
  expect(() => resolveConfig({ ...alone, skyBlue: -1 }, table)).toThrow(/^skyBlue: must be > ?0, got -1$/);
  expect(() => resolveConfig({ ...alone, skyBlu: 1 }, table)).toThrow(/did you mean 'skyBlue'/);
  expect(fingerprint(config, null, table).fields).toMatchObject({ skyBlue: 3 });
  const help = addSettings(new Command(), 'train', { table }).helpInformation();
  expect(help).toMatch(/Data:[\s\S]*--sky-blue <n>\s+how blue \(default: 2\)/);
});
