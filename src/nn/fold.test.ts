import { describe, expect, test } from 'vitest';
import { fillerTensor, fillModule } from '../../test/filler.ts';
import { expectNoLeak } from '../../test/torch.ts';
import { UserError } from '../base/errors.ts';
import { noGrad, type Tensor, tidy } from '../torch/index.ts';
import { BatchNorm2d, Conv2d, foldBatchNorm, Identity, Module, ReLU, Sequential, SGD } from './index.ts';

const makeNet = (bias = true): Sequential =>
  fillModule(
    new Sequential(
      new Conv2d(3, 4, 3, { padding: 1, bias }),
      new BatchNorm2d(4, { eps: 1e-3 }),
      new ReLU({ inplace: true }),
      new Conv2d(4, 6, 3, { groups: 2, bias }),
      new BatchNorm2d(6),
    ),
  ).eval();
const input = (): Tensor => fillerTensor('x', [2, 3, 6, 6]);

test.each([true, false])('outputs stay, with a convolution bias: %s', (bias) =>
  tidy(() => {
    using net = makeNet(bias);
    const before = net.forward(input());
    expect(foldBatchNorm(net)).toBe(net);
    expect(net.forward(input())).toBeAllclose(before, { rtol: 1e-5, atol: 1e-6 });
    const [conv, norm] = net.modules as [Conv2d, BatchNorm2d];
    const passed = input();
    expect(norm.forward(passed)).toBe(passed);
    expect(conv.bias!.shape).toEqual([4]);
  }),
);

test('the weights are those of float64, rounded once', () =>
  tidy(() => {
    using net = makeNet();
    const [conv, norm] = net.modules as [Conv2d, BatchNorm2d];
    const [w, b] = [conv.weight.toFloat64Array(), conv.bias!.toFloat64Array()];
    const [gamma, beta, mean, variance] = [...norm.stateDict().values()].map((t) => t.toFloat64Array()) as [
      Float64Array,
      Float64Array,
      Float64Array,
      Float64Array,
    ];
    const scale = gamma.map((g, c) => g / Math.sqrt(variance[c]! + 1e-3));
    foldBatchNorm(net);
    const expected = w.map((x, i) => Math.fround(x * scale[Math.floor(i / 27)]!));
    expect(conv.weight.toFloat64Array()).toEqual(expected);
    const shift = b.map((x, c) => Math.fround((x - mean[c]!) * scale[c]! + beta[c]!));
    expect(conv.bias!.toFloat64Array()).toEqual(shift);
  }));

test('keeps the layout of the weights', () => {
  using net = makeNet().to({ memoryFormat: 'channelsLast' });
  foldBatchNorm(net);
  expect((net.modules[0] as Conv2d).weight.isContiguous('channelsLast')).toBe(true);
});

test('folding twice changes nothing more', () =>
  tidy(() => {
    using net = foldBatchNorm(makeNet());
    const before = net.forward(input());
    expect(foldBatchNorm(net).forward(input())).toBeAllclose(before, { rtol: 0, atol: 0 });
  }));

test('pairs only neighbours: a batch norm that follows anything else stays', () =>
  tidy(() => {
    using net = fillModule(
      new Sequential(new BatchNorm2d(3), new Conv2d(3, 3, 1), new Identity(), new BatchNorm2d(3)),
    ).eval();
    const before = net.forward(input());
    foldBatchNorm(net);
    expect(net.modules.map((module) => module.folded)).toEqual([false, false, false, false]);
    expect(net.forward(input())).toBeAllclose(before, { rtol: 0, atol: 0 });
    // Nothing was folded, so the state is still the architecture's.
    expect(net.stateDict().size).toBe(12);
  }));

describe('a folded network', () => {
  test('is frozen and gets no gradients', () => {
    using net = foldBatchNorm(makeNet());
    expect(net.parameters().some((p) => p.requiresGrad)).toBe(false);
    const before = net.parameters().map((p) => p.toFloat64Array());
    const optimizer = new SGD(net.namedParameters(), { lr: 1, weightDecay: 1 });
    optimizer.step();
    expect(net.parameters().map((p) => p.toFloat64Array())).toEqual(before);
    optimizer.dispose();
  });

  test('cannot be put into training mode', () => {
    using net = foldBatchNorm(makeNet());
    expect(() => net.train()).toThrow(UserError);
    expect(() => net.train()).toThrow(
      'this Sequential had its batch norm folded into its convolutions and cannot be trained',
    );
    expect([...net.namedModules()].some(([, module]) => module.training)).toBe(false);
    expect(() => net.eval()).not.toThrow();
  });

  test('cannot be saved or loaded as if it were the original', () => {
    using net = foldBatchNorm(makeNet());
    using original = makeNet();
    expect(() => net.stateDict()).toThrow(/folded into its convolutions and cannot be saved or loaded/);
    expect(() => net.loadStateDict(original.stateDict())).toThrow(/cannot be saved or loaded/);
    expect(() => net.compareStateDict(original.stateDict())).toThrow(/cannot be saved or loaded/);
  });

  test('can still be moved, and be freed', () => {
    expectNoLeak(() => {
      const net = foldBatchNorm(makeNet()).to({ memoryFormat: 'channelsLast' });
      noGrad(() => tidy(() => void net.forward(input())));
      net.dispose();
    });
  });
});

test('a network in training is refused, and named where only a part of it is', () => {
  using net = makeNet().train();
  expect(() => foldBatchNorm(net)).toThrow('foldBatchNorm: this Sequential is in training mode');
  net.eval();
  net.modules[4]!.training = true;
  expect(() => foldBatchNorm(net)).toThrow("is in training mode (its module '4')");
  expect(net.modules[1]!.folded).toBe(false);
});

test('a pair that does not fit is a mistake of the module that declares it', () => {
  class Wrong extends Module {
    readonly conv = new Conv2d(3, 4, 1);
    readonly norm = new BatchNorm2d(3);
    override *batchNormPairs(): Generator<[Conv2d, BatchNorm2d]> {
      yield [this.conv, this.norm];
    }
    forward(value: Tensor): Tensor {
      return value;
    }
  }
  using wrong = new Wrong().eval();
  expect(() => foldBatchNorm(wrong)).toThrow('pairs a convolution to 4 channels with a batch norm of 3');

  class Swapped extends Wrong {
    override *batchNormPairs(): Generator<never> {
      yield [this.norm, this.conv] as never;
    }
  }
  using swapped = new Swapped().eval();
  expect(() => foldBatchNorm(swapped)).toThrow('pairs a BatchNorm2d with a Conv2d, not a Conv2d with a BatchNorm2d');
});
