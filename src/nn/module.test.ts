import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { fillerTensor, fillModule } from '../../test/filler.ts';
import { readNN } from '../../test/fixtures/nn/read.ts';
import { expectNoLeak } from '../../test/torch.ts';
import { UserError } from '../base/errors.ts';
import { memory, noGrad, ones, type Tensor, tensor, tidy, zeros } from '../torch/index.ts';
import {
  AdaptiveAvgPool2d,
  AvgPool2d,
  BatchNorm2d,
  Conv2d,
  ConvTranspose2d,
  describeReport,
  Flatten,
  Identity,
  LeakyReLU,
  Linear,
  MaxPool2d,
  Module,
  parameter,
  ReLU,
  Sequential,
} from './index.ts';

const expected = readNN();

class Block extends Module {
  readonly conv: Conv2d;
  readonly bn: BatchNorm2d;
  readonly relu = new ReLU({ inplace: true });
  constructor(channels: number) {
    super();
    this.conv = new Conv2d(channels, channels, 3, { padding: 1, groups: 2, bias: false });
    this.bn = new BatchNorm2d(channels, { eps: 1e-3, momentum: 0.01 });
  }
  forward(input: Tensor): Tensor {
    return this.relu.forward(this.bn.forward(this.conv.forward(input)));
  }
}

/** The network of the fixture. Fields are in the order in which PyTorch has them. */
class Net extends Module {
  readonly stem = new Sequential(new Conv2d(3, 8, 7, { stride: 2, padding: 3 }), new BatchNorm2d(8), new ReLU());
  readonly blocks = [new Block(8), new Sequential(new Block(8), new Identity())];
  readonly pool = new MaxPool2d(3, { stride: 2, padding: 1 });
  readonly up = new ConvTranspose2d(8, 4, 4, { stride: 2, padding: 1, bias: false });
  readonly act = new LeakyReLU(0.1);
  readonly average = new AvgPool2d(2);
  readonly adaptive = new AdaptiveAvgPool2d(1);
  readonly flatten = new Flatten();
  readonly empty = new Sequential();
  readonly fc = new Linear(4, 10, { bias: false });

  forward(input: Tensor): Tensor {
    return tidy(() => {
      let value = this.stem.forward(input);
      for (const block of this.blocks) value = block.forward(value);
      value = this.act.forward(this.up.forward(this.pool.forward(value)));
      return this.fc.forward(this.flatten.forward(this.adaptive.forward(this.average.forward(value))));
    });
  }
}

test('prints as PyTorch prints the same network', () => {
  using net = new Net();
  expect(String(net)).toBe(expected.print);
  expect(inspect(net)).toBe(expected.print);
});

describe('the state dict', () => {
  test('has PyTorch’s names and shapes in PyTorch’s order', () => {
    using net = new Net();
    expect([...net.stateDict()].map(([name, value]) => [name, value.shape])).toEqual(expected.state_dict);
  });

  test('splits into parameters and buffers', () => {
    using net = new Net();
    const buffers = [...net.namedBuffers().keys()];
    expect(buffers.every((name) => /running_mean|running_var|num_batches_tracked/.test(name))).toBe(true);
    expect(buffers).toHaveLength(9);
    expect(net.namedParameters().size + buffers.length).toBe(expected.state_dict.length);
    expect(net.parameters().every((p) => p.requiresGrad && p.isLeaf)).toBe(true);
    expect([...net.namedBuffers().values()].some((b) => b.requiresGrad)).toBe(false);
    const sizes = expected.state_dict.filter(([name]) => !/running|num_batches/.test(name));
    expect(net.parameterCount()).toBe(
      sizes.reduce((sum, [, shape]) => sum + shape.reduce((product, n) => product * n, 1), 0),
    );
  });

  test('holds the tensors themselves', () => {
    using net = new Net();
    expect(net.stateDict().get('fc.weight')).toBe(net.fc.weight);
    expect(net.stateDict().get('blocks.1.0.bn.running_var')).toBe(
      (net.getSubmodule('blocks.1.0') as Block).bn.running_var,
    );
  });
});

describe('loading a state dict', () => {
  /** A copy of a state dict, as from a file; `change` may edit it. */
  const copy = (net: Module, change: (state: Map<string, Tensor>) => void = () => {}): Map<string, Tensor> => {
    const state = new Map([...net.stateDict()].map(([name, value]) => [name, noGrad(() => value.clone())]));
    change(state);
    return state;
  };

  test('copies every value, so that outputs are equal', () =>
    tidy(() => {
      using source = fillModule(new Net()).eval();
      using target = new Net().eval();
      const report = target.loadStateDict(copy(source));
      expect(report).toEqual({ missing: [], unexpected: [], mismatched: [] });
      const input = fillerTensor('x', [2, 3, 16, 16]);
      expect(target.forward(input)).toBeAllclose(source.forward(input), { rtol: 0, atol: 0 });
      expect(target.fc.weight.sharesStorage(source.fc.weight)).toBe(false);
      expect(target.fc.weight.requiresGrad).toBe(true);
    }));

  test('lists everything that does not fit, and loads nothing', () =>
    tidy(() => {
      using net = fillModule(new Net());
      const before = net.fc.weight.toFloat64Array();
      const state = copy(net, (s) => {
        s.delete('blocks.0.conv.weight');
        s.set('head.weight', zeros([2]));
        s.set('fc.weight', zeros([7, 4]));
        s.set('stem.0.bias', ones([8]));
      });
      expect(net.compareStateDict(state)).toEqual({
        missing: ['blocks.0.conv.weight'],
        unexpected: ['head.weight'],
        mismatched: [{ name: 'fc.weight', expected: [10, 4], found: [7, 4] }],
      });
      const bias = net.stateDict().get('stem.0.bias')!.toFloat64Array();
      const load = (): unknown => net.loadStateDict(state, { from: 'teacher.pth' });
      expect(load).toThrow(UserError);
      expect(load).toThrow(
        [
          'the weights in teacher.pth do not fit this Net:',
          '  missing from the file (1): blocks.0.conv.weight',
          '  in the file but not in the model (1): head.weight',
          '  of another shape (1): fc.weight is [7, 4], the model has [10, 4]',
        ].join('\n'),
      );
      expect(net.fc.weight.toFloat64Array()).toEqual(before);
      expect(net.stateDict().get('stem.0.bias')!.toFloat64Array()).toEqual(bias);
    }));

  test('without strict, loads what fits and reports the rest', () =>
    tidy(() => {
      using net = fillModule(new Net());
      const before = net.fc.weight.toFloat64Array();
      const state = copy(net, (s) => {
        s.set('fc.weight', zeros([7, 4]));
        s.set('stem.0.bias', ones([8]));
      });
      const report = net.loadStateDict(state, { strict: false });
      expect(report.mismatched.map((m) => m.name)).toEqual(['fc.weight']);
      expect(net.fc.weight.toFloat64Array()).toEqual(before);
      expect([...net.stateDict().get('stem.0.bias')!.toFloat64Array()]).toEqual(Array(8).fill(1));
    }));

  test('converts dtypes to the model’s', () =>
    tidy(() => {
      using net = fillModule(new Linear(3, 2));
      net.loadStateDict(
        new Map([
          [
            'weight',
            tensor(
              [
                [1, 2, 3],
                [4, 5.5, -6],
              ],
              { dtype: 'float64' },
            ),
          ],
          ['bias', tensor([0.5, -1.5], { dtype: 'bfloat16' })],
        ]),
      );
      expect(net.weight.dtype).toBe('float32');
      expect(net.weight.toArray()).toEqual([
        [1, 2, 3],
        [4, 5.5, -6],
      ]);
      expect(net.bias!.toArray()).toEqual([0.5, -1.5]);
    }));

  test('does without the batch counters that old files lack', () =>
    tidy(() => {
      using net = new BatchNorm2d(2);
      const report = net.loadStateDict(copy(net, (s) => s.delete('num_batches_tracked')));
      expect(report.missing).toEqual([]);
    }));

  test('a long report is cut', () => {
    const missing = Array.from({ length: 20 }, (_, i) => `w${i}`);
    const text = describeReport({ missing, unexpected: [], mismatched: [] });
    expect(text).toBe('  missing from the file (20): w0, w1, w2, w3, w4, w5, w6, w7, …');
  });
});

describe('what is held twice', () => {
  class Tied extends Module {
    readonly first = new Linear(3, 3, { bias: false });
    readonly second = this.first;
    readonly third = new Linear(3, 3, { bias: false });
    constructor() {
      super();
      this.third.weight.dispose();
      this.third.weight = this.first.weight;
    }
    forward(input: Tensor): Tensor {
      return this.third.forward(this.second.forward(this.first.forward(input)));
    }
  }

  test('has every name in the state dict but is trained and counted once', () => {
    using net = new Tied();
    expect([...net.stateDict().keys()]).toEqual(['first.weight', 'second.weight', 'third.weight']);
    expect([...net.namedParameters().keys()]).toEqual(['first.weight']);
    expect(net.parameterCount()).toBe(9);
    expect([...net.namedModules()].map(([path]) => path)).toEqual(['', 'first', 'third']);
    expect(net.getSubmodule('second')).toBe(net.first);
  });

  test('stays shared when moved', () => {
    using net = new Tied().to({ device: 'cpu' });
    expect(net.third.weight).toBe(net.first.weight);
    expect(net.first.weight.isDisposed).toBe(false);
  });

  test('a module inside itself is an error, not an endless walk', () => {
    class Loop extends Module {
      self: Module | null = null;
      forward(input: Tensor): Tensor {
        return input;
      }
    }
    const loop = new Loop();
    loop.self = new Sequential(loop);
    expect(() => loop.stateDict()).toThrow("Loop at 'self.0' contains itself");
  });
});

describe('modes', () => {
  test('train and eval reach every module', () => {
    using net = new Net();
    const modes = (): boolean[] => [...net.namedModules()].map(([, module]) => module.training);
    expect(modes()).toSatisfy((m: boolean[]) => m.every(Boolean));
    net.eval();
    expect(modes()).toSatisfy((m: boolean[]) => m.every((training) => !training));
    net.train();
    expect(modes()).toSatisfy((m: boolean[]) => m.every(Boolean));
  });

  test('a frozen network gets no gradients but passes them on', () =>
    tidy(() => {
      using net = fillModule(new Net()).freeze();
      const input = fillerTensor('x', [2, 3, 16, 16]).requiresGrad_();
      net.forward(input).sum().backward();
      expect(net.parameters().every((p) => p.grad === null && !p.requiresGrad)).toBe(true);
      expect(input.grad!.abs().sum().item()).toBeGreaterThan(0);
    }));

  test('zeroGrad forgets gradients', () =>
    tidy(() => {
      using net = fillModule(new Net());
      net
        .forward(fillerTensor('x', [2, 3, 16, 16]))
        .sum()
        .backward();
      expect(net.parameters().every((p) => p.grad !== null)).toBe(true);
      net.zeroGrad();
      expect(net.parameters().every((p) => p.grad === null)).toBe(true);
    }));
});

describe('to', () => {
  test('changes the layout of four-dimensional tensors, no values, and keeps what is trained', () =>
    tidy(() => {
      using net = fillModule(new Net());
      net.getSubmodule('blocks.0').freeze();
      const before = new Map([...net.stateDict()].map(([name, value]) => [name, value.toFloat64Array()]));
      const trained = [...net.namedParameters()].filter(([, p]) => p.requiresGrad).map(([name]) => name);
      net.to({ memoryFormat: 'channelsLast' });
      expect(net.up.weight.isContiguous('channelsLast')).toBe(true);
      for (const [name, value] of net.stateDict()) expect(value.toFloat64Array()).toEqual(before.get(name));
      expect([...net.namedParameters()].filter(([, p]) => p.requiresGrad).map(([name]) => name)).toEqual(trained);
      expect(net.parameters().every((p) => p.isLeaf)).toBe(true);
    }));

  test('changes the dtype of what is floating point, and of nothing else', () =>
    tidy(() => {
      using net = fillModule(new Net());
      const before = new Map([...net.stateDict()].map(([name, value]) => [name, value.toFloat64Array()]));
      net.getSubmodule('blocks.0').freeze();
      const trained = [...net.namedParameters()].filter(([, p]) => p.requiresGrad).map(([name]) => name);
      net.to({ dtype: 'float64' });
      for (const [name, value] of net.stateDict()) {
        expect(value.dtype, name).toBe(name.endsWith('num_batches_tracked') ? 'int64' : 'float64');
        expect(value.toFloat64Array(), name).toEqual(before.get(name));
      }
      expect([...net.namedParameters()].filter(([, p]) => p.requiresGrad).map(([name]) => name)).toEqual(trained);
      expect(() => net.to({ dtype: 'int64' })).toThrow("a module's dtype must be floating point, not int64");
    }));

  test('frees what it replaces', () => {
    using net = new Net();
    expectNoLeak(() => net.to({ memoryFormat: 'channelsLast' }).to({ memoryFormat: 'contiguous' }));
    expectNoLeak(() => net.to({ dtype: 'float64' }).to({ dtype: 'float32' }));
  });
});

describe('finding and visiting modules', () => {
  test('getSubmodule finds by path, arrays included', () => {
    using net = new Net();
    expect(net.getSubmodule('')).toBe(net);
    expect(net.getSubmodule('blocks.1.0.bn')).toBeInstanceOf(BatchNorm2d);
    expect(net.getSubmodule('stem.2')).toBeInstanceOf(ReLU);
  });

  test('a wrong path is named with the nearest and with what is there', () => {
    using net = new Net();
    const find = (path: string) => (): unknown => net.getSubmodule(path);
    expect(find('blocks.1.0.bm')).toThrow("Net has no module 'blocks.1.0.bm'; did you mean 'blocks.1.0.bn'?");
    expect(find('stem.9')).toThrow(expect.objectContaining({ hint: 'stem holds 0, 1, 2' }));
    expect(find('nothing at all like it')).toThrow(/^Net has no module 'nothing at all like it'$/);
    expect(find('fc.weight')).toThrow(expect.objectContaining({ hint: 'fc holds no modules' }));
  });

  test('apply visits children before parents, as PyTorch does', () => {
    using net = new Sequential(new Sequential(new Identity(), new ReLU()), new Flatten());
    const order: string[] = [];
    expect(net.apply((module) => order.push(module.constructor.name))).toBe(net);
    expect(order).toEqual(['Identity', 'ReLU', 'Sequential', 'Flatten', 'Sequential']);
  });
});

describe('fields', () => {
  test('only parameters, buffers and modules are part of a module', () => {
    class Odd extends Module {
      readonly gain = parameter(ones([1]));
      readonly constant = ones([2]);
      readonly nothing = null;
      readonly names = ['a', 'b'];
      readonly mixed = [new Linear(1, 1), 3, null];
      forward(input: Tensor): Tensor {
        return input;
      }
    }
    using odd = new Odd();
    expect([...odd.stateDict().keys()]).toEqual(['gain', 'mixed.0.weight', 'mixed.0.bias']);
    expect(String(odd)).toContain('(mixed): ModuleList(\n    (0): Linear(');
    odd.constant.dispose();
  });

  test('a module’s own description comes before its children', () => {
    class Named extends Module {
      readonly inner = new Identity();
      forward(input: Tensor): Tensor {
        return input;
      }
      override extraRepr(): string {
        return 'depth=2';
      }
    }
    expect(String(new Named())).toBe('Named(\n  depth=2\n  (inner): Identity()\n)');
  });
});

test('dispose frees everything, and use after it says what happened', () => {
  const before = memory().tensors;
  const net = new Net();
  expect(memory().tensors).toBe(before + expected.state_dict.length);
  net.dispose();
  expect(memory().tensors).toBe(before);
  expect(() => tidy(() => net.forward(zeros([2, 3, 16, 16])))).toThrow(/disposed/);
});

test('a training pass leaves nothing behind', () => {
  using net = fillModule(new Net());
  expectNoLeak(() => {
    tidy(() =>
      net
        .forward(fillerTensor('x', [2, 3, 16, 16]))
        .sum()
        .backward(),
    );
    net.zeroGrad();
  });
});
