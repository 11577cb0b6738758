import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type DType, dtypeBytes, dtypes, memory, ones, Tensor, tensor, tidy, zeros } from './index.ts';

const it = (name: string, body: () => void): void => test(name, () => tidy(body));
let before = memory();
beforeEach(() => {
  before = memory();
});
afterEach(() => {
  expect(memory()).toEqual(before);
});

const grid = (): Tensor =>
  tensor([
    [1, 2, 3],
    [4, 5, 6],
  ]);

describe('what a tensor is', () => {
  it('shape, size, numel, ndim, strides, device', () => {
    const x = zeros([2, 3, 4]);
    expect([x.shape, x.ndim, x.numel, x.strides, x.device]).toEqual([[2, 3, 4], 3, 24, [12, 4, 1], 'cpu']);
    expect([x.size(0), x.size(-1), x.size(-3)]).toEqual([2, 4, 2]);
    expect(() => x.size(3)).toThrow('dimension 3 of a tensor [2, 3, 4]');
    expect(() => x.size(-4)).toThrow('dimension -4 of a tensor [2, 3, 4]');
    expect([zeros([]).numel, zeros([0, 5]).numel, zeros([]).ndim]).toEqual([1, 0, 0]);
  });
  it('contiguity, plain and channels last', () => {
    const x = zeros([2, 3, 4, 5]);
    const last = x.contiguous('channelsLast');
    expect([x.isContiguous(), x.isContiguous('channelsLast')]).toEqual([true, false]);
    expect([last.isContiguous(), last.isContiguous('channelsLast'), last.strides]).toEqual([
      false,
      true,
      [60, 1, 15, 3],
    ]);
    expect(() => x.contiguous('channels_last' as 'channelsLast')).toThrow(
      /unknown memory format 'channels_last'; did you mean 'channelsLast'/,
    );
    expect(() => zeros([2, 3]).contiguous('channelsLast')).toThrow(/aten::contiguous\(self \[2, 3\] float32/);
  });
  it('Tensor.is', () => {
    expect([Tensor.is(zeros([1])), Tensor.is({ handle: 1 }), Tensor.is(null)]).toEqual([true, false, false]);
  });
});

describe('out to JavaScript', () => {
  it('row-major order whatever the layout', () => {
    expect(grid().t().toArray()).toEqual([
      [1, 4],
      [2, 5],
      [3, 6],
    ]);
    expect(grid().t().data()).toEqual(Float32Array.from([1, 4, 2, 5, 3, 6]));
    expect(grid().narrow(1, 1, 2).data()).toEqual(Float32Array.from([2, 3, 5, 6]));
    expect(tensor([1, 2]).unsqueeze(1).expand([2, 2]).data()).toEqual(Float32Array.from([1, 1, 2, 2]));
    const image = tensor(
      Float32Array.from({ length: 12 }, (_, i) => i),
      { shape: [1, 3, 2, 2] },
    );
    expect(image.contiguous('channelsLast').data()).toEqual(image.data());
  });
  it('nested arrays, with empty dimensions and none', () => {
    expect(tensor([[[1], [2]]]).toArray()).toEqual([[[1], [2]]]);
    expect(zeros([2, 0]).toArray()).toEqual([[], []]);
    expect(zeros([0, 2]).toArray()).toEqual([]);
    expect(tensor(5).toArray()).toBe(5);
    expect(tensor([true, false]).toArray()).toEqual([true, false]);
    expect(tensor([2n ** 60n]).toArray()).toEqual([2n ** 60n]);
  });
  it('item', () => {
    expect([tensor(2.5).item(), tensor([[7]]).item(), tensor(true).item(), tensor(3n).item()]).toEqual([2.5, 7, 1, 3]);
    expect(tensor(2n ** 53n + 1n).item()).toBe(2 ** 53);
    expect(tensor(Number.NaN).item()).toBeNaN();
    expect(() => tensor([1, 2]).item()).toThrow(/item\(\) needs a tensor of one element, this one is \[2\] float32/);
    expect(() => zeros([0]).item()).toThrow(/\[0\] float32/);
  });
  it('toFloat64Array', () => {
    expect(tensor([1n, -2n]).toFloat64Array()).toEqual(Float64Array.from([1, -2]));
    expect(tensor([true, false]).toFloat64Array()).toEqual(Float64Array.from([1, 0]));
  });
  it('reading does not need noGrad', () => {
    expect(tensor([1, 2], { requiresGrad: true }).mul(2).toArray()).toEqual([2, 4]);
  });
});

describe('dtypes', () => {
  const exact: Record<DType, readonly number[]> = {
    uint8: [0, 1, 127, 255],
    int8: [-128, 0, 127],
    int16: [-32768, 0, 32767],
    int32: [-(2 ** 31), 0, 2 ** 31 - 1],
    int64: [-(2 ** 53), 0, 2 ** 53],
    float16: [-65504, 0, 2 ** -24, 0.333251953125],
    bfloat16: [-(2 ** 127), 0, 0.10009765625, 1.0078125],
    float32: [-3.4028234663852886e38, 0, 2 ** -149, 0.10000000149011612],
    float64: [-1.7976931348623157e308, 0, 5e-324, 0.1],
    bool: [0, 1],
  };
  for (const dtype of dtypes) {
    it(`${dtype}: values it can hold come back, through data() and bytes()`, () => {
      const values = exact[dtype];
      const x = tensor(Float64Array.from(values)).to(dtype);
      expect(x.dtype).toBe(dtype);
      expect([...x.toFloat64Array()]).toEqual(values);
      expect(x.bytes()).toHaveLength(values.length * dtypeBytes[dtype]);
      expect(x.to('float64').toArray()).toEqual(values);
    });
  }
  it('bfloat16 rounds to nearest, ties to even', () => {
    // Eight significant bits: 256 is the first integer after which every second one is missing.
    const x = tensor([1 + 2 ** -8, 1 + 3 * 2 ** -8, 257, 259, 1 + 2 ** -8 + 2 ** -20, 3.4e38]);
    expect(x.to('bfloat16').to('float32').toArray()).toEqual([1, 1 + 2 ** -6, 256, 260, 1 + 2 ** -7, Infinity]);
  });
  it('float16 overflows to infinity and keeps NaN', () => {
    const [big, nan] = tensor([70000, Number.NaN]).to('float16').toArray() as number[];
    expect([big, nan]).toEqual([Infinity, Number.NaN]);
  });
  it('converting to what it is already shares memory; another dtype does not', () => {
    const x = zeros([2]);
    expect(x.to('float32').sharesStorage(x)).toBe(true);
    expect(x.to('float64').sharesStorage(x)).toBe(false);
    expect(x.to({ memoryFormat: 'contiguous' }).dtype).toBe('float32');
    expect(x.to({}).sharesStorage(x)).toBe(true);
    expect(() => x.to('float31' as DType)).toThrow(/did you mean 'float32'/);
  });
  it('int64 arithmetic is exact beyond 2^53', () => {
    const x = tensor([2n ** 60n + 1n]);
    expect(x.add(tensor([1n])).toArray()).toEqual([2n ** 60n + 2n]);
    expect(x.sub(2).toArray()).toEqual([2n ** 60n - 1n]);
    expect(x.mul(3).toArray()).toEqual([3n * 2n ** 60n + 3n]);
  });
  it('numbers take the tensor’s kind: whole ones keep integers, fractions make floats', () => {
    expect(tensor([1n, 2n]).add(1).dtype).toBe('int64');
    expect(tensor([1n, 2n]).add(0.5).dtype).toBe('float32');
    expect(tensor([1n, 2n]).div(2).toArray()).toEqual([0.5, 1]);
    expect(ones([1], { dtype: 'bfloat16' }).mul(0.5).dtype).toBe('bfloat16');
    expect(ones([1], { dtype: 'float64' }).add(ones([1])).dtype).toBe('float64');
    expect(tensor([true]).add(1).dtype).toBe('int64');
  });
});

describe('methods', () => {
  it('arithmetic with tensors and numbers', () => {
    const x = tensor([1, 4]);
    const y = tensor([2, -2]);
    expect(x.add(y, 2).toArray()).toEqual([5, 0]);
    expect(x.add(1, 3).toArray()).toEqual([4, 7]);
    expect(x.sub(y).toArray()).toEqual([-1, 6]);
    expect(x.sub(1).toArray()).toEqual([0, 3]);
    expect(x.rsub(1).toArray()).toEqual([0, -3]);
    expect(x.mul(y).toArray()).toEqual([2, -8]);
    expect(x.div(y).toArray()).toEqual([0.5, -2]);
    expect(x.pow(2).toArray()).toEqual([1, 16]);
    expect(x.pow(y).toArray()).toEqual([1, 0.0625]);
    expect([x.neg().toArray(), y.abs().toArray(), x.sqrt().toArray(), x.square().toArray()]).toEqual([
      [-1, -4],
      [2, 2],
      [1, 2],
      [1, 16],
    ]);
    expect(x.exp().log()).toBeAllclose([1, 4]);
    expect(tensor([0]).sigmoid().item()).toBe(0.5);
    expect(y.relu().toArray()).toEqual([2, 0]);
    expect(y.clamp(0, 1).toArray()).toEqual([1, 0]);
    expect(y.clamp(null, 1).toArray()).toEqual([1, -2]);
    expect(tensor([0.5, 1.5, -0.5]).round().toArray()).toEqual([0, 2, -0]);
    expect(tensor([-0.5]).floor().toArray()).toEqual([-1]);
  });
  it('broadcasting', () => {
    expect(
      grid()
        .add(tensor([10, 20, 30]))
        .toArray(),
    ).toEqual([
      [11, 22, 33],
      [14, 25, 36],
    ]);
    expect(() => grid().add(tensor([1, 2]))).toThrow(
      /aten::add.Tensor\(self \[2, 3\] float32, other \[2\] float32, alpha 1\): The size of tensor a \(3\)/,
    );
  });
  it('in place: the object itself comes back, changed', () => {
    const x = tensor([1, 2]);
    expect(x.add_(1)).toBe(x);
    expect(
      x
        .mul_(tensor([2, 3]))
        .sub_(tensor([1, 1]))
        .div_(3)
        .toArray(),
    ).toEqual([1, 8 / 3].map(Math.fround));
    expect(x.fill_(4).toArray()).toEqual([4, 4]);
    expect(
      x
        .copy_(tensor([-1, 5]))
        .relu_()
        .toArray(),
    ).toEqual([0, 5]);
    expect(x.zero_().toArray()).toEqual([0, 0]);
  });
  it('comparison', () => {
    const x = tensor([1, 2, 3]);
    expect(x.gt(2).toArray()).toEqual([false, false, true]);
    expect(x.ge(2).toArray()).toEqual([false, true, true]);
    expect(x.lt(2).toArray()).toEqual([true, false, false]);
    expect(x.le(tensor([0, 2, 9])).toArray()).toEqual([false, true, true]);
    expect(x.eq(2).toArray()).toEqual([false, true, false]);
    expect(x.ne(2).toArray()).toEqual([true, false, true]);
    expect([x.equal(tensor([1, 2, 3])), x.equal(tensor([1, 2])), x.equal(tensor([1, 2, 4]))]).toEqual([
      true,
      false,
      false,
    ]);
    expect([x.gt(2).any().item(), x.gt(2).all().item()]).toEqual([1, 0]);
    expect(tensor([1, Number.NaN, Infinity]).isfinite().toArray()).toEqual([true, false, false]);
  });
  it('reductions', () => {
    const x = grid();
    expect([x.sum().item(), x.mean().item(), x.var().item(), x.var(undefined, { unbiased: false }).item()]).toEqual([
      21,
      3.5,
      3.5,
      Math.fround(35 / 12),
    ]);
    expect(x.sum(0).toArray()).toEqual([5, 7, 9]);
    expect(x.sum([0, 1]).toArray()).toBe(21);
    expect(x.mean(-1, true).toArray()).toEqual([[2], [5]]);
    expect(x.std(1).toArray()).toEqual([1, 1]);
    expect(x.std().item()).toBe(Math.fround(Math.sqrt(3.5)));
    expect([x.amax(1).toArray(), x.amin().item()]).toEqual([[3, 6], 1]);
    expect([x.argmax().item(), x.argmax(1).toArray()]).toEqual([5, [2n, 2n]]);
    expect(tensor([3, 1, 2]).argsort().toArray()).toEqual([1n, 2n, 0n]);
    const { values, indices } = tensor([3, 1, 2]).topk(2);
    expect([values.toArray(), indices.toArray()]).toEqual([
      [3, 2],
      [0n, 2n],
    ]);
    expect([tensor([3, 4]).norm().item(), tensor([3, -4]).norm({ p: 1 }).item()]).toEqual([5, 7]);
    expect(grid().norm({ dim: 1, keepdim: true }).shape).toEqual([2, 1]);
    expect(() => x.sum(2)).toThrow(/aten::sum.dim_IntList\(self \[2, 3\] float32, dim \[2\].*Dimension out of range/);
  });
  it('products and shape', () => {
    const x = grid();
    expect(x.matmul(x.t()).toArray()).toEqual([
      [14, 32],
      [32, 77],
    ]);
    expect(() => x.matmul(x)).toThrow(/aten::matmul\(self \[2, 3\] float32, other \[2, 3\] float32\)/);
    expect(x.view([3, 2]).toArray()).toEqual([
      [1, 2],
      [3, 4],
      [5, 6],
    ]);
    expect(() => x.t().view([6])).toThrow(/view size is not compatible/);
    expect(x.t().reshape([-1]).toArray()).toEqual([1, 4, 2, 5, 3, 6]);
    expect(x.flatten().shape).toEqual([6]);
    expect(zeros([2, 3, 4]).permute([2, 0, 1]).shape).toEqual([4, 2, 3]);
    expect(zeros([2, 3, 4]).transpose(0, -1).shape).toEqual([4, 3, 2]);
    expect(x.unsqueeze(0).shape).toEqual([1, 2, 3]);
    expect(x.unsqueeze(0).squeeze(0).shape).toEqual([2, 3]);
    expect(x.select(0, 1).toArray()).toEqual([4, 5, 6]);
    expect(x.indexSelect(1, tensor([2n, 0n])).toArray()).toEqual([
      [3, 1],
      [6, 4],
    ]);
    expect(x.gather(1, tensor([[0n], [2n]])).toArray()).toEqual([[1], [6]]);
    expect(x.maskedFill(x.gt(4), 0).sum().item()).toBe(10);
    expect(x.flip([1]).select(0, 0).toArray()).toEqual([3, 2, 1]);
    expect(x.chunk(2, 1).map((part) => part.shape)).toEqual([
      [2, 2],
      [2, 1],
    ]);
    expect(x.split(1).map((part) => part.toArray())).toEqual([[[1, 2, 3]], [[4, 5, 6]]]);
    expect(() => x.select(0, 2)).toThrow(/aten::select.int\(self \[2, 3\] float32, dim 0, index 2\)/);
    expect(() => x.gather(1, tensor([[3n]]))).toThrow(/aten::gather.*index 3 is out of bounds/);
  });
  it('clone and detach', () => {
    const x = tensor([1, 2], { requiresGrad: true });
    expect([x.clone().sharesStorage(x), x.detach().sharesStorage(x), x.detach().requiresGrad]).toEqual([
      false,
      true,
      false,
    ]);
  });
});
