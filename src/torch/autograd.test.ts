import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { gradcheck } from '../../test/torch.ts';
import {
  autocast,
  enableGrad,
  grad,
  isAutocast,
  isGradEnabled,
  memory,
  noGrad,
  ones,
  ops,
  type Tensor,
  tensor,
  tidy,
  zeros,
} from './index.ts';

const it = (name: string, body: () => void): void => test(name, () => tidy(body));
let before = memory().tensors;
beforeEach(() => {
  before = memory().tensors;
});
afterEach(() => {
  expect(memory().tensors).toBe(before);
  expect(isGradEnabled()).toBe(true);
  expect(isAutocast()).toBe(false);
});
const leaf = (values: number[]): Tensor => tensor(values, { requiresGrad: true, dtype: 'float64' });

describe('backward, by hand', () => {
  it('d/dx of sum(3 x^2 + x) is 6 x + 1', () => {
    const x = leaf([1, -2, 0.5]);
    x.square().mul(3).add(x).sum().backward();
    expect(x.grad?.toArray()).toEqual([7, -11, 4]);
  });
  it('a product of matrices: dL/dA = G B^T', () => {
    const a = tensor([[1, 2]], { requiresGrad: true });
    const b = tensor(
      [
        [3, 4],
        [5, 6],
      ],
      { requiresGrad: true },
    );
    a.matmul(b).backward(tensor([[1, 10]]));
    expect(a.grad?.toArray()).toEqual([[43, 65]]);
    expect(b.grad?.toArray()).toEqual([
      [1, 10],
      [2, 20],
    ]);
  });
  it('cross entropy: softmax minus one hot, over the batch', () => {
    const logits = tensor([[0, 0, Math.log(2)]], { requiresGrad: true, dtype: 'float64' });
    const loss = ops.crossEntropyLoss(logits, tensor([2n]));
    expect(loss.item()).toBeCloseTo(Math.log(2), 12);
    loss.backward();
    expect(logits.grad).toBeAllclose([[0.25, 0.25, -0.5]], { rtol: 1e-12 });
  });
  it('gradients accumulate until they are cleared', () => {
    const x = leaf([1, 2]);
    x.sum().backward();
    x.mul(2).sum().backward();
    expect(x.grad?.toArray()).toEqual([3, 3]);
    const clear = (t: Tensor): void => {
      t.grad = null;
    };
    clear(x);
    expect(x.grad).toBeNull();
    x.sum().backward();
    expect(x.grad?.toArray()).toEqual([1, 1]);
  });
  it('broadcast dimensions are summed over', () => {
    const bias = leaf([0, 0]);
    ones([3, 2], { dtype: 'float64' }).add(bias).sum().backward();
    expect(bias.grad?.toArray()).toEqual([3, 3]);
  });
  it('a gradient can be set, if it fits', () => {
    const x = leaf([1, 2]);
    x.grad = tensor([5, 6], { dtype: 'float64' });
    x.sum().backward();
    expect(x.grad?.toArray()).toEqual([6, 7]);
    expect(() => {
      x.grad = zeros([3], { dtype: 'float64' });
    }).toThrow('a gradient [3] float64 does not fit a tensor [2] float64');
    expect(() => {
      x.grad = zeros([2]);
    }).toThrow('a gradient [2] float32 does not fit a tensor [2] float64');
  });
  it('detach cuts the graph', () => {
    const x = leaf([3]);
    x.mul(x.detach()).sum().backward();
    expect(x.grad?.toArray()).toEqual([3]);
  });
  it('what requires grad, what is a leaf, what made it', () => {
    const x = leaf([1]);
    const y = x.mul(2);
    expect([x.requiresGrad, x.isLeaf, x.gradFn]).toEqual([true, true, null]);
    expect([y.requiresGrad, y.isLeaf]).toEqual([true, false]);
    expect(y.gradFn).toMatch(/^MulBackward\d$/);
    expect([zeros([1]).requiresGrad, zeros([1]).isLeaf]).toEqual([false, true]);
    x.requiresGrad = false;
    expect(x.mul(2).requiresGrad).toBe(false);
    expect(() => y.requiresGrad_(false)).toThrow(/only a leaf.*detach\(\)/);
  });

  const wrong: [what: string, run: () => void, message: RegExp][] = [
    [
      'of several elements without a gradient',
      () => leaf([1, 2]).mul(2).backward(),
      /^backward\(\[2\] float64\): grad can be/,
    ],
    [
      'of what does not require grad',
      () => zeros([]).backward(),
      /^backward\(\[\] float32\): element 0.*does not require grad/,
    ],
    [
      'a second time',
      () => {
        const loss = leaf([1]).exp().sum();
        loss.backward();
        loss.backward();
      },
      /^backward\(\[\] float64\): Trying to backward through the graph a second time/,
    ],
    [
      'with a gradient of another shape',
      () =>
        leaf([1, 2])
          .mul(2)
          .backward(zeros([3], { dtype: 'float64' })),
      /^backward.*\[3\]/s,
    ],
    [
      'through a tensor changed in place since',
      () => {
        const x = leaf([1]);
        const y = x.exp();
        const loss = y.mul(y).sum();
        noGrad(() => y.mul_(2));
        loss.backward();
      },
      /modified by an inplace operation/,
    ],
    ['in place on a leaf', () => leaf([1]).add_(1), /aten::add_.Scalar\(.*leaf Variable that requires grad/],
  ];
  for (const [what, run, message] of wrong) {
    it(`${what}: an error without a C++ stack`, () => {
      expect(run).toThrow(message);
      expect(run).not.toThrow(/Exception raised from|frame #/);
    });
  }
  it('retainGraph allows a second pass', () => {
    const x = leaf([2]);
    const loss = x.pow(3).sum();
    loss.backward(undefined, { retainGraph: true });
    loss.backward();
    expect(x.grad?.toArray()).toEqual([24]);
  });
});

describe('grad()', () => {
  it('returns gradients and touches none', () => {
    const [x, y] = [leaf([2]), leaf([5])];
    const [gx, gy] = grad([x.mul(y).sum()], [x, y]);
    expect([gx?.item(), gy?.item(), x.grad, y.grad]).toEqual([5, 2, null, null]);
  });
  it('several outputs are summed, each with its own weight', () => {
    const x = leaf([1, 2]);
    const [g] = grad([x.mul(2), x.square().sum()], [x], { gradients: [tensor([1, 10], { dtype: 'float64' }), null] });
    expect(g?.toArray()).toEqual([4, 24]);
  });
  it('an unused input is an error, or null where allowed', () => {
    const [x, y] = [leaf([1]), leaf([1])];
    expect(() => grad([x.sum()], [x, y])).toThrow(
      // libtorch 1.13 says `One of`, 2.x `element 1of`.
      /^grad\(\[\] float64\): .*of the differentiated Tensors.*not have been used/,
    );
    const [gx, gy] = grad([x.sum()], [x, y], { allowUnused: true });
    expect([gx?.item(), gy]).toEqual([1, null]);
  });
  it('twice: the second derivative of x^3 is 6 x', () => {
    const x = leaf([2, -1]);
    const [first] = grad([x.pow(3).sum()], [x], { createGraph: true });
    expect(first?.toArray()).toEqual([12, 3]);
    const [second] = grad([first!.sum()], [x]);
    expect(second?.toArray()).toEqual([12, -6]);
  });
  it('thrice, by gradcheck of the second derivative', () => {
    gradcheck(
      (x) => {
        const input = x.requiresGrad ? x : x.detach().requiresGrad_();
        const [first] = enableGrad(() => grad([input.sigmoid().sum()], [input], { createGraph: true }));
        const [second] = enableGrad(() => grad([first!.sum()], [input], { createGraph: true }));
        return second!;
      },
      [tensor([0.3, -0.7, 1.2], { dtype: 'float64' })],
    );
  });
});

describe('gradcheck of compositions', () => {
  const x = (...shape: number[]): Tensor => {
    const count = shape.reduce((a, b) => a * b, 1);
    const values = Float64Array.from({ length: count }, (_, i) => Math.sin(3 * i + 1));
    return tensor(values, { shape });
  };
  it('a small network: convolution, batch norm, pooling, linear, cross entropy', () => {
    const labels = tensor([1n, 0n]);
    gradcheck(
      (image, kernel, gain, shift, weight) => {
        const features = ops.conv2d(image, kernel, null, 1, 1);
        const normal = ops.batchNorm(features, gain, shift, null, null, true, 0.1, 1e-5, false);
        const pooled = ops.adaptiveAvgPool2d(ops.tanh(normal), 1).flatten(1);
        return ops.crossEntropyLoss(ops.linear(pooled, weight), labels);
      },
      [x(2, 2, 3, 3), x(3, 2, 3, 3), x(3), x(3).add(0.5), x(2, 3)],
      { rtol: 1e-5, atol: 1e-8 },
    );
  });
  it('distillation: KL of softened logits', () => {
    const teacher = x(3, 5).mul(2);
    gradcheck(
      (student) => ops.klDiv(ops.logSoftmax(student.div(4), 1), ops.softmax(teacher.div(4), 1), 2).mul(16 / 3),
      [x(3, 5)],
    );
  });
});

describe('noGrad and enableGrad', () => {
  it('nest, and restore also when something throws', () => {
    const x = leaf([1]);
    const states = noGrad(() => [isGradEnabled(), enableGrad(() => isGradEnabled()), isGradEnabled()]);
    expect(states).toEqual([false, true, false]);
    expect(noGrad(() => x.mul(2)).requiresGrad).toBe(false);
    expect(noGrad(() => enableGrad(() => x.mul(2))).requiresGrad).toBe(true);
    expect(() =>
      noGrad(() => {
        enableGrad(() => {
          throw new Error('inner');
        });
      }),
    ).toThrow('inner');
    expect(isGradEnabled()).toBe(true);
  });
  it('updating a leaf in place', () => {
    const x = leaf([1]);
    noGrad(() => x.add_(1));
    expect([x.item(), x.requiresGrad, x.isLeaf]).toEqual([2, true, true]);
  });
});

describe('autocast', () => {
  const weight = (): Tensor => ones([4, 4], { requiresGrad: true });
  const image = (): Tensor => ones([1, 4, 4, 4]);

  it('products and convolutions in bfloat16, softmax and losses in float32', () => {
    autocast({}, () => {
      const product = image().matmul(weight());
      expect(product.dtype).toBe('bfloat16');
      expect(ops.conv2d(image(), ones([2, 4, 3, 3]), null, 1, 1).dtype).toBe('bfloat16');
      expect(product.add(1).dtype).toBe('bfloat16');
      expect(ones([2]).add(1).dtype).toBe('float32');
      expect(ops.mseLoss(product, product.detach()).dtype).toBe('float32');
    });
    expect(image().matmul(weight()).dtype).toBe('float32');
  });
  it('gradients of float32 weights are float32', () => {
    const w = weight();
    autocast({ dtype: 'bfloat16' }, () => image().matmul(w).sum()).backward();
    expect([w.grad?.dtype, w.grad?.toArray()]).toEqual(['float32', Array(4).fill(Array(4).fill(16))]);
  });
  it('nests: off inside on, restored on the way out and by exceptions', () => {
    const dtype = (): string => tidy(() => image().matmul(weight()).dtype);
    autocast({}, () => {
      expect([isAutocast(), dtype()]).toEqual([true, 'bfloat16']);
      autocast({ enabled: false }, () => {
        expect([isAutocast(), dtype()]).toEqual([false, 'float32']);
        autocast({}, () => expect(dtype()).toBe('bfloat16'));
        expect(dtype()).toBe('float32');
      });
      expect([isAutocast(), dtype()]).toEqual([true, 'bfloat16']);
      expect(() =>
        autocast({ enabled: false }, () => {
          throw new Error('inner');
        }),
      ).toThrow('inner');
      expect(dtype()).toBe('bfloat16');
    });
    expect([isAutocast(), dtype()]).toEqual([false, 'float32']);
  });
  it('a weight changed between two scopes is cast anew', () => {
    const w = weight();
    const product = (): number => autocast({}, () => tidy(() => image().matmul(w).sum().item()));
    expect(product()).toBe(256);
    noGrad(() => w.mul_(2));
    expect(product()).toBe(512);
  });
  it('another dtype or device is refused and changes nothing', () => {
    expect(() => autocast({ dtype: 'float64' }, () => 1)).toThrow(/autocast: dtype must be bfloat16 or float16/);
    expect(() => autocast({ device: 'gpu' }, () => 1)).toThrow(/gpu/);
    expect(() => autocast({ device: 'meta' }, () => 1)).toThrow(/autocast/);
    expect(image().matmul(weight()).dtype).toBe('float32');
  });
});
