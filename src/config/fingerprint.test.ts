import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type StoredTensor, writeSafetensors } from '../formats/index.ts';
import { type Config, type ConfigInput, configKeys, resolveConfig } from './config.ts';
import { fileHash, fingerprint, teacherIdentity } from './fingerprint.ts';

const base: ConfigInput = { data: 'cifar100', model: 'resnet20', teacher: { checkpoint: 't.pth', model: 'resnet56' } };
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

  test.each<[string, Partial<ConfigInput>]>([
    ['the seed', { seed: 7 }],
    ['the data folder', { dataDir: '/elsewhere' }],
    ['threads', { threads: 3 }],
    ['the device', { device: 'cuda:1' }],
    ['where the teacher lies', { teacher: { checkpoint: '/elsewhere/t.pth', model: 'resnet56' } }],
    ['a default that is spelt out', { epochs: 240, lr: 0.05, kd: { temperature: 4 }, schedule: { kind: 'step' } }],
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

  const changes: [string, Partial<ConfigInput>][] = [
    ['data', { data: 'cifar10' }],
    ['model', { model: 'resnet14' }],
    ['limitTrain', { limitTrain: 1000 }],
    ['limitTest', { limitTest: 1000 }],
    ['holdout', { holdout: 0.1 }],
    ['epochs', { epochs: 120 }],
    ['batchSize', { batchSize: 128 }],
    ['lr', { lr: 0.1 }],
    ['momentum', { momentum: 0.8 }],
    ['nesterov', { nesterov: true }],
    ['weightDecay', { weightDecay: 1e-4 }],
    ['the kind of schedule', { schedule: { kind: 'constant' } }],
    ['milestones', { schedule: { kind: 'step', milestones: [150, 180] } }],
    ['gamma of the schedule', { schedule: { kind: 'step', gamma: 0.2 } }],
    ['standard', { standard: 'flip' }],
    ['kd.gamma', { kd: { gamma: 0.5 } }],
    ['kd.alpha', { kd: { alpha: 0.5 } }],
    ['kd.temperature', { kd: { temperature: 2 } }],
    ['a method', { methods: ['at', 'kd'] }],
    ['its weight', { methods: [{ name: 'at', weight: 10 }, 'kd'] }],
    ['its options', { methods: [{ name: 'at', options: { power: 3 } }, 'kd'] }],
    ['precision', { precision: 'bf16' }],
    ['the second view', { strong: { scheme: 'cutmix' } }],
    ['its augmentation', { strong: { scheme: 'mixup' } }],
    ['its draw', { strong: { scheme: 'cutmix', draw: 'batch' } }],
    ['its weight', { strong: { scheme: 'cutmix', weight: 0.5 } }],
    ['its labels', { strong: { scheme: 'cutmix', labels: 'mixed' } }],
    ['its passes', { strong: { scheme: 'cutmix', passes: 'joint' } }],
    ['picking', { strong: { scheme: 'cutmix', pick: { criterion: 'kl' } } }],
    ['what is picked by', { strong: { scheme: 'cutmix', pick: { criterion: 'random' } } }],
    ['how many are picked', { strong: { scheme: 'cutmix', pick: { criterion: 'kl', factor: 3, keep: 1 / 3 } } }],
  ];
  test.each(changes)('changes with %s', (_what, change) => {
    expect(idOf({ ...base, ...change })).not.toBe(idOf(base));
  });

  test('these changes are all different', () => {
    expect(new Set(changes.map(([, change]) => idOf({ ...base, ...change }))).size).toBe(changes.length);
  });

  test('plain training has no distillation settings to differ in', () => {
    const alone = (kd: ConfigInput['kd']): string =>
      fingerprint(resolveConfig({ data: 'cifar100', model: 'resnet20', kd }), null).id;
    expect(alone({ temperature: 2 })).toBe(alone({}));
    expect(alone({})).not.toBe(idOf(base));
  });

  test('every setting either counts or is named here as one that does not', () => {
    const optional = {
      limitTrain: 1,
      limitTest: 1,
      threads: 1,
      dataDir: 'x',
      strong: { scheme: 'cutmix' },
      teachers: [{ checkpoint: 'a.pth' }, { checkpoint: 'b.pth' }],
      ensemble: 'logits' as const,
      methods: ['at', 'kd'],
      studentTaps: ['layer1'],
      teacherTaps: ['layer1'],
      init: fileURLToPath(import.meta.url),
      resetHead: true,
    };
    const { teacher: one, ...several } = base;
    const config = resolveConfig({ ...several, ...optional });
    expect([...Object.keys(config), 'teacher'].sort()).toEqual([...configKeys].sort());
    expect(one).toBeDefined();
    const { fields } = fingerprint(config, teacher);
    const machine = ['dataDir', 'device', 'evaluateEvery', 'gradientEvery', 'seed', 'teachers', 'threads', 'resetHead'];
    expect(fields.init).toMatchObject({ resetHead: true });
    expect([...Object.keys(fields), ...machine].sort()).toEqual([...Object.keys(config), 'protocol', 'teacher'].sort());
  });
});

describe('the teacher', () => {
  const tensors = (value: number): Map<string, StoredTensor> =>
    new Map([['w', { dtype: 'float32', shape: [1], data: new Uint8Array(Float32Array.of(value).buffer) }]]);
  const withTeacher = (checkpoint: string, model?: string): Config =>
    resolveConfig({ data: 'cifar100', model: 'resnet20', teacher: model ? { checkpoint, model } : checkpoint });
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
