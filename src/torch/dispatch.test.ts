import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, expectTypeOf, test } from 'vitest';
import { dtypeCode, memory, ones, operator, ops, type Tensor, tensor, tidy, zeros } from './index.ts';
import { native } from './native.ts';

const it = (name: string, body: () => void): void => test(name, () => tidy(body));
let before = memory();
beforeEach(() => {
  before = memory();
});
afterEach(() => {
  expect(memory()).toEqual(before);
});

/** Operators as JavaScript sees them: without types. */
const loose = ops as unknown as Record<string, (...values: unknown[]) => unknown>;
const x = (): Tensor => zeros([2, 3]);

describe('wrong arguments are errors that name the operator, the argument and what was given', () => {
  const cases: [what: string, call: () => unknown, message: string | RegExp][] = [
    [
      'a number for a tensor',
      () => loose.relu!(5),
      "aten::relu: argument 'self' (Tensor): expected a tensor, got a number",
    ],
    [
      'a number that happens to be a handle',
      () => loose.relu!(x().handle),
      "aten::relu: argument 'self' (Tensor): expected a tensor, got a number",
    ],
    ['an array for a tensor', () => loose.relu!([1, 2]), /expected a tensor, got an array/],
    ['an object', () => loose.relu!({ handle: 16777216 }), /expected a tensor, got an object/],
    ['a string', () => loose.relu!('x'), /expected a tensor, got a string/],
    ['a symbol', () => loose.relu!(Symbol('x')), /expected a tensor, got a symbol/],
    ['a function', () => loose.relu!(() => 1), /expected a tensor, got a function/],
    ['a bigint', () => loose.relu!(5n), /expected a tensor, got a bigint/],
    ['null for a required tensor', () => loose.relu!(null), "aten::relu: argument 'self' (Tensor): must not be null"],
    ['nothing for a required tensor', () => loose.relu!(), "aten::relu: argument 'self' (Tensor): is missing"],
    ['nothing for the second', () => loose.mul!(x()), "aten::mul.Tensor: argument 'other' (Tensor): is missing"],
    ['too many arguments', () => loose.relu!(x(), 1), 'aten::relu takes at most 1 arguments, got 2'],
    [
      'a tensor for a number',
      () => loose.addScalar!(x(), x()),
      /aten::add.Scalar: argument 'other' \(Scalar\): expected a number, got a/,
    ],
    ['a string for a number', () => loose.addScalar!(x(), '1'), /'other' \(Scalar\): expected a number, got a string/],
    ['a fraction for an integer', () => loose.unsqueeze!(x(), 0.5), /'dim' \(int\): expected an integer, got 0.5/],
    ['NaN for an integer', () => loose.unsqueeze!(x(), Number.NaN), /'dim' \(int\): expected an integer, got nan/],
    ['infinity for an integer', () => loose.unsqueeze!(x(), Infinity), /'dim' \(int\): expected an integer, got inf/],
    ['an integer beyond 2^53', () => loose.unsqueeze!(x(), 2 ** 60), /'dim' \(int\): expected an integer/],
    ['a bigint beyond 64 bits', () => loose.unsqueeze!(x(), 2n ** 64n), /'dim' \(int\): bigint does not fit 64 bits/],
    ['a bigint for a float', () => loose.dropout!(x(), 1n, true), /'p' \(float\): expected a number, got a bigint/],
    ['a boolean for an integer', () => loose.unsqueeze!(x(), true), /'dim' \(int\): expected a number, got a boolean/],
    ['a number for a boolean', () => loose.var!(x(), 1), /'unbiased' \(bool\): expected a boolean, got a number/],
    ['a number for text', () => loose.einsum!(5, [x()]), /'equation' \(str\): expected a string, got a number/],
    [
      'a number for a list',
      () => loose.view!(x(), 6),
      /aten::view: argument 'size' \(.*\[\]\): expected an array, got a number/,
    ],
    ['an object for a list', () => loose.view!(x(), { length: 1 }), /expected an array, got an object/],
    ['nested lists', () => loose.view!(x(), [[6]]), /expected a number, got an array/],
    ['a list with a hole', () => loose.view!(x(), new Array(1)), /expected a number, got undefined/],
    ['a typed array for a list', () => loose.view!(x(), new Int32Array([6])), /expected an array, got an/],
    [
      'one tensor for a list',
      () => loose.cat!(x()),
      "aten::cat: argument 'tensors' (Tensor[]): expected an array of tensors, got one tensor",
    ],
    [
      'a list with a number in it',
      () => loose.cat!([x(), 3]),
      /'tensors' \(Tensor\[\]\): expected a tensor, got a number/,
    ],
    ['a list with null in it', () => loose.cat!([x(), null]), /aten::cat: argument 'tensors'/],
    [
      'a dtype code of none',
      () => loose.sum!(x(), 99),
      /aten::sum: argument 'dtype' .*: 99 is not the code of a dtype/,
    ],
    ['a negative dtype code', () => loose.zeros!([1], -1), /-1 is not the code of a dtype/],
    ['a dtype’s name', () => loose.sum!(x(), 'float64'), /'dtype' .*: expected a number, got a string/],
    ['a memory format of none', () => loose.clone!(x(), 7), /7 is not the code of a memory format/],
    ['a layout of none', () => loose.zeros!([1], 6, 40), /40 is not the code of a layout/],
    [
      'a device of no kind',
      () => loose.zeros!([1], 6, null, 'gpu'),
      /aten::zeros: argument 'device' \(Device\?\): .*gpu/,
    ],
    [
      'groups that divide by zero',
      () => loose.conv2d!(ones([1, 1, 2, 2]), ones([1, 1, 1, 1]), null, 1, 0, 1, 0),
      /'groups'.*at least 1/,
    ],
    [
      'groups that are zero in 32 bits',
      () => loose.conv2d!(ones([1, 1, 2, 2]), ones([1, 1, 1, 1]), null, 1, 0, 1, 2 ** 40),
      /'groups'.*2\^31/,
    ],
    [
      'a padding of another length',
      () => operator('aten::reflection_pad1d')(x(), []),
      /aten::reflection_pad1d: argument 'padding' .*: expected 2 numbers, got 0/,
    ],
    [
      'a factor whose square is zero in 64 bits',
      () => operator('aten::pixel_shuffle')(ones([1, 4, 2, 2]), 2 ** 40),
      /'upscale_factor'.*2\^31/,
    ],
    [
      'a scale beside a size',
      () => loose.upsampleBilinear2d!(ones([1, 1, 2, 2]), [4, 3], false, 1),
      /'scales_h' \(float\?\): must be null/,
    ],
  ];
  for (const [what, call, message] of cases) {
    it(what, () => {
      expect(call).toThrow(message);
      expect(call).toThrow(TypeError);
    });
  }
});

describe('what libtorch itself refuses comes as an Error with the operator, the shapes and no C++ stack', () => {
  const cases: [what: string, call: () => unknown, message: string | RegExp][] = [
    [
      'shapes that do not broadcast',
      () => ops.add(x(), zeros([4])),
      /^aten::add.Tensor\(self \[2, 3\] float32, other \[4\] float32\): The size of tensor a \(3\) must match/,
    ],
    [
      'a product of wrong shapes',
      () => ops.mm(x(), x()),
      /^aten::mm\(self \[2, 3\] float32, mat2 \[2, 3\] float32\): (mm: )?mat1 and mat2 shapes cannot be multiplied/,
    ],
    [
      'wrong dtypes',
      () => ops.mm(x(), zeros([3, 2], { dtype: 'float64' })),
      /^aten::mm\(.*mat2 \[3, 2\] float64\): expected .*(dtype|scalar type)/,
    ],
    [
      'an in-place result that does not fit',
      () => zeros([2], { dtype: 'int64' }).add_(0.5),
      /^aten::add_.Scalar\(self \[2\] int64, other 0.5.*can't be cast/,
    ],
    [
      'labels out of range',
      () => ops.crossEntropyLoss(x(), tensor([0n, 3n])),
      /^aten::cross_entropy_loss\(self \[2, 3\] float32, target \[2\] int64\): Target 3 is out of bounds/,
    ],
    [
      'labels of a wrong dtype',
      () => ops.nllLoss(x(), zeros([2])),
      /^aten::nll_loss_nd\(.*target \[2\] float32\): expected (scalar type|target dtype to be) Long/,
    ],
    [
      'a convolution of other channels',
      () => ops.conv2d(zeros([1, 3, 4, 4]), zeros([8, 2, 3, 3])),
      /^aten::conv2d\(input \[1, 3, 4, 4\] float32, weight \[8, 2, 3, 3\] float32\): .*expected input.*to have 2 channels/,
    ],
    [
      'a list',
      () => ops.stack([x(), zeros([2])]),
      /^aten::stack\(tensors \(\[2, 3\] float32, \[2\] float32\)\): stack expects each tensor to be equal size/,
    ],
    [
      'a long list is shortened',
      () => ops.cat([...Array.from({ length: 6 }, x), zeros([1])], 1),
      /\[2, 3\] float32, 3 more\), dim 1\)/,
    ],
    ['a backend that is not there', () => zeros([1], { device: 'cuda' }), /^aten::zeros\(.*device cuda\): .{0,200}$/s],
    ['memory that is not there', () => zeros([2 ** 45]), /^aten::zeros\(size \[35184372088832\].*(memory|alloc)/s],
  ];
  for (const [what, call, message] of cases) {
    it(what, () => {
      expect(call).toThrow(message);
      expect(call).not.toThrow(/Exception raised from|frame #|registered at/);
    });
  }
  it('arguments whose own conversion to text fails do not hide the error', () => {
    const nasty = Object.assign([2 ** 45], {
      toString: () => {
        throw new Error('from toString');
      },
    });
    expect(() => ops.zeros(nasty)).toThrow(/^aten::zeros\(size an array/);
  });
  it('an exception of a getter in a list passes through', () => {
    const list = Object.defineProperty([0], 0, {
      get() {
        throw new RangeError('from the getter');
      },
    });
    expect(() => ops.view(x(), list)).toThrow(RangeError);
  });
});

describe('defaults and spellings', () => {
  it('an argument left out, or undefined, takes the default', () => {
    expect(ops.add(ones([1]), ones([1])).item()).toBe(2);
    expect(loose.add!(ones([1]), ones([1]), undefined)).toBeAllclose([2]);
    expect(ops.varDim(tensor([1, 3]), null, undefined, true).toArray()).toEqual([2]);
  });
  it('one number stands for a list of fixed length', () => {
    const image = ones([1, 1, 4, 4]);
    expect(ops.avgPool2d(image, 2).shape).toEqual([1, 1, 2, 2]);
    expect(ops.avgPool2d(image, [2, 1], [1, 2]).shape).toEqual([1, 1, 3, 2]);
  });
  it('bigints are integers', () => {
    expect(loose.unsqueeze!(x(), 1n)).toHaveProperty('shape', [2, 1, 3]);
    expect(loose.fill_!(zeros([1], { dtype: 'int64' }), 2n ** 60n + 1n)).toBeAllclose(tensor([2n ** 60n + 1n]));
  });
  it('optional tensors in a list', () => {
    expect(ops.index(tensor([[1, 2]]), [null, tensor([1n])]).toArray()).toEqual([[2]]);
  });
});

describe('operator()', () => {
  it('by name', () => {
    const erf = operator('aten::erf');
    expect(erf.schema).toBe('aten::erf(Tensor self) -> Tensor');
    expect((erf(tensor([0, 1])) as Tensor).toArray()).toEqual([0, Math.fround(0.8427007929497149)]);
    expect(operator('erf')(tensor([0]))).toBeAllclose([0]);
  });
  it('by schema: typed, and compared', () => {
    const scatterAdd = operator('aten::scatter_add(Tensor self, int dim, Tensor index, Tensor src) -> Tensor');
    expectTypeOf(scatterAdd).parameters.toEqualTypeOf<[Tensor, number, Tensor, Tensor]>();
    expectTypeOf(scatterAdd).returns.toEqualTypeOf<Tensor>();
    expect(scatterAdd(zeros([2]), 0, tensor([1n, 1n]), ones([2])).toArray()).toEqual([0, 2]);
    expect(() => operator('aten::erf(Tensor self, int n) -> Tensor')).toThrow(
      /in libtorch .*, aten::erf is another: there is no argument 2 'n' in \(Tensor self\)/,
    );
  });
  it('several results, plain results, lists, none', () => {
    const [values, indices] = operator('aten::cummax')(tensor([1, 3, 2]), 0) as Tensor[];
    expect([values?.toArray(), indices?.toArray()]).toEqual([
      [1, 3, 3],
      [0n, 1n, 1n],
    ]);
    expect(operator('aten::size.int')(x(), 1)).toBe(3);
    expect(operator('aten::item')(tensor(2.5))).toBe(2.5);
    expect(operator('aten::broadcast_tensors')([ones([2, 1]), ones([3])])).toHaveLength(2);
    expect(operator('aten::is_nonzero')(tensor(1))).toBe(true);
    expect(operator('aten::_foreach_zero_', { unchecked: true })([ones([2])])).toBeUndefined();
  });
  it('out= hands back the very tensors given, whatever their position', () => {
    const out = zeros([0]);
    expect(operator('aten::add.out')(ones([2]), ones([2]), 1, out)).toBe(out);
    expect(out.toArray()).toEqual([2, 2]);
    const [values, indices] = [zeros([0]), zeros([0], { dtype: 'int64' })];
    const results = operator('aten::sort.values')(tensor([2, 1]), -1, false, values, indices) as Tensor[];
    expect(results[0]).toBe(values);
    expect(results[1]).toBe(indices);
    expect(indices.toArray()).toEqual([1n, 0n]);
  });
  it('unknown: says the nearest', () => {
    expect(() => operator('aten::rellu')).toThrow(
      /unknown operator 'aten::rellu' in libtorch .*; did you mean 'aten::relu'\?/,
    );
    expect(() => operator('aten::add.Tesnor')).toThrow(/did you mean 'aten::add.Tensor'/);
    expect(() => operator('qqqqqqqqqqqqqqqqqqqqqqq')).toThrow(/unknown operator 'q+' in libtorch [\d.]+$/);
    expect(() => operator('')).toThrow(/unknown operator ''/);
  });
  it('those that trust their arguments are refused until one says so', () => {
    for (const name of ['aten::embedding_bag', 'aten::_softmax', 'aten::tanh_backward', 'quantized::add']) {
      expect(() => operator(name), name).toThrow(/trusts its arguments.*unchecked: true/);
    }
    const softmax = operator('aten::_softmax', { unchecked: true });
    expect(softmax(tensor([0, 0]), 0, false)).toBeAllclose([0.5, 0.5]);
  });
  it('arguments and results that have no form in JavaScript', () => {
    const pack = operator('quantized::linear_prepack', { unchecked: true });
    expect(() => pack(x())).toThrow(
      /^quantized::linear_prepack cannot be called: it returns a .*, which JavaScript values have no form for/,
    );
    expect(() => operator('aten::record_stream')(x(), 1)).toThrow(/its argument 's' is a Stream/);
  });
});

describe('handles', () => {
  test('no number that was not given out reaches a tensor', () => {
    const live = tensor([1, 2, 3]);
    fc.assert(
      fc.property(fc.double(), (number) => {
        fc.pre(number !== live.handle);
        expect(() => native().tensorShape(number)).toThrow(TypeError);
        try {
          expect(native().release(number)).toBe(false);
        } catch (error) {
          expect(error).toBeInstanceOf(TypeError);
        }
      }),
      { numRuns: 300 },
    );
    for (const odd of [live.handle + 0.5, -live.handle, 0, -0, Number.NaN, Infinity, 2 ** 53, 2 ** 53 - 1]) {
      expect(() => native().tensorShape(odd), String(odd)).toThrow(TypeError);
    }
    expect(live.toArray()).toEqual([1, 2, 3]);
    live.dispose();
  });
  test('the addon checks what it is given, function by function', () => {
    const addon = native() as unknown as Record<string, (...values: unknown[]) => unknown>;
    const odd = [
      undefined,
      null,
      'x',
      {},
      [],
      [[1]],
      Symbol('s'),
      () => 1,
      10n,
      true,
      1.5,
      -1,
      Number.NaN,
      new Float32Array(2),
    ];
    const skip = new Set([
      'selfTest',
      'setThreads',
      'setDeterministic',
      'setGradEnabled',
      'autocastNest',
      'newGenerator',
      'manualSeed',
    ]);
    for (const [name, fn] of Object.entries(addon)) {
      if (skip.has(name)) continue;
      for (const first of odd) {
        for (const second of odd) {
          try {
            fn(first, second, first, second, first, second, first, second);
          } catch (error) {
            expect(error).toBeInstanceOf(Error);
            expect((error as Error).message).not.toMatch(/Exception raised from|frame #/);
          }
        }
      }
    }
    expect(dtypeCode('float32')).toBe(6);
  });
});
