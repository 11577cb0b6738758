import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { program, safetensors, zipCheckpoint } from '../../test/fixtures/formats/assemble.ts';
import {
  described,
  describedAll,
  type Expected,
  expected,
  expectedIn,
  fixture,
  refusal,
  saved,
  temporaryFolder,
} from '../../test/fixtures/formats/fixtures.ts';
import { pythonWithTorch } from '../../test/fixtures/formats/python.ts';
import { because, sharedPath } from '../../test/shared.ts';
import type { PickledObject, PickleGlobal } from './pickle-values.ts';
import { readPth, readWeights } from './pth.ts';
import type { StoredTensor, StoredTensors } from './stored.ts';

const folder = temporaryFolder();

/** Everything in the checkpoint of make_pth.py. */
async function checkFixture(path: string, expected: Expected): Promise<void> {
  const value = (await readPth(path)) as Map<string, unknown>;
  expect(describedAll(value.get('model') as StoredTensors)).toEqual(expected.model);
  const { state } = Object.fromEntries(value.get('optimizer') as Map<string, Map<number, Map<string, StoredTensor>>>);
  expect([...state!.values()].map((each) => described(each.get('momentum_buffer')!))).toEqual(expected.momentum);
  expect([...state!.keys()]).toEqual([0, 1]);
  const plain = [
    'epoch',
    'accuracy',
    'loss',
    'seed',
    'offset',
    'name',
    'done',
    'nothing',
    'raw',
    'kinds',
    'sizes',
    'many',
  ];
  expect(Object.fromEntries(plain.map((key) => [key, value.get(key)]))).toEqual({
    epoch: 7,
    accuracy: 71.25,
    loss: Number.POSITIVE_INFINITY,
    seed: 2n ** 70n,
    offset: -(2 ** 40),
    name: 'résumé 😀',
    done: true,
    nothing: null,
    raw: Uint8Array.of(0, 255, 128),
    kinds: new Set(['a', 'b']),
    sizes: [2, 3],
    many: Array.from({ length: 300 }, (_, i) => i),
  });
  expect((value.get('dtype') as PickleGlobal).path).toBe('torch.float16');
  const args = value.get('args') as PickledObject;
  expect(args.type).toBe('argparse.Namespace');
  expect(Object.fromEntries(args.attributes)).toEqual({ lr: 0.05, out: 'runs/a', steps: [1, [2, 3]] });
}

describe('readPth reads what PyTorch 1.13 wrote', () => {
  it.each(['zip-2.pth', 'zip-4.pth', 'legacy-2.pth'])('%s', (name) => checkFixture(fixture(name), expected));

  it.skipIf(!pythonWithTorch)(
    `in every pickle protocol and both forms, and what PyTorch found here writes${because(pythonWithTorch, 'a Python with PyTorch')}`,
    async () => {
      execFileSync(pythonWithTorch!, ['-W', 'ignore', fixture('make_pth.py'), folder]);
      const made = readdirSync(folder).filter((name) => /^(zip|legacy)-\d\.pth$/.test(name));
      expect(made).toHaveLength(10);
      // Random numbers differ between versions of PyTorch.
      const found = expectedIn(join(folder, 'pth.expected.json'));
      for (const name of made) await checkFixture(join(folder, name), found);
    },
  );
});

describe('readWeights', () => {
  it('takes off the prefix of DataParallel', async () => {
    const { tensors, extra, format } = await readWeights(fixture('bare.pth'));
    expect(describedAll(tensors)).toEqual(expected.model);
    expect([{ ...extra }, format]).toEqual([{}, 'pth']);
  });

  it('returns the scalars beside the weights', async () => {
    const { extra } = await readWeights(fixture('zip-2.pth'));
    expect({ ...extra }).toEqual({
      epoch: 7,
      accuracy: 71.25,
      best: 0.5,
      loss: Number.POSITIVE_INFINITY,
      seed: String(2n ** 70n),
      offset: -(2 ** 40),
      name: 'résumé 😀',
      done: true,
      nothing: null,
    });
  });

  it('goes by content, not by name', async () => {
    const path = saved(
      folder,
      'really.pth',
      safetensors(
        { __metadata__: { epoch: '7' }, w: { dtype: 'U8', shape: [1], data_offsets: [0, 1] } },
        Uint8Array.of(5),
      ),
    );
    const { tensors, extra, format } = await readWeights(path);
    expect(describedAll(tensors)).toEqual({ w: { dtype: 'uint8', shape: [1], hex: '05' } });
    expect([{ ...extra }, format]).toEqual([{ epoch: '7' }, 'safetensors']);
    expect(await refusal(() => readPth(path))).toMatch(/is a safetensors file, not a PyTorch checkpoint/);
  });

  const zipped = sharedPath('checkpoints/resnet56-cifar100.pth');
  const legacy = sharedPath('checkpoints/resnet56-cifar100-legacy.pth');
  it.skipIf(!zipped || !legacy)(
    `reads a trained ResNet-56 alike in both forms${because(zipped && legacy, 'checkpoints')}`,
    async () => {
      const a = await readWeights(zipped!);
      const b = await readWeights(legacy!);
      expect(a.tensors.size).toBe(344);
      expect(a.tensors.get('conv1.weight')!.shape).toEqual([16, 3, 3, 3]);
      expect(a.tensors.get('fc.weight')!.shape).toEqual([100, 64]);
      expect(describedAll(b.tensors)).toEqual(describedAll(a.tensors));
      // The bfloat16 accuracy of the README beside the file.
      for (const { extra } of [a, b]) expect({ ...extra }).toEqual({ epoch: 30, accuracy: 69.45 });
    },
  );
});

describe('files of other kinds are named', () => {
  const text = (content: string) => Buffer.from(content, 'latin1');
  it.each<[string, Uint8Array, RegExp]>([
    ['empty', text(''), /an empty file, not weights \| copy or download it again/],
    [
      'Git LFS',
      text('version https://git-lfs.github.com/spec/v1\noid sha256:0'),
      /Git LFS pointer, not weights \| .*git lfs pull/,
    ],
    ['HTML', text('\n<!DOCTYPE html><html>'), /a web page/],
    ['HDF5', text('\x89HDF\r\n\x1a\n'), /an HDF5 file \(Keras\)/],
    ['npy', text('\x93NUMPY\x01\0'), /a NumPy array/],
    ['gzip', text('\x1f\x8b\x08'), /a gzip file/],
    [
      'tar',
      Buffer.concat([Buffer.alloc(257), text('ustar  '), Buffer.alloc(300)]),
      /is a tar file; PyTorch's checkpoints of that form/,
    ],
    // ir_version 8, producer_name "pytorch": how an .onnx file begins.
    ['an ONNX model', text('\x08\x08\x12\x07pytorch'), /is an ONNX model, not weights \| .*it can teach/],
    ['another', text('hello'), /neither a PyTorch checkpoint nor a safetensors file \| give a \.pth/],
    ['a lone pickle', program('N'), /a Python pickle, but not one that torch\.save wrote/],
  ])('%s', async (name, bytes, message) => {
    expect(await refusal(() => readWeights(saved(folder, name, bytes)))).toMatch(message);
  });

  it('a file that is absent', async () => {
    expect(await refusal(() => readWeights(join(folder, 'absent.pth')))).toMatch(
      /cannot read .*absent\.pth: there is no such file/,
    );
  });

  it('a checkpoint that is only a number', async () => {
    expect(await refusal(() => readWeights(saved(folder, 'n', zipCheckpoint(program('K', 5)))))).toMatch(
      /holds 5, not a dict of weights/,
    );
  });
});
