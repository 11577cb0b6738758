import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { because, sharedPath } from '../../test/shared.ts';
import { UserError } from '../base/errors.ts';
import { type StoredTensor, type StoredTensors, writePth, writeSafetensors } from '../formats/index.ts';
import { createEmptyModel, createModel } from '../models/index.ts';
import { memory, setNumThreads, tidy, zeros } from '../torch/index.ts';
import { saveNetwork } from '../train/checkpoint.ts';
import { toStored } from '../train/weights.ts';
import { type LoadNetworkOptions, loadNetwork } from './load-network.ts';

let folder: string;
/** resnet8 for ten classes, seed 4. */
let weights: StoredTensors;

beforeAll(() => {
  setNumThreads(1);
  folder = mkdtempSync(join(tmpdir(), 'thrive-load-'));
  using model = createModel('resnet8', { classes: 10, seed: 4 });
  weights = toStored(model.stateDict());
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const file = (name: string): string => join(folder, name);
const load = (path: string, options: Partial<LoadNetworkOptions> = {}): ReturnType<typeof loadNetwork> =>
  loadNetwork(path, { classes: 10, imageSize: 32, modelSetting: 'model', ...options });
const info = {
  model: 'resnet8',
  classes: 10,
  imageSize: 32,
  data: 'cifar10',
  normalization: { mean: [0.5, 0.5, 0.5], std: [0.2, 0.2, 0.2] },
  classNames: ['a'],
};

/** The message and hint of the refusal, which must leave no tensor behind. */
async function refusal(path: string, options: Partial<LoadNetworkOptions> = {}): Promise<string> {
  const before = memory().tensors;
  try {
    await load(path, options);
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
    expect(memory().tensors).toBe(before);
    const { message, hint } = error as UserError;
    return hint ? `${message}\n${hint}` : message;
  }
  throw new Error('it was loaded');
}

/** The loaded network computes what the one that was saved does. */
async function expectSame(path: string, options: Partial<LoadNetworkOptions> = {}): Promise<void> {
  const loaded = await load(path, options);
  using network = loaded.network;
  const read = toStored(network.stateDict());
  expect([...read.keys()]).toEqual([...weights.keys()]);
  for (const [name, { data }] of weights) expect(Buffer.compare(read.get(name)!.data, data), name).toBe(0);
}

describe('weights are found', () => {
  const prefixed = (prefix: string): StoredTensors => new Map([...weights].map(([k, v]) => [prefix + k, v]));

  test('in a bare state dict', async () => {
    writePth(file('bare.pth'), weights);
    await expectSame(file('bare.pth'), { model: 'resnet8' });
  });

  test('under model, with what else a script saved', async () => {
    writePth(file('model.pth'), weights, { epoch: 240, best_acc: 72.5, arch: 'resnet8' });
    await expectSame(file('model.pth'), { model: 'resnet8' });
    const { network, extra } = await load(file('model.pth'), { model: 'resnet8' });
    expect(extra).toMatchObject({ epoch: 240, best_acc: 72.5, arch: 'resnet8' });
    network.dispose();
  });

  test.each(['module.', '_orig_mod.', '_orig_mod.module.'])('behind %s', async (prefix) => {
    writePth(file('prefix.pth'), prefixed(prefix), { epoch: 1 });
    await expectSame(file('prefix.pth'), { model: 'resnet8' });
  });

  test('in a safetensors file without our metadata, in any order', async () => {
    writeSafetensors(file('foreign.safetensors'), new Map([...weights].sort().reverse()), { format: 'pt' });
    await expectSame(file('foreign.safetensors'), { model: 'resnet8' });
    const { network, info: said } = await load(file('foreign.safetensors'), { model: 'resnet8' });
    expect(said).toBeNull();
    network.dispose();
  });

  test('without batch counters, as before PyTorch 0.4.1', async () => {
    const old = new Map([...weights].filter(([name]) => !name.endsWith('num_batches_tracked')));
    writePth(file('old.pth'), old);
    await expectSame(file('old.pth'), { model: 'resnet8' });
  });

  test('in our own file, which says what it is', async () => {
    using model = createModel('resnet8', { classes: 10, seed: 4 });
    saveNetwork(file('ours.safetensors'), model, { network: info, metrics: { top1: 1 }, epoch: 3 });
    await expectSame(file('ours.safetensors'));
    const { network, model: name, info: said } = await load(file('ours.safetensors'));
    expect([name, said]).toEqual(['resnet8', info]);
    network.dispose();
  });

  const published = ['resnet56-cifar100.pth', 'resnet56-cifar100-legacy.pth'].map((name) =>
    sharedPath(`checkpoints/${name}`),
  );
  test.skipIf(published.includes(undefined))(
    `in a published checkpoint, the same in both forms of file${because(!published.includes(undefined), 'resnet56-cifar100.pth')}`,
    async () => {
      const [zip, legacy] = await Promise.all(
        published.map((path) => load(path!, { model: 'resnet56', classes: 100 })),
      );
      tidy(() => {
        const x = zeros([1, 3, 32, 32]);
        const [a, b] = [zip!, legacy!].map(({ network }) => network.eval().forward(x));
        expect(a!.equal(b!)).toBe(true);
        expect(a!.abs().sum().item()).toBeGreaterThan(1);
      });
      for (const loaded of [zip!, legacy!]) loaded.network.dispose();
    },
  );
});

describe('refused', () => {
  test('a file that does not say its architecture', async () => {
    writePth(file('bare.pth'), weights);
    expect(await refusal(file('bare.pth'), { modelSetting: 'teacherModel' })).toMatch(
      /bare\.pth does not say which architecture.*\nby their names and shapes they are those of a resnet8 with 10 classes: teacherModel: 'resnet8'$/,
    );
    writePth(file('less.pth'), new Map([...weights].slice(1)));
    expect(await refusal(file('less.pth'))).toMatch(/\nname it with model; known: resnet8, /);
  });

  test('one that says an architecture nobody knows', async () => {
    const network = JSON.stringify({ ...info, model: 'resnet9000' });
    writeSafetensors(file('future.safetensors'), weights, { format: 'thrive-checkpoint-1', network });
    expect(await refusal(file('future.safetensors'))).toMatch(/future\.safetensors says .*'resnet9000'/);
    await expectSame(file('future.safetensors'), { model: 'resnet8' });
  });

  test.each([
    ['no JSON', '{', /is damaged: its network is not valid JSON/],
    ['nothing', 'null', /is damaged: network: /],
    ['half of it', JSON.stringify({ model: 'resnet8' }), /is damaged: network\.classes: /],
    [
      'a mean that is no list',
      JSON.stringify({ ...info, normalization: { mean: 1, std: [1] } }),
      /network\.normalization\.mean/,
    ],
  ])('a file of ours that says %s about its network', async (_what, network, message) => {
    writeSafetensors(file('lies.safetensors'), weights, { format: 'thrive-checkpoint-1', network });
    expect(await refusal(file('lies.safetensors'))).toMatch(message);
  });

  test.each(['float32', 'float64'] as const)('weights that are not finite (%s)', async (dtype) => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, ...(dtype === 'float64' ? [1e300] : [])]) {
      const { shape, data } = weights.get('layer2.0.conv1.weight')!;
      const values = Float64Array.from(new Float32Array(data.slice().buffer));
      values[17] = value;
      const array = dtype === 'float64' ? values : Float32Array.from(values);
      const broken: StoredTensor = { dtype, shape, data: new Uint8Array(array.buffer) };
      writeSafetensors(file('nan.safetensors'), new Map(weights).set('layer2.0.conv1.weight', broken));
      expect(await refusal(file('nan.safetensors'), { model: 'resnet8' })).toMatch(
        /nan\.safetensors: layer2\.0\.conv1\.weight holds values that are not finite/,
      );
    }
  });

  test('another architecture, with the tensors that tell', async () => {
    writePth(file('bare.pth'), weights);
    const deeper = await refusal(file('bare.pth'), { model: 'resnet14' });
    expect(deeper).toMatch(
      /bare\.pth do not fit this ResNet:\n {2}missing from the file \(\d+\): layer1\.1\.conv1\.weight/,
    );
    expect(deeper).toMatch(/by their names and shapes they are those of a resnet8 with 10 classes/);
    writePth(file('less.pth'), new Map([...weights].slice(1)));
    expect(await refusal(file('less.pth'), { model: 'resnet8' })).toMatch(/is it another architecture/);
    expect(await refusal(file('bare.pth'), { model: 'vgg8' })).toMatch(
      /in the file but not in the model \(\d+\): conv1/,
    );
    const wider = await refusal(file('bare.pth'), { model: 'resnet8x4' });
    expect(wider).toMatch(/of another shape \(\d+\): conv1\.weight is \[16, 3, 3, 3\], the model has \[32, 3, 3, 3\]/);
    // The classifier differs too, but not only.
    expect(await refusal(file('bare.pth'), { model: 'resnet8x4', classes: 100 })).not.toMatch(/classes, the data/);
  });

  // One of each family; the wide ones have tens of millions of values.
  test.each(['resnet8', 'wrn_16_1', 'vgg8', 'ResNet18', 'MobileNetV2', 'ShuffleV1', 'ShuffleV2', 'resnet18'])(
    'weights of %s for another number of classes, by their numbers',
    async (model) => {
      const path = file('classes.safetensors');
      using made = createEmptyModel(model, { classes: 7 });
      writeSafetensors(path, new Map([...toStored(made.stateDict())].reverse()));
      expect(await refusal(path, { model })).toMatch(/was trained for 7 classes, the data has 10/);
    },
  );

  test('a classifier on top of other features is not called another number of classes', async () => {
    const other = new Map(weights)
      .set('fc.weight', { dtype: 'float32' as const, shape: [7, 32], data: new Uint8Array(7 * 32 * 4) })
      .set('fc.bias', { dtype: 'float32' as const, shape: [7], data: new Uint8Array(7 * 4) });
    writeSafetensors(file('features.safetensors'), other);
    expect(await refusal(file('features.safetensors'), { model: 'resnet8' })).toMatch(/fc\.weight is \[7, 32\]/);
  });
});

test('loading and freeing leaves nothing behind', async () => {
  writePth(file('bare.pth'), weights);
  const before = memory();
  const { network } = await load(file('bare.pth'), { model: 'resnet8' });
  tidy(() => {
    network.forward(zeros([1, 3, 32, 32]));
  });
  network.dispose();
  expect(memory()).toEqual(before);
});
