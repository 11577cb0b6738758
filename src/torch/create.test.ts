import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  arange,
  cat,
  type DType,
  dtypeBytes,
  dtypes,
  empty,
  eye,
  full,
  memory,
  type Nested,
  ones,
  stack,
  type Tensor,
  tensor,
  tensorFromBytes,
  tidy,
  where,
  zeros,
} from './index.ts';

/** Runs a test's body in a scope, and checks that nothing stays. */
const it = (name: string, body: () => void): void => test(name, () => tidy(body));
let before = 0;
beforeEach(() => {
  before = memory().tensors;
});
afterEach(() => {
  expect(memory().tensors).toBe(before);
});

describe('tensor() from numbers and nested arrays', () => {
  it('numbers become float32, of the shape of the nesting', () => {
    const x = tensor([
      [1, 2.5, -3],
      [4, 5, 6],
    ]);
    expect([x.dtype, x.shape, x.device]).toEqual(['float32', [2, 3], 'cpu']);
    expect(x.toArray()).toEqual([
      [1, 2.5, -3],
      [4, 5, 6],
    ]);
  });
  it('a number has no dimensions', () => {
    expect(tensor(3).shape).toEqual([]);
    expect(tensor(3).item()).toBe(3);
  });
  it('booleans become bool and bigints int64; with numbers among them, float32', () => {
    expect(tensor([true, false]).dtype).toBe('bool');
    expect(tensor([1n, 2n]).dtype).toBe('int64');
    expect(tensor([true, 3n]).toArray()).toEqual([1n, 3n]);
    expect(tensor([true, 2, 0.5]).toArray()).toEqual([1, 2, 0.5]);
    expect(tensor([1n, 0.5]).toArray()).toEqual([1, 0.5]);
  });
  it('empty arrays keep their shape', () => {
    expect(tensor([]).shape).toEqual([0]);
    expect(tensor([[], []]).shape).toEqual([2, 0]);
    expect(tensor([]).dtype).toBe('float32');
  });
  it('a dtype may be given', () => {
    expect(tensor([1, 0, 3], { dtype: 'bool' }).toArray()).toEqual([true, false, true]);
    expect(tensor([1.9, -1.9], { dtype: 'int32' }).toArray()).toEqual([1, -1]);
    expect(tensor([1, 2], { dtype: 'int64' }).toArray()).toEqual([1n, 2n]);
  });
  it('int64 is exact to its ends, from bigints', () => {
    const values = [2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n), 0n, -1n];
    expect(tensor(values).toArray()).toEqual(values);
    expect(tensor(values).data()).toEqual(BigInt64Array.from(values));
  });
  it('a leaf that requires grad', () => {
    const x = tensor([1, 2], { requiresGrad: true, dtype: 'float64' });
    expect([x.requiresGrad, x.isLeaf, x.gradFn]).toEqual([true, true, null]);
  });

  const refused: [what: string, make: () => Tensor, message: RegExp][] = [
    ['ragged rows', () => tensor([[1, 2], [3]]), /expected 2 items at depth 1, got 1/],
    ['uneven depths', () => tensor([[1], 2] as Nested), /uneven depths/],
    ['uneven depths the other way', () => tensor([1, [2]] as Nested), /uneven depths|expected/],
    ['a string', () => tensor('12' as unknown as Nested), /not a string/],
    ['a string inside', () => tensor([1, '2'] as unknown as Nested), /not a string/],
    ['null', () => tensor([null] as unknown as Nested), /not null/],
    ['undefined', () => tensor(undefined as unknown as Nested), /not undefined/],
    ['a hole', () => tensor(Array.from<Nested>({ length: 2 })), /not undefined/],
    ['an object', () => tensor([{}] as unknown as Nested), /not an object/],
    ['a symbol', () => tensor([Symbol('x')] as unknown as Nested), /not a symbol/],
    ['a function', () => tensor((() => 1) as unknown as Nested), /not a function/],
    ['NaN as an integer', () => tensor([1, Number.NaN], { dtype: 'int64' }), /NaN does not fit int64/],
    ['infinity as an integer', () => tensor([Infinity], { dtype: 'uint8' }), /Infinity does not fit uint8/],
    ['256 as uint8', () => tensor([256], { dtype: 'uint8' }), /256 does not fit uint8/],
    ['-129 as int8', () => tensor([-129], { dtype: 'int8' }), /-129 does not fit int8/],
    ['2^63 as int64', () => tensor([2n ** 63n]), /9223372036854775808 does not fit int64/],
    ['a DataView', () => tensor(new DataView(new ArrayBuffer(8)) as unknown as Uint8Array), /not a DataView/],
    ['a Uint16Array', () => tensor(new Uint16Array(2) as unknown as Uint8Array), /Uint16Array.*no dtype/],
    [
      'an unknown dtype',
      () => tensor([1], { dtype: 'float23' as DType }),
      /unknown dtype 'float23'; did you mean 'float32'/,
    ],
    ['a name every object has', () => tensor([1], { dtype: 'toString' as DType }), /unknown dtype 'toString'/],
    ['too few elements for a shape', () => tensor([1, 2, 3], { shape: [2, 2] }), /\[2, 2\].*needs 4 elements.*has 3/],
    ['a negative size', () => tensor([1], { shape: [-1] }), /no negative sizes, got -1/],
    ['a fractional size', () => zeros([1.5]), /expected an integer, got 1.5/],
    ['a shape that is no array', () => zeros(3 as unknown as number[]), /aten::zeros.*'size'.*expected an array/],
    ['grad of integers', () => tensor([1], { dtype: 'int64', requiresGrad: true }), /only floating point.*\[1\] int64/],
    ['a device that is not there', () => tensor([1], { device: 'cuda:99' }), /cuda|CUDA/],
    ['a device of no kind', () => tensor([1], { device: 'gpu' }), /aten::to.device.*'device'.*gpu/],
  ];
  for (const [what, make, message] of refused) {
    it(`refuses ${what}`, () => {
      expect(make).toThrow(message);
      expect(make).not.toThrow(/Exception raised from|frame #/);
    });
  }
});

describe('tensor() from typed arrays', () => {
  const arrays: [array: Parameters<typeof tensor>[0] & ArrayBufferView, dtype: DType][] = [
    [new Uint8Array([0, 1, 255]), 'uint8'],
    [new Int8Array([-128, 0, 127]), 'int8'],
    [new Int16Array([-32768, 0, 32767]), 'int16'],
    [new Int32Array([-(2 ** 31), 0, 2 ** 31 - 1]), 'int32'],
    [new BigInt64Array([-(2n ** 63n), 0n, 2n ** 63n - 1n]), 'int64'],
    [new Float32Array([1.5, Number.NaN, -Infinity]), 'float32'],
    [new Float64Array([0.1, -0, 5e-324]), 'float64'],
  ];
  for (const [array, dtype] of arrays) {
    it(`${array.constructor.name} keeps its type and values`, () => {
      const x = tensor(array);
      expect([x.dtype, x.shape]).toEqual([dtype, [3]]);
      expect(x.data()).toEqual(array);
    });
  }
  it('a shape and a dtype may be given', () => {
    const x = tensor(new Int32Array([1, 2, 3, 4]), { shape: [2, 2], dtype: 'int64' });
    expect(x.toArray()).toEqual([
      [1n, 2n],
      [3n, 4n],
    ]);
  });
  it('the data is a copy, both ways', () => {
    const source = new Float32Array([1, 2]);
    const x = tensor(source);
    source[0] = 9;
    expect(x.toArray()).toEqual([1, 2]);
    x.data()[1] = 9;
    expect(x.toArray()).toEqual([1, 2]);
  });
  it('a view into a larger buffer starts where it starts', () => {
    const whole = new Float32Array([0, 1, 2, 3, 4]);
    expect(tensor(whole.subarray(1, 4)).toArray()).toEqual([1, 2, 3]);
    expect(tensor(Buffer.from([7, 8])).toArray()).toEqual([7, 8]);
    expect(tensor(new Uint8ClampedArray([300]) as unknown as Uint8Array).toArray()).toEqual([255]);
  });
  it('no elements', () => {
    expect(tensor(new Float32Array(0)).shape).toEqual([0]);
    expect(tensor(new Float32Array(0), { shape: [2, 0, 3] }).shape).toEqual([2, 0, 3]);
  });
  it('memory shared between threads', () => {
    const shared = new Float32Array(new SharedArrayBuffer(8));
    shared.set([1, 2]);
    expect(tensor(shared).toArray()).toEqual([1, 2]);
  });
  it('a detached buffer is refused', () => {
    const gone = new Float32Array([1, 2]);
    structuredClone(gone.buffer, { transfer: [gone.buffer] });
    expect(() => tensor(gone, { shape: [2] })).toThrow(/needs 2 elements, the array has 0/);
  });
  it('a shape whose getter takes the array away does not read freed memory', () => {
    const array = new Float32Array([1, 2]);
    const shape = Object.defineProperty([0], 0, {
      get() {
        structuredClone(array.buffer, { transfer: [array.buffer] });
        return 2;
      },
    });
    expect(() => tensor(array, { shape })).toThrow(/needs 2 elements, the array has 0/);
  });
});

describe('tensorFromBytes', () => {
  for (const dtype of dtypes) {
    it(`${dtype}: bytes() gives back what went in`, () => {
      const bytes = Uint8Array.from({ length: 16 }, (_, i) => (dtype === 'bool' ? i % 2 : (i * 37) % 251));
      const x = tensorFromBytes(bytes, dtype, [16 / dtypeBytes[dtype]]);
      expect(x.dtype).toBe(dtype);
      expect(x.bytes()).toEqual(bytes);
    });
  }
  it('refuses a wrong length, dtype or array', () => {
    expect(() => tensorFromBytes(new Uint8Array(7), 'float32', [2])).toThrow(/\[2\] float32 needs 2 elements/);
    expect(() => tensorFromBytes(new Uint8Array(8), 'complex64' as DType, [1])).toThrow(/unknown dtype 'complex64'/);
    expect(() => tensorFromBytes(new Float32Array(2) as unknown as Uint8Array, 'float32', [2])).toThrow(/Uint8Array/);
  });
});

describe('makers', () => {
  it('zeros, ones, full, empty, eye, arange', () => {
    expect(zeros([2, 1]).toArray()).toEqual([[0], [0]]);
    expect(ones([2], { dtype: 'int8' }).toArray()).toEqual([1, 1]);
    expect(full([2], 0.5, { dtype: 'float64' }).toArray()).toEqual([0.5, 0.5]);
    expect(full([2], true, { dtype: 'bool' }).toArray()).toEqual([true, true]);
    expect(empty([3, 0], { dtype: 'bfloat16' }).shape).toEqual([3, 0]);
    expect(eye(2).toArray()).toEqual([
      [1, 0],
      [0, 1],
    ]);
    expect(arange(1, 6, 2).toArray()).toEqual([1n, 3n, 5n]);
    expect(arange(0, 1, 0.25, { dtype: 'float32' }).toArray()).toEqual([0, 0.25, 0.5, 0.75]);
    expect(zeros([]).item()).toBe(0);
    expect(ones([2], { requiresGrad: true }).requiresGrad).toBe(true);
  });
  it('cat, stack, where', () => {
    const [a, b] = [tensor([1, 2]), tensor([3, 4])];
    expect(cat([a, b]).toArray()).toEqual([1, 2, 3, 4]);
    expect(stack([a, b], 1).toArray()).toEqual([
      [1, 3],
      [2, 4],
    ]);
    expect(where(tensor([true, false]), a, b).toArray()).toEqual([1, 4]);
    expect(() => cat([])).toThrow(/aten::cat.*non-empty/);
    expect(() => cat([a, zeros([2, 2])])).toThrow(/aten::cat\(tensors \(\[2\] float32, \[2, 2\] float32\), dim 0\)/);
  });
  it('a size that no memory holds is an error, not the end', () => {
    expect(() => zeros([2 ** 40, 2 ** 10])).toThrow(/aten::zeros\(size \[1099511627776,1024\]/);
    expect(() => tensor([1], { shape: [2 ** 40, 2 ** 40] })).toThrow(/the shape is too large/);
  });
});
