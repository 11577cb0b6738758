import { describe, expect, test } from 'vitest';
import { type Tensor, tidy, zeros } from '../torch/index.ts';
import { stream } from '../torch/random.ts';
import {
  Conv2d,
  ConvTranspose2d,
  init,
  initialize,
  Linear,
  Module,
  Sequential,
  seedLayers,
  withoutDrawing,
} from './index.ts';

const at = (name: string) => stream(7, 'test').child(name);

/** Mean, standard deviation, least and greatest of a tensor's elements. */
function statistics(t: Tensor) {
  const values = t.toFloat64Array();
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const std = Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length);
  return { mean, std, min: Math.min(...values), max: Math.max(...values) };
}

describe('fans', () => {
  test.each([
    [[10, 4], 4, 10],
    [[8, 3, 3, 3], 27, 72],
    [[16, 1, 3, 3], 9, 144],
  ])('of %j', (shape, fanIn, fanOut) => {
    using t = zeros(shape);
    expect(init.fans(t)).toEqual({ fanIn, fanOut });
  });

  test('need two dimensions', () => {
    using t = zeros([4]);
    expect(() => init.fans(t)).toThrow('two dimensions');
  });
});

// 73 728 elements: the standard error of the mean is std / 271, of the standard deviation std / 384. Five of them are allowed.
const shape = [128, 64, 3, 3];
const [fanIn, fanOut] = [64 * 9, 128 * 9];
const normals: [string, (t: Tensor) => void, number][] = [
  ['kaimingNormal', (t) => init.kaimingNormal(t, at('a')), Math.sqrt(2 / fanIn)],
  ['kaimingNormal fan out', (t) => init.kaimingNormal(t, at('b'), { mode: 'fanOut' }), Math.sqrt(2 / fanOut)],
  ['fanOutNormal', (t) => init.fanOutNormal(t, null, at('c')), Math.sqrt(2 / (9 * 128))],
  ['smallNormal', (t) => init.smallNormal(t, null, at('d')), 0.01],
  [
    'kaimingNormal leaky',
    (t) => init.kaimingNormal(t, at('e'), { nonlinearity: 'leaky_relu', a: 1 }),
    Math.sqrt(1 / fanIn),
  ],
];
describe.each(normals)('%s', (_, fill, std) => {
  test('has mean 0 and the standard deviation of its formula, and is normal', () => {
    using t = zeros(shape);
    fill(t);
    const found = statistics(t);
    expect(Math.abs(found.mean)).toBeLessThan((5 * std) / 271);
    expect(Math.abs(found.std / std - 1)).toBeLessThan(5 / 384);
    const within = t.toFloat64Array().filter((x) => Math.abs(x) < std).length / t.numel;
    expect(within).toBeCloseTo(0.6827, 2);
    expect(found.max).toBeGreaterThan(3.5 * std);
  });
});

const uniforms: [string, (t: Tensor) => void, number][] = [
  ['kaimingUniform', (t) => init.kaimingUniform(t, at('a'), { nonlinearity: 'relu' }), Math.sqrt(6 / fanIn)],
  ['xavierUniform', (t) => init.xavierUniform(t, at('b')), Math.sqrt(6 / (fanIn + fanOut))],
  // torch.nn.Conv2d and Linear: Kaiming uniform with a = sqrt(5), which is 1 / sqrt(fan in).
  ['the default', (t) => init.defaultInit(t, null, at('c')), 1 / Math.sqrt(fanIn)],
  ['zeroBias', (t) => init.zeroBias(t, null, at('d')), 1 / Math.sqrt(fanIn)],
];
describe.each(uniforms)('%s', (_, fill, bound) => {
  test('is uniform between the bounds of its formula', () => {
    using t = zeros(shape);
    fill(t);
    const found = statistics(t);
    expect(found.max).toBeLessThanOrEqual(bound);
    expect(found.min).toBeGreaterThanOrEqual(-bound);
    expect(found.max).toBeGreaterThan(0.999 * bound);
    expect(Math.abs(found.mean)).toBeLessThan((5 * bound) / Math.sqrt(3) / 271);
    expect(Math.abs(found.std / (bound / Math.sqrt(3)) - 1)).toBeLessThan(5 / 384);
  });
});

describe('layers', () => {
  test('a new layer has PyTorch’s default weights and bias', () => {
    for (const layer of [new Linear(400, 300), new Conv2d(16, 80, 5), new ConvTranspose2d(80, 16, 5)]) {
      const bound = 1 / Math.sqrt(400);
      for (const t of [layer.weight, layer.bias!]) {
        const { min, max } = statistics(t);
        expect(max).toBeLessThanOrEqual(bound);
        expect(min).toBeGreaterThanOrEqual(-bound);
        expect(max - min).toBeGreaterThan(1.6 * bound);
      }
      layer.dispose();
    }
  });

  test('the biases of the named initialisations are zero', () => {
    for (const kind of [init.fanOutNormal, init.smallNormal, init.zeroBias]) {
      using layer = new Linear(8, 4, { init: kind });
      expect(layer.bias!.toArray()).toEqual([0, 0, 0, 0]);
      expect(statistics(layer.weight).std).toBeGreaterThan(0);
    }
  });

  test('seedLayers makes layers repeat themselves', () => {
    const draw = (): Float64Array[] =>
      [new Linear(3, 3), new Conv2d(2, 2, 3)].map((layer) => {
        const values = layer.weight.toFloat64Array();
        layer.dispose();
        return values;
      });
    seedLayers(5);
    const first = draw();
    const later = draw();
    seedLayers(5);
    expect(draw()).toEqual(first);
    seedLayers(6);
    expect(draw()).not.toEqual(first);
    expect(later).not.toEqual(first);
  });
});

describe('initialize', () => {
  class Net extends Module {
    readonly extra: Linear | null;
    readonly conv = new Conv2d(3, 4, 3);
    readonly body = new Sequential(new Linear(4, 4), new Linear(4, 4));
    constructor(extra = false) {
      super();
      this.extra = extra ? new Linear(2, 2) : null;
    }
    forward(input: Tensor): Tensor {
      return input;
    }
  }
  const values = (net: Module): Map<string, Float64Array> => {
    const all = new Map([...net.stateDict()].map(([name, t]) => [name, t.toFloat64Array()]));
    net.dispose();
    return all;
  };

  test('depends on the seed alone, not on what was made before', () => {
    const first = values(initialize(new Net(), 3));
    new Linear(9, 9).dispose();
    expect(values(initialize(new Net(), 3))).toEqual(first);
    expect(
      values(
        initialize(
          withoutDrawing(() => new Net()),
          3,
        ),
      ),
    ).toEqual(first);
    expect(values(initialize(new Net(), 4))).not.toEqual(first);
  });

  test('gives each layer its own draws by path, whatever else the network holds', () => {
    const plain = values(initialize(new Net(), 3));
    const more = values(initialize(new Net(true), 3));
    for (const [name, expected] of plain) expect(more.get(name)).toEqual(expected);
    expect(plain.get('body.0.weight')).not.toEqual(plain.get('body.1.weight'));
    expect(plain.get('body.0.weight')!.subarray(0, 4)).not.toEqual(plain.get('body.0.bias'));
  });

  test('values are pinned: a change of stream or order is a change of every published run', () => {
    const all = values(initialize(new Net(), 3));
    expect([...all.get('conv.weight')!.subarray(0, 3)].map((x) => x.toFixed(6))).toMatchInlineSnapshot(`
      [
        "-0.132105",
        "0.098873",
        "-0.167517",
      ]
    `);
    expect([...all.get('body.1.bias')!.subarray(0, 2)].map((x) => x.toFixed(6))).toMatchInlineSnapshot(`
      [
        "0.172338",
        "-0.378934",
      ]
    `);
  });

  test('withoutDrawing leaves weights at zero, also after an error, and only inside', () => {
    expect(() =>
      withoutDrawing(() => {
        throw new Error('no');
      }),
    ).toThrow('no');
    tidy(() => {
      using drawn = new Linear(2, 2);
      using blank = withoutDrawing(() => new Linear(2, 2));
      expect(blank.weight.toArray()).toEqual([
        [0, 0],
        [0, 0],
      ]);
      expect(drawn.weight.abs().sum().item()).toBeGreaterThan(0);
    });
  });
});
