import { describe, expect, it } from 'vitest';
import {
  dict,
  global,
  int,
  legacyCheckpoint,
  type Part,
  program,
  reduce,
  type TensorParts,
  tensor,
  text,
  tuple,
  zipCheckpoint,
} from '../../test/fixtures/formats/assemble.ts';
import { described, refusal } from '../../test/fixtures/formats/fixtures.ts';
import { parsePth } from './pth.ts';
import type { StoredTensor } from './stored.ts';

const storage = new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer);
const zipped = (...parts: Part[]) => parsePth(zipCheckpoint(program(...parts), { 0: storage }), 'x.pth');
const floats = (value: unknown) => {
  const { data } = value as StoredTensor;
  return [...new Float32Array(data.slice().buffer)];
};

describe('tensors', () => {
  it.each<[string, TensorParts, number[]]>([
    ['whole', {}, [1, 2, 3, 4]],
    ['a slice', { offset: 1, size: [2] }, [2, 3]],
    ['every other element', { size: [2], stride: [2] }, [1, 3]],
    ['transposed', { size: [2, 2], stride: [1, 2] }, [1, 3, 2, 4]],
    ['expanded', { offset: 3, size: [3], stride: [0] }, [4, 4, 4]],
    ['a scalar', { offset: 2, size: [], stride: [] }, [3]],
    ['of size 1 with a stride beyond the storage', { size: [1, 4], stride: [1e15, 1] }, [1, 2, 3, 4]],
    ['empty, wherever it claims to be', { offset: 1000, size: [0, 5], stride: [5, 1] }, []],
  ])('%s', async (_, parts, values) => {
    const value = await zipped(tensor(parts));
    expect(floats(value)).toEqual(values);
    expect((value as StoredTensor).shape).toEqual(parts.size ?? [4]);
    const legacy = await parsePth(legacyCheckpoint(program(tensor(parts)), [['0', 4, storage]]), 'x.pth');
    expect(described(legacy as StoredTensor)).toEqual(described(value as StoredTensor));
  });

  it('row-major ones are views of the file: no copy', async () => {
    const bytes = zipCheckpoint(program(tensor()), { 0: storage });
    expect(((await parsePth(bytes, 'x.pth')) as StoredTensor).data.buffer).toBe(bytes.buffer);
  });

  it('parameters, with or without attributes, are their tensors', async () => {
    const none = 'N';
    const plain = reduce(global('torch._utils', '_rebuild_parameter'), tensor(), 0x88, none);
    const withState = reduce(
      global('torch._utils', '_rebuild_parameter_with_state'),
      tensor(),
      0x88,
      none,
      dict(text('tag'), int(1)),
    );
    // (function, class, arguments, state), as PyTorch 2 writes tensors that carry Python attributes.
    const typed = reduce(
      global('torch._tensor', '_rebuild_from_type_v2'),
      global('torch._utils', '_rebuild_parameter'),
      global('torch.nn.parameter', 'Parameter'),
      tuple(tensor(), 0x88, none),
      dict(),
    );
    for (const part of [plain, withState, typed]) expect(floats(await zipped(part))).toEqual([1, 2, 3, 4]);
  });

  it('devices and sizes are plain values', async () => {
    expect(await zipped(reduce(global('torch', 'device'), text('cuda'), int(1)))).toBe('cuda:1');
    expect(await zipped(reduce(global('torch', 'Size'), tuple(int(2), int(3))))).toEqual([2, 3]);
  });
});

describe('refusals', () => {
  const { MAX_SAFE_INTEGER: most } = Number;
  it.each<[string, TensorParts, RegExp]>([
    ['beyond the end', { offset: 1 }, /shape \[4\] at offset 1 ends at element 5 of a storage of 4/],
    ['strides beyond the end', { size: [2, 2], stride: [3, 1] }, /ends at element 5 of a storage of 4/],
    ['overflowing strides', { size: [3, 2], stride: [most, most] }, /ends at element .* of a storage of 4/],
    ['strides of 2^63', { size: [2], stride: [2n ** 63n - 1n] }, /impossible strides/],
    ['negative strides', { stride: [-1] }, /impossible strides/],
    ['a negative offset', { offset: -1 }, /impossible offset/],
    ['an offset of 2^63', { offset: 2n ** 63n - 1n }, /impossible offset/],
    ['a negative size', { size: [-4] }, /size -4/],
    ['an overflowing shape', { size: [2 ** 40, 2 ** 40], stride: [0, 0] }, /too many elements/],
    ['too many dimensions', { size: new Array(65).fill(1), stride: new Array(65).fill(1) }, /65 dimensions/],
    ['fewer strides than sizes', { size: [2, 2] }, /impossible strides/],
    [
      'a petabyte from one element',
      { size: [2 ** 48], stride: [0] },
      /repeat their data far beyond the file's [\d,]+ bytes/,
    ],
    ['a negative storage', { count: -1 }, /storage '0' has an impossible size/],
    ['a storage of 2^62', { count: 2n ** 62n }, /impossible size/],
    ['a storage larger than its data', { count: 5 }, /storage '0' should have 20 bytes, it has 16 bytes/],
    ['a storage smaller than its data', { count: 3, size: [3] }, /storage '0' should have 12 bytes, it has 16 bytes/],
    ['a storage that is missing', { key: '1' }, /the data of storage '1' is missing/],
    ['a storage outside its folder', { key: '../version' }, /the data of storage '\.\.\/version' is missing/],
    [
      'complex numbers',
      { storage: 'ComplexFloatStorage' },
      /holds complex tensors, which are not supported \('torch\.ComplexFloatStorage'\)/,
    ],
    ['quantized numbers', { storage: 'QInt8Storage' }, /quantized tensors/],
  ])('%s', async (_, parts, message) => {
    expect(await refusal(() => zipped(tensor(parts)))).toMatch(message);
  });

  it('many copies of one storage, each within bounds', async () => {
    const big = new Uint8Array(400_000);
    const transposed = tensor({ count: 100_000, size: [100, 1000], stride: [1, 100] });
    const many = program(
      ']',
      '(',
      Array.from({ length: 50 }, () => transposed),
      'e',
    );
    expect(await refusal(() => parsePth(zipCheckpoint(many, { 0: big }), 'x.pth'))).toMatch(
      /repeat their data far beyond/,
    );
    const views = program(
      ']',
      '(',
      Array.from({ length: 50 }, () => tensor({ count: 100_000 })),
      'e',
    );
    expect(await parsePth(zipCheckpoint(views, { 0: big }), 'x.pth')).toHaveLength(50);
  });

  const id = (...items: Part[]): Part => [tuple(...items), 'Q'];
  const float = global('torch', 'FloatStorage');
  it.each<[string, Part, RegExp]>([
    ['a persistent id that is text', [text('storage'), 'Q'], /not a tuple/],
    [
      'a persistent id of a module',
      id(text('module'), 'N', 'N', 'N'),
      /whole model with its code; save model\.state_dict\(\)/,
    ],
    ['a persistent id of something else', id(text('file')), /not a storage/],
    [
      'a storage without a type',
      id(text('storage'), text('FloatStorage'), text('0'), text('cpu'), int(4)),
      /unknown type/,
    ],
    [
      'a storage of a class that is none',
      id(text('storage'), global('collections', 'OrderedDict'), text('0'), text('cpu'), int(4)),
      /unknown type/,
    ],
    ['a storage without a key', id(text('storage'), float, int(0), text('cpu'), int(4)), /no key/],
    ['a storage without a size', id(text('storage'), float, text('0'), text('cpu')), /impossible size/],
    ['a tensor without a storage', reduce(global('torch._utils', '_rebuild_tensor_v2'), int(0)), /no storage/],
    [
      'a tensor with a list for a shape',
      reduce(
        global('torch._utils', '_rebuild_tensor'),
        id(text('storage'), float, text('0'), text('cpu'), int(4)),
        int(0),
        ']',
        ']',
      ),
      /no shape/,
    ],
    ['a parameter without a tensor', reduce(global('torch._utils', '_rebuild_parameter'), int(0)), /no tensor/],
    [
      'a subclass rebuilt by itself',
      reduce(
        global('torch._tensor', '_rebuild_from_type_v2'),
        global('torch._tensor', '_rebuild_from_type_v2'),
        'N',
        ')',
        'N',
      ),
      /unknown way/,
    ],
    ['a device that is a list', reduce(global('torch', 'device'), ']'), /no name/],
    ['sparse tensors', global('torch._utils', '_rebuild_sparse_tensor'), /sparse tensors, which are not supported/],
    ['float8 tensors', global('torch._utils', '_rebuild_tensor_v3'), /dtype newer than this reader/],
    ['torch.load itself', global('torch', 'load'), /needs the class or function 'torch\.load'/],
    ['a module by a name like a storage', global('torch.evilStorage', 'x'), /needs the class or function/],
  ])('%s', async (_, part, message) => {
    expect(await refusal(() => zipped(part))).toMatch(message);
  });

  it('a negated tensor', async () => {
    const negated = reduce(
      global('torch._utils', '_rebuild_tensor_v2'),
      id(text('storage'), float, text('0'), text('cpu'), int(4)),
      int(0),
      tuple(int(4)),
      tuple(int(1)),
      0x89,
      'N',
      dict(text('neg'), 0x88),
    );
    expect(await refusal(() => zipped(negated))).toMatch(/negated or conjugated/);
  });
});
