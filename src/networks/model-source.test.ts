import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { UserError } from '../base/errors.ts';
import { createModel, ImageModel } from '../models/index.ts';
import { memory, noGrad, setNumThreads, type Tensor, tidy, zeros } from '../torch/index.ts';
import { toStored } from '../train/weights.ts';
import { checkModel, findModel, isModelFile, modelFile, modelLabel } from './model-reference.ts';
import { modelSource, type NetworkOptions } from './model-source.ts';

let folder: string;
beforeAll(() => {
  setNumThreads(1);
  folder = mkdtempSync(join(tmpdir(), 'thrive-model-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const written = (text: string, name = 'net.ts'): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};
const options: NetworkOptions = { classes: 5, imageSize: 8 };

/** A class with one convolution; `{}` are replaced. */
const net = (forward = 'return this.fc.forward(this.conv.forward(x).mean([2, 3]));', fields = ''): string => `
import { Module, type Tensor } from 'thrive';
import { Conv2d, Linear } from 'thrive/nn';
class Net extends Module {
  readonly conv = new Conv2d(3, 4, 3);
  readonly fc: Linear;
  ${fields}
  constructor({ classes }: { classes: number }) {
    super();
    this.fc = new Linear(4, classes);
  }
  forward(x: Tensor): Tensor {
    ${forward}
  }
}
`;

const values = (network: ImageModel): Map<string, string> =>
  new Map(
    [...toStored(network.stateDict())].map(([name, { data }]) => [
      name,
      createHash('sha256').update(data).digest('hex').slice(0, 12),
    ]),
  );

describe('a file may export', () => {
  test.each([
    ['a class', 'export default Net;'],
    ['a function', 'export default (options: { classes: number }) => new Net(options);'],
    ['createModel', 'export const createModel = (options: { classes: number }) => new Net(options);'],
    ['model', 'export { Net as model };'],
    [
      'a function that uses the size',
      'export default ({ classes, imageSize }) => new Net({ classes: classes + imageSize - 8 });',
    ],
  ])('%s', async (_what, line) => {
    const { name, file, create } = await modelSource(written(net() + line));
    expect([name, file?.path]).toEqual(['net.ts', join(folder, 'net.ts')]);
    using network = create({ ...options, seed: 3 });
    expect(network).toBeInstanceOf(ImageModel);
    expect(network.classes).toBe(5);
    // Its own names, without a wrapper's before them.
    expect([...network.stateDict().keys()]).toEqual(['conv.weight', 'conv.bias', 'fc.weight', 'fc.bias']);
    tidy(() => expect(network.forward(zeros([2, 3, 8, 8])).shape).toEqual([2, 5]));
  });

  test('an ImageModel, whose taps are its own', async () => {
    const text = `
import { createEmptyModel } from 'thrive/models';
export default (options) => createEmptyModel('resnet8', options);`;
    const { create } = await modelSource(written(text));
    using network = create({ classes: 7, imageSize: 32, seed: 1 });
    using own = createModel('resnet8', { classes: 7, seed: 1 });
    expect(values(network)).toEqual(values(own));
    tidy(() => expect(noGrad(() => network.features(zeros([1, 3, 32, 32]))).taps).toHaveLength(5));
  });

  test('JavaScript', async () => {
    const text = net()
      .replaceAll(/: (Tensor|Linear|\{ classes: number \})/g, '')
      .replaceAll('readonly ', '')
      .replace('type ', '');
    const { create } = await modelSource(written(`${text.replace(/\n {2}fc;/, '')}export default Net;`, 'net.mjs'));
    create({ ...options, seed: 0 }).dispose();
  });
});

test('weights follow from the seed, layer by layer, as for the architectures here', async () => {
  const { create, createEmpty } = await modelSource(written(`${net()}export default Net;`));
  using a = create({ ...options, seed: 1 });
  using b = create({ ...options, seed: 1 });
  using c = create({ ...options, seed: 2 });
  using more = (
    await modelSource(written(`${net(undefined, 'readonly extra = new Conv2d(3, 1, 1);')}export default Net;`))
  ).create({
    ...options,
    seed: 1,
  });
  expect(values(a)).toEqual(values(b));
  expect(values(a).get('conv.weight')).not.toBe(values(c).get('conv.weight'));
  // What else a network holds makes no difference to a layer.
  expect(values(more).get('fc.weight')).toBe(values(a).get('fc.weight'));
  using empty = createEmpty(options);
  expect(empty.parameters().every((tensor: Tensor) => !tensor.ne(0).any().item())).toBe(true);
});

test('taps by path: of a file’s network and of an architecture', async () => {
  const { create } = await modelSource(written(`${net()}export default Net;`));
  using own = create({ ...options, seed: 1, taps: ['conv'] });
  tidy(() =>
    expect(own.features(zeros([2, 3, 8, 8])).taps.map((tap) => tap.shape)).toEqual([
      [2, 4, 6, 6],
      [2, 4],
    ]),
  );
  using known = (await modelSource('resnet8')).create({
    classes: 5,
    imageSize: 32,
    seed: 1,
    taps: ['layer1.0.bn2', 'layer3'],
  });
  known.eval();
  tidy(() =>
    expect(known.features(zeros([1, 3, 32, 32])).taps.map((tap) => tap.shape)).toEqual([
      [1, 16, 32, 32],
      [1, 64, 8, 8],
      [1, 64],
    ]),
  );
  using plain = createModel('resnet8', { classes: 5, seed: 1 });
  expect(values(known)).toEqual(values(plain));
});

test('a file that was edited is read anew', async () => {
  const make = async (text: string): Promise<number> => {
    using network = (await modelSource(written(text))).create({ ...options, seed: 1 });
    return network.parameterCount();
  };
  const first = await make(`${net()}export default Net;`);
  expect(await make(`${net().replace('(3, 4, 3)', '(3, 4, 5)')}export default Net;`)).toBeGreaterThan(first);
});

describe('refused, leaving nothing behind', () => {
  async function refusal(reference: string, more: Partial<NetworkOptions> = {}): Promise<string> {
    const before = memory().tensors;
    try {
      (await modelSource(reference)).create({ ...options, ...more, seed: 0 }).dispose();
    } catch (error) {
      expect(error).toBeInstanceOf(UserError);
      expect(memory().tensors).toBe(before);
      const { message, hint } = error as UserError;
      return `${message}\n${hint ?? ''}`;
    }
    throw new Error('it was accepted');
  }
  const refused = (text: string, more?: Partial<NetworkOptions>): Promise<string> => refusal(written(text), more);

  test.each<[string, string, RegExp]>([
    ['nothing', 'const x = 1;', /net\.ts exports no network: it exports nothing\nexport default a class/],
    [
      'other things',
      'export const net = 1;\nexport default { a: 1 };',
      /it exports default, an object of class Object, 'net'\n/,
    ],
    [
      'a class of another kind',
      'export default class Net { forward() {} }',
      /the class Net that it exports does not extend Module/,
    ],
    ['a network', `${net()}export default new Net({ classes: 5 });`, /exports a network that is made already/],
    ['a function of something else', 'export default () => 5;', /net\.ts made a number, not a network/],
    ['a promise', `${net()}export default async (o) => new Net(o);`, /made an object of class Promise, not a network/],
    [
      'a network without weights',
      `import { Identity } from 'thrive/nn';\nexport default () => new Identity();`,
      /has no weights\n.*#/,
    ],
  ])('a file that exports %s', async (what, text, message) => {
    // The network that is made already, or promised, belongs to the file: its tensors stay.
    const make = async () => (await modelSource(written(text))).create({ ...options, seed: 0 });
    if (what === 'a network' || what === 'a promise') await expect(make()).rejects.toThrow(message);
    else expect(await refused(text)).toMatch(message);
  });

  test.each<[string, string, RegExp]>([
    [
      'throws',
      "const n: number = 1;\n\nthrow new Error('no day');",
      /cannot read the network in .*net\.ts, line 3: no day/,
    ],
    ['does not parse', 'export default {\n', /net\.ts, line \d: ParseError: Unexpected token/],
    [
      'fails to make its network',
      "export default () => {\n  throw new TypeError('no width');\n};",
      /net\.ts failed to make a network, line 2: no width/,
    ],
    [
      'makes other classes',
      `${net()}export default () => new Net({ classes: 9 });`,
      /makes float32 \[2, 9\] of a batch \[2, 3, 8, 8\]; it must be float32 logits \[2, 5\]/,
    ],
    [
      'forgets to pool',
      `${net('return this.conv.forward(x);')}export default Net;`,
      /makes float32 \[2, 4, 6, 6\] of a batch/,
    ],
    ['returns nothing', `${net('return undefined as never;')}export default Net;`, /makes undefined of a batch/],
    [
      'does not fit its own layers',
      `${net('return this.fc.forward(x);')}export default Net;`,
      /the network of .*net\.ts fails on a batch \[2, 3, 8, 8\], line 13: /,
    ],
  ])('a file that %s', async (_what, text, message) => expect(await refused(text)).toMatch(message));

  test('an unknown tap, naming the nearest', async () => {
    expect(await refused(`${net()}export default Net;`, { taps: ['con'] })).toMatch(
      /Net has no module 'con'; did you mean 'conv'\?\nit holds conv, fc/,
    );
    expect(await refusal('resnet8', { imageSize: 32, taps: ['layer3.1.bn2'] })).toMatch(
      /no module 'layer3\.1\.bn2'; did you mean 'layer\d\.0\.bn2'/,
    );
  });

  test('a folder, and a file of weights', async () => {
    expect(await refusal(folder)).toMatch(
      / is a folder, not a file that exports a network\ngive the path of the file in it/,
    );
    for (const [name, hint] of [
      ['w.pth', /^thrive models lists the names; thrive import tells whose weights these are$/],
      ['w.onnx', /^thrive models lists the names$/],
    ] as const) {
      const [message, said] = (await refusal(written('x', name))).split('\n');
      expect(message).toMatch(/holds weights; a network is made by a name or by a file of code/);
      expect(said).toMatch(hint);
    }
  });

  test('a name that is neither', async () => {
    expect(await refusal('resnet21')).toMatch(/unknown model 'resnet21'; did you mean 'resnet20'/);
    expect(await refusal('./resnet20')).toMatch(
      /there is no file \.\/resnet20 .*\nan architecture here is named without a path: resnet20/,
    );
    written(net(), 'my-net.ts');
    expect(await refusal(join(folder, 'my-nets.ts'))).toMatch(/did you mean '.*my-net\.ts'/);
  });
});

describe('references', () => {
  test.each([
    ['resnet20', false, 'resnet20'],
    ['./net', true, 'net'],
    ['nets/a.mjs', true, 'a.mjs'],
    ['a.ts', true, 'a.ts'],
    ['C:\\nets\\a.cts', true, undefined],
  ])('%s', (reference, file, label) => {
    expect(isModelFile(reference)).toBe(file);
    if (label) expect(modelLabel(reference)).toBe(label);
  });

  test('a checkpoint’s file is found where it was, here or beside it; the one that did not change first', () => {
    const path = written(net(), 'here.ts');
    const file = modelFile(path)!;
    const info = {
      model: 'here.ts',
      modelFile: file,
      classes: 5,
      imageSize: 8,
      data: '',
      normalization: { mean: [0], std: [1] },
      classNames: [],
    };
    const checkpoint = join(folder, 'run.safetensors');
    expect(findModel(info, checkpoint)).toEqual({ reference: path, changed: false });
    const moved = { ...info, modelFile: { ...file, path: join(folder, 'gone', 'here.ts') } };
    expect(findModel(moved, checkpoint)).toEqual({ reference: path, changed: false });
    writeFileSync(path, `${net()}// edited`);
    expect(findModel(info, checkpoint)).toEqual({ reference: path, changed: true });
    rmSync(path);
    expect(() => findModel(info, checkpoint)).toThrow(
      /run\.safetensors is of a network made by here\.ts, which is not there any more/,
    );
    expect(findModel({ ...info, model: 'resnet8', modelFile: undefined }, checkpoint)).toEqual({
      reference: 'resnet8',
      changed: false,
    });
    expect(() => checkModel(path)).toThrow(UserError);
  });
});
