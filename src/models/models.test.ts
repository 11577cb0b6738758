import { describe, expect, test } from 'vitest';
import { fillerTensor, fillModule } from '../../test/filler.ts';
import { expectNoLeak } from '../../test/torch.ts';
import { UserError } from '../base/errors.ts';
import { BatchNorm2d, Conv2d, foldBatchNorm, Linear, observe } from '../nn/index.ts';
import { autocast, memory, noGrad, ops, type Tensor, tensor, tidy, zeros } from '../torch/index.ts';
import { stream } from '../torch/random.ts';
import { checkModelName, createEmptyModel, createModel, type ImageModel, modelNames } from './index.ts';

/** One of each family, a small one. ResNet18 is made of the blocks of resnet8. */
const families = ['resnet8', 'wrn_16_2', 'vgg8', 'MobileNetV2', 'ShuffleV1', 'ShuffleV2', 'resnet18'];
const images = (count = 2, size = 32): Tensor => fillerTensor('input', [count, 3, size, size]);
const make = (name: string, classes = 10): ImageModel => fillModule(createEmptyModel(name, { classes }));

describe('names', () => {
  test('a misspelt one is named with the nearest', () => {
    expect(() => createModel('resnet21', { classes: 10 })).toThrow(UserError);
    expect(() => createModel('resnet21', { classes: 10 })).toThrow(
      "unknown model 'resnet21'; did you mean 'resnet20'?",
    );
    expect(() => checkModelName('wrn_16_3')).toThrow(/did you mean 'wrn_16_[12]'/);
    expect(() => checkModelName('toString')).toThrow("unknown model 'toString'");
  });

  test('capital letters tell two families apart', () => {
    using small = createEmptyModel('ResNet18', { classes: 10 });
    using imagenet = createEmptyModel('resnet18', { classes: 10 });
    expect((small.getSubmodule('conv1') as Conv2d).kernelSize).toBe(3);
    expect((imagenet.getSubmodule('conv1') as Conv2d).kernelSize).toBe(7);
    expect(small.getSubmodule('layer2.0.shortcut.0')).toBeInstanceOf(Conv2d);
    expect(imagenet.getSubmodule('layer2.0.downsample.0')).toBeInstanceOf(Conv2d);
  });

  test.each([0, -3, 2.5, Number.NaN])('%d classes are refused', (classes) => {
    expect(() => createModel('resnet8', { classes })).toThrow(
      `the number of classes must be a positive integer, got ${classes}`,
    );
  });
});

describe('weights', () => {
  test('depend on the seed alone', () => {
    const draw = (seed?: number): Float64Array => {
      using model = createModel('resnet8', { classes: 10, ...(seed === undefined ? {} : { seed }) });
      return model.namedParameters().get('layer2.0.conv1.weight')!.toFloat64Array();
    };
    expect(draw(1)).toEqual(draw(1));
    expect(draw()).toEqual(draw(0));
    expect(draw(1)).not.toEqual(draw(2));
  });

  const deviation = (t: Tensor): number => tidy(() => t.std().item());
  /** Fan-out Kaiming, or libtorch's default: uniform in 1 / sqrt(fan in). */
  const kaiming = (conv: Conv2d): number => Math.sqrt(2 / (conv.kernelSize ** 2 * conv.outChannels));
  const usual = (layer: Conv2d | Linear): number => {
    const fanIn =
      layer instanceof Linear ? layer.inFeatures : (layer.inChannels / layer.groups) * layer.kernelSize ** 2;
    return Math.sqrt(1 / 3 / fanIn);
  };

  test.each([...families, 'resnet8x4', 'ResNet18', 'ResNet50'])('%s draws them as its authors do', (name) => {
    using model = createEmptyModel(name, { classes: 100 });
    const shuffle = name.startsWith('Shuffle');
    for (const [path, module] of model.namedModules()) {
      // The largest layers are like the others, and slow to draw.
      if ([...module.children()].length > 0 || module.parameterCount() > 300_000) continue;
      module.resetParameters(stream(3, 'weights').child(path));
      if (module instanceof BatchNorm2d) {
        const state = [...module.stateDict().values()].map((t) => [...new Set(t.toFloat64Array())]);
        expect(state, path).toEqual([[1], [0], [0], [1], [0]]);
        continue;
      }
      if (!(module instanceof Conv2d || module instanceof Linear)) continue;
      const expected =
        module instanceof Conv2d
          ? shuffle
            ? usual(module)
            : kaiming(module)
          : name === 'vgg8' || name === 'MobileNetV2'
            ? 0.01
            : usual(module);
      // The standard error of a sample's deviation is at most std / sqrt(2 n); six of them are allowed.
      const allowed = 6 / Math.sqrt(2 * module.weight.numel);
      expect(Math.abs(deviation(module.weight) / expected - 1), path).toBeLessThan(allowed);
      if (!module.bias) continue;
      const zero = module instanceof Conv2d || /vgg|MobileNet|wrn/.test(name);
      expect(deviation(module.bias) === 0, `${path}.bias`).toBe(zero);
    }
  });
});

describe.each(families)('%s', (name) => {
  test('any number of classes and images, sizes from 32 pixels on', () => {
    for (const [classes, count, size] of [
      [1, 2, 32],
      [200, 1, 64],
      [7, 1, 48],
      [3, 1, 100],
    ] as const) {
      using model = make(name, classes).eval();
      noGrad(() => tidy(() => expect(model.forward(images(count, size)).shape).toEqual([count, classes])));
    }
  });

  test('every parameter has a gradient that is finite, through every in-place step', () => {
    using model = make(name);
    tidy(() => {
      const input = images(4).requiresGrad_();
      ops.crossEntropyLoss(model.forward(input), tensor([1, 2, 3, 4], { dtype: 'int64' })).backward();
      for (const [key, parameter] of model.namedParameters()) {
        expect(parameter.grad?.isfinite().all().item(), key).toBe(1);
      }
      expect(input.grad!.abs().sum().item()).toBeGreaterThan(0);
    });
  });

  test('gradients flow from each tap alone, before activation too', () => {
    using model = make(name).eval();
    for (const preact of [false, true]) {
      const count = noGrad(() => tidy(() => model.features(images(1), { preact }).taps.length));
      for (let i = 0; i < count; i++) {
        tidy(() => model.features(images(1), { preact }).taps[i]!.sum().backward());
        const first = model.parameters()[0]!;
        expect(
          tidy(() => first.grad !== null),
          `tap ${i}`,
        ).toBe(true);
        model.zeroGrad();
      }
    }
  });

  test('taps before activation, rectified, are those after it', () => {
    using model = make(name).eval();
    if (/wrn|MobileNet/.test(name)) return; // A wide ResNet's taps are raw; MobileNetV2 has no activation at these places.
    noGrad(() =>
      tidy(() => {
        const after = model.features(images()).taps;
        const before = model.features(images(), { preact: true }).taps;
        for (const [i, tap] of after.entries()) {
          // ShuffleNetV2 shuffles channels after the activation: compare what a permutation keeps.
          const [a, b] = name === 'ShuffleV2' ? [tap.sum(), before[i]!.relu().sum()] : [tap, before[i]!.relu()];
          expect(b).toBeAllclose(a, { rtol: 1e-5, atol: 1e-6 });
          if (i > 0 && i < after.length - 1) expect(before[i]!.amin().item()).toBeLessThan(0);
        }
      }),
    );
  });

  test('the same in channels_last', () => {
    using model = make(name).eval();
    noGrad(() =>
      tidy(() => {
        const plain = model.features(images());
        model.to({ memoryFormat: 'channelsLast' });
        const last = model.features(images().to({ memoryFormat: 'channelsLast' }));
        const typical = plain.logits.abs().amax().item();
        expect(last.logits).toBeAllclose(plain.logits, { rtol: 1e-4, atol: 1e-5 * typical });
        for (const [i, tap] of last.taps.slice(0, -1).entries()) {
          expect(tap.isContiguous('channelsLast'), `tap ${i}`).toBe(true);
        }
      }),
    );
  });

  test('bfloat16 is near float32: a training pass, and predictions with batch norm folded away', () =>
    tidy(() => {
      using model = make(name).to({ memoryFormat: 'channelsLast' });
      const input = images(4).to({ memoryFormat: 'channelsLast' });
      const labels = tensor([1, 2, 3, 4], { dtype: 'int64' });
      model.eval();
      const exact = noGrad(() => model.forward(input));
      model.train();
      const logits = autocast({ dtype: 'bfloat16' }, () => model.forward(input));
      ops.crossEntropyLoss(logits.to('float32'), labels).backward();
      for (const [key, p] of model.namedParameters()) {
        expect(p.grad?.dtype, key).toBe('float32');
        expect(p.grad!.isfinite().all().item(), key).toBe(1);
      }
      const state = fillModule(model).eval();
      const folded = noGrad(() => autocast({ dtype: 'bfloat16' }, () => foldBatchNorm(state).forward(input)));
      // Eight bits of mantissa, through some ten layers.
      const typical = exact.norm().item();
      expect(folded.to('float32').sub(exact).norm().item()).toBeLessThan(0.03 * typical);
    }));

  test('the input is left as it was', () =>
    tidy(() => {
      using model = make(name);
      const input = images();
      const before = input.toFloat64Array();
      model.forward(input);
      noGrad(() => foldBatchNorm(model.eval()).forward(input));
      expect(input.toFloat64Array()).toEqual(before);
    }));

  test('frees as it goes, and leaves nothing behind', () => {
    using model = make(name);
    for (const training of [true, false]) {
      model.train(training);
      expectNoLeak(() => tidy(() => void model.forward(images())), 2);
      expectNoLeak(() => tidy(() => void model.features(images(), { preact: true })), 2);
    }
    // Between blocks only taps and the running value may live; a leaking block would add several tensors each.
    const blocks = [...model.namedModules()]
      .filter(([, m]) => m.constructor.name.endsWith('Block'))
      .map(([path]) => path);
    const base = memory().tensors;
    let most = 0;
    const look = (): void => {
      most = Math.max(most, memory().tensors - base);
    };
    noGrad(() => tidy(() => void observe(model, blocks, look, () => model.forward(images()))));
    expect(most).toBeLessThan(20);
  });
});

describe('batch norm folded into the convolutions', () => {
  const filled = (name: string): ImageModel => make(name).eval();
  test.each(modelNames)('%s: equal logits', (name) => {
    using model = filled(name);
    noGrad(() =>
      tidy(() => {
        const input = images(1);
        const before = model.forward(input);
        foldBatchNorm(model);
        const typical = before.abs().amax().item();
        expect(model.forward(input)).toBeAllclose(before, { rtol: 1e-5, atol: 1e-5 * typical });
        const norms = [...model.namedModules()].filter(([, m]) => m instanceof BatchNorm2d);
        const left = norms.filter(([, norm]) => !norm.folded).map(([path]) => path);
        // A wide ResNet's batch norms come before the convolutions, all but the second of each block.
        const expected = name.startsWith('wrn')
          ? norms.map(([path]) => path).filter((path) => !path.endsWith('bn2'))
          : [];
        expect(left).toEqual(expected);
      }),
    );
  });
});

describe('wrong images', () => {
  test.each<[string, () => Tensor, string]>([
    ['no batch', () => zeros([3, 32, 32]), 'a model takes images [N, 3, H, W], got [3, 32, 32]'],
    ['grey', () => zeros([1, 1, 32, 32]), 'a model takes images [N, 3, H, W], got [1, 1, 32, 32]'],
    [
      'bytes',
      () => zeros([1, 3, 32, 32], { dtype: 'uint8' }),
      'a model takes normalised floating point images, got uint8',
    ],
  ])('%s', (_, input, message) => {
    using model = make('resnet8');
    tidy(() => expect(() => model.forward(input())).toThrow(message));
  });
});
