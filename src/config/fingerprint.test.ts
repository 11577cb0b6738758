import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type StoredTensor, writeSafetensors } from '../formats/index.ts';
import { type Config, type ConfigInput, resolveConfig } from './config.ts';
import { fileHash, fingerprint, teacherIdentity } from './fingerprint.ts';
import type { Table } from './row.ts';
import { settings } from './settings.ts';

const base: ConfigInput = { data: 'cifar100', student: 'resnet20', teacher: 't.pth', teacherModel: 'resnet56' };
const teacher = { model: 'resnet56', sha256: 'a'.repeat(64) };
const idOf = (config: ConfigInput): string => fingerprint(resolveConfig(config), teacher).id;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'thrive-print-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a fingerprint', () => {
  test('is the first twelve digits of a hash of its fields', () => {
    const { id, fields } = fingerprint(resolveConfig(base), teacher);
    expect(id).toMatch(/^[0-9a-f]{12}$/);
    expect(createHash('sha256').update(JSON.stringify(fields)).digest('hex').slice(0, 12)).toBe(id);
  });

  test.each<[string, ConfigInput]>([
    ['the seed', { seed: 7 }],
    ['the data folder', { dataDir: '/elsewhere' }],
    ['threads', { threads: 3 }],
    ['the device', { device: 'cuda:1' }],
    ['where the teacher lies', { teacher: '/elsewhere/t.pth' }],
    ['a default that is spelt out', { epochs: 240, lr: 0.05, temperature: 4, schedule: 'step' }],
    ['the spelling of the dataset', { data: 'CIFAR-100' }],
  ])('does not change with %s', (_what, change) => {
    expect(idOf({ ...base, ...change })).toBe(idOf(base));
  });

  test('does not change with the order of keys', () => {
    const reverse = (value: unknown): unknown =>
      typeof value !== 'object' || value === null || Array.isArray(value)
        ? value
        : Object.fromEntries(
            Object.entries(value)
              .reverse()
              .map(([key, item]) => [key, reverse(item)]),
          );
    const config = resolveConfig(base);
    expect(fingerprint(reverse(config) as Config, reverse(teacher) as typeof teacher)).toEqual(
      fingerprint(config, teacher),
    );
    expect(fingerprint(JSON.parse(JSON.stringify(config)) as Config, teacher)).toEqual(fingerprint(config, teacher));
  });

  const changes: [string, ConfigInput][] = [
    ['data', { data: 'cifar10' }],
    ['student', { student: 'resnet14' }],
    ['limitTrain', { limitTrain: 1000 }],
    ['limitTest', { limitTest: 1000 }],
    ['holdout', { holdout: 0.1 }],
    ['epochs', { epochs: 120 }],
    ['batchSize', { batchSize: 128 }],
    ['lr', { lr: 0.1 }],
    ['momentum', { momentum: 0.8 }],
    ['nesterov', { nesterov: true }],
    ['weightDecay', { weightDecay: 1e-4 }],
    ['the kind of schedule', { schedule: 'constant' }],
    ['milestones', { milestones: [150, 180] }],
    ['gamma of the schedule', { lrDecay: 0.2 }],
    ['standard', { baseAugment: 'flip' }],
    ['kd.gamma', { gamma: 0.5 }],
    ['kd.alpha', { alpha: 0.5 }],
    ['kd.temperature', { temperature: 2 }],
    ['a method', { method: ['at', 'kd'] }],
    ['its weight', { method: 'at+kd', weight: { at: 10 } }],
    ['its options', { method: 'at+kd', methodOption: { at: { power: 3 } } }],
    ['precision', { precision: 'bf16' }],
    ['the second view', { augment: 'cutmix' }],
    ['its augmentation', { augment: 'mixup' }],
    ['its draw', { augment: 'cutmix', draw: 'batch' }],
    ['its weight', { augment: 'cutmix', strongWeight: 0.5 }],
    ['its labels', { augment: 'cutmix', strongLabels: 'mixed' }],
    ['its passes', { augment: 'cutmix', passes: 'joint' }],
    ['picking', { augment: 'cutmix', pick: 'kl' }],
    ['what is picked by', { augment: 'cutmix', pick: 'random' }],
    ['how many are picked', { augment: 'cutmix', pick: 'kl', pickFactor: 3, pickKeep: 1 / 3 }],
  ];
  test.each(changes)('changes with %s', (_what, change) => {
    expect(idOf({ ...base, ...change })).not.toBe(idOf(base));
  });

  test('these changes are all different', () => {
    expect(new Set(changes.map(([, change]) => idOf({ ...base, ...change }))).size).toBe(changes.length);
  });

  test('plain training has no distillation settings to differ in', () => {
    const { fields } = fingerprint(resolveConfig({ data: 'cifar100', model: 'resnet20' }), null);
    const table: Table = settings;
    expect(Object.keys(fields).filter((key) => table[key]?.task === 'distill')).toEqual([]);
  });

  test('every setting counts, or its row says why not', () => {
    const input: ConfigInput = {
      ...base,
      ...{ limitTrain: 1, limitTest: 1, threads: 1, dataDir: 'x', init: fileURLToPath(import.meta.url) },
      ...{
        augment: 'cutmix',
        pick: 'kl',
        teacher: ['a', 'b'],
        method: 'at+kd',
        studentTaps: ['a'],
        teacherTaps: ['b'],
      },
    };
    const config = resolveConfig(input);
    const table: Table = settings;
    const told = Object.keys(fingerprint(config, teacher).fields);
    const silent = Object.keys(config).filter((key) => table[key]?.scope !== undefined);
    expect(told.sort()).toEqual(
      [...Object.keys(config).filter((key) => !silent.includes(key)), 'model', 'init', 'teacher', 'protocol'].sort(),
    );
    expect(silent.sort()).toEqual([
      ...['dataDir', 'device', 'evaluateEvery', 'gradientEvery', 'init', 'resetHead', 'seed', 'student'],
      ...['teacher', 'teacherModel', 'threads'],
    ]);
  });
});

describe('the teacher', () => {
  const tensors = (value: number): Map<string, StoredTensor> =>
    new Map([['w', { dtype: 'float32', shape: [1], data: new Uint8Array(Float32Array.of(value).buffer) }]]);
  const withTeacher = (checkpoint: string, model?: string): Config =>
    resolveConfig({
      data: 'cifar100',
      student: 'resnet20',
      teacher: checkpoint,
      ...(model ? { teacherModel: model } : {}),
    });
  const printOf = (config: Config): string => fingerprint(config, teacherIdentity(config)).id;
  const network = {
    model: 'resnet56',
    classes: 100,
    imageSize: 32,
    data: 'cifar100',
    normalization: { mean: [0.5, 0.5, 0.5], std: [0.2, 0.2, 0.2] },
    classNames: [],
  };

  test('is told by its bytes, not by its name', () => {
    const [a, same, other] = ['a', 'same', 'other'].map((name) => join(folder, `${name}.pth`)) as [
      string,
      string,
      string,
    ];
    writeFileSync(a, 'weights');
    writeFileSync(same, 'weights');
    writeFileSync(other, 'weightt');
    expect(fileHash(a)).toBe(createHash('sha256').update('weights').digest('hex'));
    expect(printOf(withTeacher(a, 'resnet56'))).toBe(printOf(withTeacher(same, 'resnet56')));
    expect(printOf(withTeacher(a, 'resnet56'))).not.toBe(printOf(withTeacher(other, 'resnet56')));
    expect(printOf(withTeacher(a, 'resnet56'))).not.toBe(printOf(withTeacher(a, 'resnet110')));
  });

  test('a file that says its architecture need not be told it', () => {
    const path = join(folder, 'ours.safetensors');
    writeSafetensors(path, tensors(1), { format: 'thrive-checkpoint-1', network: JSON.stringify(network) });
    expect(teacherIdentity(withTeacher(path))).toEqual({ model: 'resnet56', sha256: fileHash(path) });
    expect(printOf(withTeacher(path))).toBe(printOf(withTeacher(path, 'resnet56')));
    const foreign = join(folder, 'foreign.safetensors');
    writeSafetensors(foreign, tensors(1));
    expect(teacherIdentity(withTeacher(foreign))).toMatchObject({ model: null });
  });

  test('that cannot be read is an error that names it', () => {
    expect(() => teacherIdentity(withTeacher(join(folder, 'nowhere')))).toThrow(/cannot read .*nowhere: there is no/);
    expect(() => teacherIdentity(withTeacher(folder, 'resnet56'))).toThrow(/it is a folder/);
  });
});
