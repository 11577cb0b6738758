import { describe, expect, test } from 'vitest';
import { filler, fillerTensor, fillModule } from '../../test/filler.ts';
import { readNN } from '../../test/fixtures/nn/read.ts';
import { expectNoLeak } from '../../test/torch.ts';
import { noGrad, ones, tensor, tidy, zeros } from '../torch/index.ts';
import {
  AdaptiveAvgPool2d,
  AvgPool2d,
  BatchNorm2d,
  Conv2d,
  ConvTranspose2d,
  Flatten,
  Identity,
  LeakyReLU,
  Linear,
  MaxPool2d,
  type Module,
  ReLU,
  Sequential,
} from './index.ts';

const cases = readNN().layers;

const make: Record<string, () => Module> = {
  conv: () => new Conv2d(3, 4, 3, { padding: 1 }),
  'conv stride': () => new Conv2d(2, 3, 3, { stride: 2, padding: 1, bias: false }),
  'conv 1x1 groups': () => new Conv2d(6, 9, 1, { groups: 3 }),
  'conv depthwise': () => new Conv2d(4, 4, 3, { stride: 2, padding: 1, groups: 4, bias: false }),
  'conv transposed': () => new ConvTranspose2d(3, 2, 4, { stride: 2, padding: 1 }),
  linear: () => new Linear(5, 3),
  'linear no bias': () => new Linear(4, 2, { bias: false }),
  'batch norm': () => new BatchNorm2d(3),
  'batch norm eval': () => new BatchNorm2d(3).eval(),
  'batch norm slow': () => new BatchNorm2d(2, { eps: 1e-3, momentum: 0.01 }),
  relu: () => new ReLU(),
  'leaky relu': () => new LeakyReLU(0.1),
  'max pool': () => new MaxPool2d(2),
  'max pool padded': () => new MaxPool2d(3, { stride: 2, padding: 1 }),
  'average pool': () => new AvgPool2d(2),
  'average pool padded': () => new AvgPool2d(3, { stride: 2, padding: 1 }),
  'adaptive pool': () => new AdaptiveAvgPool2d(2),
  flatten: () => new Flatten(),
  identity: () => new Identity(),
};

test('every case of the fixture is made here', () => {
  expect(Object.keys(make)).toEqual(Object.keys(cases));
});

describe.each(Object.keys(make))('%s', (name) => {
  const expected = cases[name]!;
  const close = { rtol: 1e-5, atol: 1e-5 };

  test.each(['contiguous', 'channelsLast'] as const)('output and gradients are PyTorch’s, input %s', (memoryFormat) => {
    const layer = fillModule(make[name]!(), `${name}.`);
    tidy(() => {
      const format = expected.input.length === 4 ? { memoryFormat } : {};
      const input = fillerTensor(`${name}.input`, expected.input).to(format).requiresGrad_();
      const output = layer.forward(input);
      output
        .mul(fillerTensor(`${name}.weights`, expected.output.shape))
        .sum()
        .backward();
      expect(output.shape).toEqual(expected.output.shape);
      expect(output.toFloat64Array()).toBeAllclose(expected.output.values, close);
      expect(input.grad!.toFloat64Array()).toBeAllclose(expected.input_gradient, close);
      const parameters = layer.namedParameters();
      expect([...parameters.keys()]).toEqual(Object.keys(expected.gradients));
      for (const [key, parameter] of parameters) {
        expect(parameter.grad!.toFloat64Array()).toBeAllclose(expected.gradients[key]!, close);
      }
      for (const [key, buffer] of layer.namedBuffers()) {
        expect(buffer.toFloat64Array()).toBeAllclose(expected.buffers[key]!, close);
      }
    });
    layer.dispose();
  });

  test('prints as in PyTorch', () => {
    const layer = make[name]!();
    expect(String(layer)).toBe(expected.repr);
    layer.dispose();
  });

  test('leaves no tensors behind', () => {
    const layer = make[name]!();
    expectNoLeak(() =>
      tidy(() => {
        const input = fillerTensor('leak', expected.input).requiresGrad_();
        layer.forward(input).sum().backward();
        layer.zeroGrad();
      }),
    );
    layer.dispose();
  });
});

describe('Sequential', () => {
  test('is its modules one after the other, whatever they free, reuse or overwrite', () => {
    const net = new Sequential(
      new Identity(),
      new Conv2d(3, 4, 3, { padding: 1 }),
      new ReLU({ inplace: true }),
      new Identity(),
      new MaxPool2d(2),
      new Flatten(),
      new Linear(16, 2),
    );
    fillModule(net);
    tidy(() => {
      const input = fillerTensor('x', [2, 3, 4, 4]);
      const before = input.toFloat64Array();
      const [, conv, , , pool, flat, linear] = net.modules as [Module, Module, Module, Module, Module, Module, Module];
      const byHand = linear.forward(flat.forward(pool.forward(conv.forward(input).relu())));
      expect(net.forward(input)).toBeAllclose(byHand, { rtol: 0, atol: 0 });
      expect(input.toFloat64Array()).toEqual(before);
    });
    net.dispose();
  });

  test('hands its input back when it is empty', () => {
    const input = zeros([1]);
    expect(new Sequential().forward(input)).toBe(input);
    expect(new Sequential(new Identity()).forward(input)).toBe(input);
    input.dispose();
  });

  test('frees intermediates as it goes, in evaluation at least', () => {
    const net = new Sequential(...Array.from({ length: 6 }, () => new Conv2d(2, 2, 1))).eval();
    expectNoLeak(() => noGrad(() => tidy(() => void net.forward(ones([1, 2, 8, 8])))));
    net.dispose();
  });
});

describe('wrong input', () => {
  test('a convolution names the shapes', () => {
    using conv = new Conv2d(3, 4, 3);
    expect(() => tidy(() => conv.forward(zeros([1, 2, 5, 5])))).toThrow(/\[4, 3, 3, 3\].*\[1, 2, 5, 5\]/s);
  });

  test('a linear layer names the shapes', () => {
    using linear = new Linear(3, 2);
    expect(() => tidy(() => linear.forward(zeros([4, 5])))).toThrow(/4x5.*3x2/s);
  });

  test('integers are not multiplied by floats unasked', () => {
    using linear = new Linear(3, 2);
    expect(() => tidy(() => linear.forward(zeros([4, 3], { dtype: 'int64' })))).toThrow(/dtype|Float|Long/);
  });

  test('groups must divide the channels', () => {
    expect(() => new Conv2d(4, 6, 1, { groups: 3 })).toThrow('3 groups do not divide 4 input and 6 output channels');
  });
});

test('weights follow their layer into channels_last, and the output with them', () => {
  using conv = fillModule(new Conv2d(3, 4, 3, { padding: 1 }));
  tidy(() => {
    const input = tensor(filler('x', [2, 3, 4, 4]), { shape: [2, 3, 4, 4] });
    const before = conv.forward(input);
    conv.to({ memoryFormat: 'channelsLast' });
    expect(conv.weight.isContiguous('channelsLast')).toBe(true);
    const after = conv.forward(input.to({ memoryFormat: 'channelsLast' }));
    expect(after.isContiguous('channelsLast')).toBe(true);
    expect(after).toBeAllclose(before, { rtol: 1e-5, atol: 1e-6 });
  });
});
