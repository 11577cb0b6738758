import { describe, expect, test } from 'vitest';
import { fillerTensor, fillModule } from '../../test/filler.ts';
import { expectNoLeak } from '../../test/torch.ts';
import { UserError } from '../base/errors.ts';
import { AdaptiveAvgPool2d, BatchNorm2d, Conv2d, foldBatchNorm, Linear, Module, parameter, SGD } from '../nn/index.ts';
import { noGrad, ones, type Tensor, tidy } from '../torch/index.ts';
import { createEmptyModel, createModel, modelRow, TappedModel } from './index.ts';

/** A network as a user might write it: a parameter of its own, batch norm that can be folded, no features method. */
class Net extends Module {
  readonly scale = parameter(ones([1]));
  readonly conv = new Conv2d(3, 4, 3, { padding: 1, bias: false });
  readonly bn = new BatchNorm2d(4);
  readonly pool = new AdaptiveAvgPool2d(1);
  readonly head = new Linear(4, 5);
  override *batchNormPairs(): Generator<[Conv2d, BatchNorm2d]> {
    yield [this.conv, this.bn];
  }
  forward(input: Tensor): Tensor {
    const map = this.bn.forward(this.conv.forward(input)).relu_();
    return this.head.forward(this.pool.forward(map).flatten(1).mul(this.scale));
  }
}

const images = (): Tensor => fillerTensor('input', [2, 3, 8, 8]);
const make = (taps?: string[]): TappedModel =>
  new TappedModel(fillModule(new Net()), { classes: 5, ...(taps && { taps }) });

test('is the network itself to everything that saves, loads, counts or moves it', () => {
  using tapped = make(['conv']);
  const net = tapped.network;
  expect([...tapped.stateDict()]).toEqual([...net.stateDict()]);
  expect([...tapped.stateDict().keys()].slice(0, 3)).toEqual(['scale', 'conv.weight', 'bn.weight']);
  expect(tapped.namedParameters()).toEqual(net.namedParameters());
  expect(tapped.parameterCount()).toBe(net.parameterCount());
  tapped.eval();
  expect([net.training, tapped.training, (net as Net).bn.training]).toEqual([false, false, false]);
  tapped.to({ memoryFormat: 'channelsLast' });
  expect(tapped.stateDict().get('scale')).toBe((net as Net).scale);
  expect(String(tapped)).toBe(String(net));
});

test('no method of Module is forgotten: each is the network’s own', () => {
  const own = Object.getOwnPropertyNames(TappedModel.prototype);
  // These are written with the others, or belong to forward.
  const derived = ['constructor', 'forward'];
  expect(
    Object.getOwnPropertyNames(Module.prototype).filter((name) => !own.includes(name) && !derived.includes(name)),
  ).toEqual([]);
});

describe('taps', () => {
  test('by path, then the classifier’s input where the last is no vector', () => {
    using tapped = make(['conv', 'bn']);
    noGrad(() =>
      tidy(() => {
        const { logits, taps } = tapped.eval().features(images());
        expect(taps.map((tap) => tap.shape)).toEqual([
          [2, 4, 8, 8],
          [2, 4, 8, 8],
          [2, 4],
        ]);
        const net = tapped.network as Net;
        expect(logits).toBeAllclose(net.forward(images()), { rtol: 0, atol: 0 });
        expect(taps[2]!).toBeAllclose(taps[1]!.relu().mean([2, 3]).mul(net.scale), { rtol: 1e-6, atol: 1e-6 });
      }),
    );
  });

  test('a map of one pixel is a vector, and nothing is added', () => {
    using tapped = make(['bn', 'pool']);
    expect(modelRow('mine', tapped, 8).tapShapes).toEqual([[4, 8, 8], [4]]);
  });

  test('without any: the classifier’s input', () => {
    using tapped = make();
    expect(modelRow('mine', tapped, 8).tapShapes).toEqual([[4]]);
  });

  test('gradients flow through all of them', () => {
    using tapped = make(['conv']);
    tidy(() => {
      const { taps } = tapped.train().features(images());
      taps[0]!.square().sum().add(taps[1]!.square().sum()).backward();
      const grads = tapped.namedParameters();
      expect(grads.get('conv.weight')!.grad!.abs().sum().item()).toBeGreaterThan(0);
      expect(grads.get('scale')!.grad!.abs().item()).toBeGreaterThan(0);
      expect(grads.get('head.weight')!.grad).toBeNull();
    });
    tapped.zeroGrad();
  });

  test('of a teacher with folded batch norm are those of the network as it was trained', () => {
    for (const taps of [['conv', 'bn'], ['bn']]) {
      using plain = make(taps);
      using folded = make(taps);
      noGrad(() =>
        tidy(() => {
          const expected = plain.eval().features(images());
          const found = foldBatchNorm(folded.eval()).features(images());
          for (const [i, tap] of expected.taps.entries())
            expect(found.taps[i]!).toBeAllclose(tap, { rtol: 1e-5, atol: 1e-5 });
        }),
      );
      // What nobody looks at is folded all the same.
      expect((folded.network as Net).bn.folded).toBe(!taps.includes('conv'));
    }
  });

  test('of an architecture here are those it gives itself', () => {
    using own = fillModule(createEmptyModel('resnet8', { classes: 10 })).eval();
    using tapped = new TappedModel(fillModule(createEmptyModel('resnet8', { classes: 10 })).eval(), {
      classes: 10,
      taps: ['layer1', 'layer2', 'layer3', 'avgpool'],
    });
    noGrad(() =>
      tidy(() => {
        const x = fillerTensor('input', [2, 3, 32, 32]);
        const [a, b] = [own.features(x), tapped.features(x)];
        for (const i of [0, 1, 2, 3]) expect(b.taps[i]!).toBeAllclose(a.taps[i + 1]!, { rtol: 0, atol: 0 });
      }),
    );
  });

  test('a step of training moves the network and leaves nothing behind', () => {
    using tapped = make(['conv']);
    const optimizer = new SGD(tapped.namedParameters(), { lr: 0.1, momentum: 0, weightDecay: 0 });
    const before = tapped.stateDict().get('conv.weight')!.toFloat64Array();
    expectNoLeak(() =>
      tidy(() => {
        const { logits, taps } = tapped.train().features(images());
        logits.square().mean().add(taps[0]!.mean()).backward();
        optimizer.step();
        optimizer.zeroGrad();
      }),
    );
    expect(tapped.stateDict().get('conv.weight')!.toFloat64Array()).not.toEqual(before);
    optimizer.dispose();
  });
});

describe('refused', () => {
  test('an unknown path, naming the nearest', () => {
    using network = createModel('resnet8', { classes: 10 });
    expect(() => new TappedModel(network, { classes: 10, taps: ['layer1', 'layer3.0.bn3'] })).toThrow(
      /ResNet has no module 'layer3\.0\.bn3'; did you mean 'layer3\.0\.bn\d'/,
    );
  });

  test('taps before the ReLU', () => {
    using tapped = make(['conv']);
    expectNoLeak(() => tidy(() => expect(() => tapped.features(images(), { preact: true })).toThrow(UserError)));
    tidy(() =>
      expect(() => tapped.features(images(), { preact: true })).toThrow('Net has no taps before the last ReLU'),
    );
  });
});
