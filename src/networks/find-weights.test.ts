import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fillModule } from '../../test/filler.ts';
import { UserError } from '../base/errors.ts';
import { type StoredTensors, writePth, writeSafetensors } from '../formats/index.ts';
import { createEmptyModel } from '../models/index.ts';
import { toStored } from '../train/weights.ts';
import { findWeights } from './find-weights.ts';
import { importWeights } from './import-weights.ts';
import { loadNetwork } from './load-network.ts';
import { candidateOf, knownNetworks } from './recognize.ts';

let folder: string;
let student: StoredTensors;
let teacher: StoredTensors;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'thrive-find-'));
  using small = fillModule(createEmptyModel('resnet8', { classes: 10 }));
  using big = fillModule(createEmptyModel('resnet14', { classes: 10 }));
  student = toStored(small.stateDict());
  teacher = toStored(big.stateDict());
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const one = { dtype: 'int64' as const, shape: [], data: new Uint8Array(8) };
const two = { dtype: 'float32' as const, shape: [2], data: new Uint8Array(8) };
const prefixed = (prefix: string, tensors: StoredTensors): StoredTensors =>
  new Map([...tensors].map(([name, tensor]) => [prefix + name, tensor]));
const joined = (...parts: StoredTensors[]): StoredTensors => new Map(parts.flatMap((part) => [...part]));
const find = (tensors: StoredTensors, key?: string, format: 'pth' | 'safetensors' = 'safetensors') =>
  findWeights('x', tensors, knownNetworks(), { key, flag: '--key', format });

function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
    return `${(error as UserError).message}\n${(error as UserError).hint}`;
  }
  throw new Error('it was accepted');
}

describe('a wrapper’s names', () => {
  test.each([
    'module.',
    '_orig_mod.',
    'model.',
    'net.',
    'module.model.',
    'backbone.',
    'student.',
    'ema.module.',
    '_forward_module.module._orig_mod.',
    'state_dict.encoder_q.',
  ])('%s', (prefix) => {
    const found = find(prefixed(prefix, student))!;
    expect([...found.tensors.keys()]).toEqual([...student.keys()]);
    expect(found.notes).toEqual([`note: '${prefix}' was taken off the names of the weights in x`]);
  });

  test('whatever it is, if no part of the network begins so', () => {
    const part = fc
      .stringMatching(/^[a-z_]{1,12}$/)
      .filter((text) => !/optim|momentum|exp_avg|grad|sched|scaler|method/.test(text));
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 3 }), (parts) => {
        const found = find(prefixed(`${parts.join('.')}.`, student))!;
        expect([...found.tensors.keys()]).toEqual([...student.keys()]);
      }),
      { numRuns: 20 },
    );
  });

  test('the usual key of a checkpoint is no wrapper to speak of; what is below it is', () => {
    expect(find(prefixed('state_dict.', student), undefined, 'pth')!.notes).toEqual([]);
    expect(find(prefixed('state_dict.module.', student), undefined, 'pth')!.notes.join()).toMatch(/'module\.'/);
  });

  test.each(['safetensors', 'pth'])('through import and eval, in .%s', async (format) => {
    const path = join(folder, `wrapped.${format}`);
    const wrapped = prefixed('_orig_mod.module.', student);
    if (format === 'pth') writePth(path, wrapped);
    else writeSafetensors(path, wrapped, {});
    const out = join(folder, `out-${format}.safetensors`);
    expect(await importWeights(path, { data: 'cifar10', out })).toMatchObject({ model: 'resnet8' });
    const { network, notes } = await loadNetwork(path, {
      model: 'resnet8',
      classes: 10,
      imageSize: 32,
      modelSetting: 'model',
    });
    expect(notes.join()).toMatch(/'_orig_mod\.module\.' was taken off/);
    for (const [name, { data }] of toStored(network.stateDict())) {
      expect(Buffer.compare(data, student.get(name)!.data), name).toBe(0);
    }
    network.dispose();
  });
});

describe('what else is inside', () => {
  test('counters of profilers and averaged models, a missing batch counter', () => {
    const odd = joined(
      new Map([...student].filter(([name]) => !name.endsWith('num_batches_tracked'))),
      new Map([...student.keys()].map((name) => [name.replace(/[^.]*$/, 'total_ops'), one])),
      new Map([['total_params', one]]),
      new Map([['n_averaged', one]]),
    );
    const found = find(prefixed('module.', odd))!;
    expect(found.tensors.size).toBe([...student.keys()].filter((name) => !name.endsWith('num_batches_tracked')).length);
    expect(find(odd)!.notes).toEqual([]);
  });

  test('a loss’s buffers are left aside, and named', () => {
    const found = find(joined(prefixed('model.', student), new Map([['criterion.centers', two]])))!;
    expect(found.tensors.size).toBe(student.size);
    expect(found.notes[1]).toBe("note: 1 other tensors in x were left aside: 'criterion'");
    expect(find(joined(student, new Map([['criterion.centers', two]])))!.tensors.size).toBe(student.size);
  });

  test('what might be a part of the network keeps it from fitting', () => {
    expect(find(joined(student, new Map([['layer1.0.se.weight', two]])))).toBeNull();
    expect(find(joined(student, new Map([['normalize.mean', two]])))).toBeNull();
  });

  test('momentum of the same names is no network', () => {
    expect(find(joined(student, prefixed('momentum_buffer.', student)))!.tensors.size).toBe(student.size);
  });
});

describe('several networks', () => {
  const both = (): StoredTensors => joined(prefixed('student.', student), prefixed('teacher.module.', teacher));

  test('are listed, with the flag', () => {
    expect(refusal(() => find(both()))).toBe(
      "x holds the weights of 2 networks: 'student', 'teacher'\nsay which with --key teacher",
    );
    expect(refusal(() => find(joined(prefixed('model.', student), prefixed('model_ema.module.', student))))).toMatch(
      /'model', 'model_ema'/,
    );
    expect(refusal(() => find(joined(prefixed('sd.encoder_q.', student), prefixed('sd.encoder_k.', student))))).toMatch(
      /'sd\.encoder_q', 'sd\.encoder_k'/,
    );
    expect(refusal(() => find(joined(student, prefixed('teacher.', teacher))))).toMatch(/'\.', 'teacher'/);
  });

  test('and picked by it', () => {
    expect(find(both(), 'teacher')!.tensors.size).toBe(teacher.size);
    expect(find(both(), 'teacher.module')!.tensors.size).toBe(teacher.size);
    expect(find(both(), 'student')!.tensors.size).toBe(student.size);
    expect(find(joined(student, prefixed('teacher.', teacher)), '.')!.tensors.size).toBe(student.size);
    expect(find(both(), 'nobody')).toBeNull();
  });

  test('or by the network that is asked for', () => {
    const shapes = new Map([...teacher].map(([name, { shape }]) => [name, shape]));
    const found = findWeights('x', both(), [candidateOf(shapes)], { flag: '--key', format: 'pth' })!;
    expect(found.tensors.size).toBe(teacher.size);
    expect(found.notes.join()).toMatch(/'teacher\.module\.'.*left aside: 'student'/);
  });
});
