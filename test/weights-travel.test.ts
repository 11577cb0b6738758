/** @file Weights between PyTorch and here, for every family: files that PyTorch wrote, and what PyTorch reads of ours. */
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readWeights, type StoredTensors } from '../src/formats/index.ts';
import { createEmptyModel, modelNames } from '../src/models/index.ts';
import { exportCheckpoint } from '../src/networks/export-network.ts';
import { loadNetwork } from '../src/networks/load-network.ts';
import { recognizeModel } from '../src/networks/recognize.ts';
import { setNumThreads } from '../src/torch/index.ts';
import { saveNetwork } from '../src/train/checkpoint.ts';
import { toStored } from '../src/train/weights.ts';
import { fillModule } from './filler.ts';
import { pythonWithTorch, runPython } from './fixtures/formats/python.ts';
import { because, goldenPath } from './shared.ts';

/** One of each family, or two where names differ within it. */
const families = [
  'resnet8',
  'resnet8x4',
  'wrn_16_1',
  'wrn_16_2',
  'vgg8',
  'ResNet18',
  'MobileNetV2',
  'ShuffleV1',
  'ShuffleV2',
  'resnet18',
];

let folder: string;
beforeAll(() => {
  setNumThreads(1);
  folder = mkdtempSync(join(tmpdir(), 'thrive-travel-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Listing = [name: string, dtype: string, shape: number[], sha256: string][];

const listing = (tensors: StoredTensors): Listing =>
  [...tensors].map(([name, { dtype, shape, data }]) => [
    name,
    dtype,
    [...shape],
    createHash('sha256').update(data).digest('hex'),
  ]);

const info = (model: string) => ({
  model,
  classes: 10,
  imageSize: 32,
  data: 'cifar10',
  normalization: { mean: [0.5, 0.5, 0.5], std: [0.2, 0.2, 0.2] },
  classNames: [],
});

const noTorch = because(pythonWithTorch, 'a Python with PyTorch');

/** What `torch.load` finds in each file of argv[1], a JSON list: names, dtypes, shapes and values in order. */
const readInPython = `
import hashlib, inspect, json, sys, torch
safe = {'weights_only': True} if 'weights_only' in inspect.signature(torch.load).parameters else {}
found = {}
for path in json.loads(sys.argv[1]):
    state = torch.load(path, **safe)
    state = state.get('model', state)
    found[path] = [[name, str(t.dtype).split('.')[1], list(t.shape), hashlib.sha256(t.numpy().tobytes()).hexdigest()] for name, t in state.items()]
print(json.dumps(found))
`;

test.skipIf(!pythonWithTorch)(
  `what is exported here PyTorch loads, every family, without running any code${noTorch}`,
  { timeout: 120_000 },
  async () => {
    const expected: Record<string, Listing> = {};
    for (const name of families) {
      const checkpoint = join(folder, `${name}.safetensors`);
      const out = join(folder, `${name}.pth`);
      using model = fillModule(createEmptyModel(name, { classes: 10 }));
      saveNetwork(checkpoint, model, { network: info(name), metrics: {}, epoch: 1 });
      await exportCheckpoint(checkpoint, name === 'vgg8' ? { out, key: 'model' } : { out });
      expected[out] = listing(toStored(model.stateDict()));
    }
    const found = JSON.parse(runPython(readInPython, [JSON.stringify(Object.keys(expected))])) as Record<
      string,
      Listing
    >;
    expect(
      Object.values(expected)
        .flat()
        .filter(([, dtype]) => dtype === 'int64').length,
    ).toBeGreaterThan(100);
    for (const [path, tensors] of Object.entries(expected)) {
      expect(
        found[path]!.map(([name]) => name),
        path,
      ).toEqual(tensors.map(([name]) => name));
      expect(found[path], path).toEqual(tensors);
    }
  },
);

/** Writes state dicts of the names and shapes in argv[1] as training scripts do: prefix, key, form of file, other things beside. */
const writeInPython = `
import argparse, hashlib, json, sys, torch
torch.manual_seed(0)
with open(sys.argv[1]) as f: jobs = json.load(f)
found = {}
for job in jobs:
    state = {}
    for name, shape in job['state']:
        state[name] = torch.tensor(7) if name.endswith('num_batches_tracked') else torch.rand(shape)
    found[job['path']] = [[name, str(t.dtype).split('.')[1], list(t.shape), hashlib.sha256(t.numpy().tobytes()).hexdigest()] for name, t in state.items()]
    state = {job['prefix'] + name: t for name, t in state.items()}
    whole = {job['key']: state, 'epoch': 240, 'accuracy': torch.tensor(72.5), 'opt': argparse.Namespace(lr=0.05)} if job['key'] else state
    torch.save(whole, job['path'], _use_new_zipfile_serialization=job['zip'])
print(json.dumps(found))
`;

interface Job {
  path: string;
  model: string;
  state: [string, readonly number[]][];
  prefix: string;
  key: string | null;
  zip: boolean;
}

async function expectLoads({ path, model }: Job, expected: Listing): Promise<void> {
  const { tensors } = await readWeights(path);
  expect(recognizeModel(tensors, path, '--model'), path).toEqual({ model, classes: 10 });
  const loaded = await loadNetwork(path, { model, classes: 10, imageSize: 32, modelSetting: 'model' });
  using network = loaded.network;
  expect(listing(toStored(network.stateDict())), path).toEqual(expected);
}

describe('what PyTorch wrote', () => {
  const wrappers: [prefix: string, key: string | null][] = [
    ['', null],
    ['module.', null],
    ['', 'model'],
    ['module.', 'state_dict'],
    ['', 'net'],
    ['module.', 'model_state_dict'],
  ];

  test.skipIf(!pythonWithTorch)(
    `loads, every family, under every usual key, with and without module.${noTorch}`,
    { timeout: 120_000 },
    async () => {
      // The reference's own names where it has the network; else ours.
      const reference = JSON.parse(readFileSync(goldenPath('models.json'), 'utf8'));
      const jobs = families.map((model, i): Job => {
        using own = createEmptyModel(model, { classes: 10 });
        const shapes = new Map([...own.stateDict()].map(([name, tensor]) => [name, tensor.shape]));
        const names: string[] = reference[model]?.state_dict.map(([name]: [string]) => name) ?? [...shapes.keys()];
        const state = names.map((name): [string, readonly number[]] => [name, shapes.get(name) ?? []]);
        const [prefix, key] = wrappers[i % wrappers.length]!;
        return { path: join(folder, `${model}-written.pth`), model, state, prefix, key, zip: i % 3 !== 2 };
      });
      const { state, model } = jobs[0]!;
      // The smallest network under all of them.
      for (const [i, [prefix, key]] of wrappers.entries()) {
        for (const zip of [true, false])
          jobs.push({ path: join(folder, `wrapped-${i}-${zip}.pth`), model, state, prefix, key, zip });
      }
      const list = join(folder, 'jobs.json');
      writeFileSync(list, JSON.stringify(jobs));
      const found = JSON.parse(runPython(writeInPython, [list])) as Record<string, Listing>;
      for (const job of jobs) await expectLoads(job, found[job.path]!);
    },
  );

  const torchvision =
    pythonWithTorch &&
    runPython("import importlib.util; print(importlib.util.find_spec('torchvision') is not None)", []).trim() ===
      'True';
  test.skipIf(!torchvision)(
    `torchvision’s own resnet18 and 50 load as they are${because(torchvision, 'torchvision')}`,
    { timeout: 120_000 },
    async () => {
      const program = `
import hashlib, json, sys, torch, torchvision
found = {}
for name in ['resnet18', 'resnet50']:
    state = getattr(torchvision.models, name)(num_classes=10).state_dict()
    path = sys.argv[1] + '/tv-' + name + '.pth'
    torch.save(state, path)
    found[name] = [[n, str(t.dtype).split('.')[1], list(t.shape), hashlib.sha256(t.numpy().tobytes()).hexdigest()] for n, t in state.items()]
print(json.dumps(found))
`;
      const found = JSON.parse(runPython(program, [folder])) as Record<string, Listing>;
      for (const [model, tensors] of Object.entries(found)) {
        const job = { path: join(folder, `tv-${model}.pth`), model, state: [], prefix: '', key: null, zip: true };
        await expectLoads(job, tensors);
      }
    },
  );
});

test('no two architectures here have the same names and shapes', () => {
  const prints = modelNames.map((name) => {
    using model = createEmptyModel(name, { classes: 10 });
    return JSON.stringify([...model.stateDict()].map(([path, { shape }]) => [path, shape]));
  });
  expect(new Set(prints).size).toBe(modelNames.length);
});
