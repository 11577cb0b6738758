/*
 * NumPy arrays in a pickle: `numpy.core.multiarray._reconstruct` and then a state, or `numpy.core.numeric._frombuffer`
 * (protocol 5). They are plain data; those of a dtype that weights may have are read as tensors. CIFAR's Python version and
 * checkpoints of `{name: tensor.numpy()}` hold such.
 */
import { NumpyDType } from './numpy-scalar.ts';
import { PickledObject, PickleProblem } from './pickle-values.ts';
import { bytesPerElement, elementCount, type StoredDType, shapeProblem } from './stored.ts';
import { rowMajor } from './strided.ts';

const dtypes: ReadonlyMap<string, StoredDType> = new Map([
  ['f8', 'float64'],
  ['f4', 'float32'],
  ['f2', 'float16'],
  ['i8', 'int64'],
  ['i4', 'int32'],
  ['i2', 'int16'],
  ['i1', 'int8'],
  ['u1', 'uint8'],
  ['b1', 'bool'],
]);

/**
 * An array. It is a `StoredTensor` (row-major, little-endian) where its dtype is one that tensors have; else only an object
 * that readers step over: random number states are uint32.
 */
export class NumpyArray extends PickledObject {
  dtype: StoredDType | undefined;
  shape: readonly number[] | undefined;
  data: Uint8Array | undefined;

  constructor() {
    super('numpy.ndarray');
  }

  /** `(version, shape, dtype, Fortran order?, bytes)`; the version is absent in very old files. */
  override setState(state: unknown): void {
    if (!Array.isArray(state)) return;
    const [shape, dtype, fortran, raw] = (state.length === 5 ? state.slice(1) : state) as unknown[];
    this.#fill(shape, dtype, fortran === true || fortran === 1, raw);
  }

  /** The same from `_frombuffer(bytes, dtype, shape, 'C' or 'F')`. */
  static fromBuffer([raw, dtype, shape, order]: readonly unknown[]): NumpyArray {
    const array = new NumpyArray();
    array.#fill(shape, dtype, order === 'F', raw);
    return array;
  }

  #fill(shape: unknown, dtype: unknown, fortran: boolean, raw: unknown): void {
    const found = dtype instanceof NumpyDType ? dtypes.get(dtype.code) : undefined;
    // A list of objects, strings or dates: nothing that could be weights.
    if (!(dtype instanceof NumpyDType) || !found || Array.isArray(raw)) return;
    if (!Array.isArray(shape)) throw new PickleProblem('a NumPy array has no shape');
    const problem = shapeProblem(shape);
    if (problem) throw new PickleProblem(`a NumPy array's shape is impossible: ${problem}`);
    const sizes = Object.freeze([...(shape as number[])]);
    // Python 2 wrote bytes as text, which arrives decoded where it happens to be UTF-8.
    const bytes = typeof raw === 'string' ? new TextEncoder().encode(raw) : raw;
    const width = bytesPerElement[found];
    if (!(bytes instanceof Uint8Array) || bytes.length !== elementCount(sizes) * width) {
      throw new PickleProblem(
        `a NumPy array ${found} [${sizes.join(', ')}] has ${bytes instanceof Uint8Array ? bytes.length : 'no'} bytes`,
      );
    }
    const ordered = dtype.littleEndian || width === 1 ? bytes : swapped(bytes, width);
    this.data = fortran && sizes.length > 1 ? fromFortran(ordered, sizes, width) : ordered;
    this.dtype = found;
    this.shape = sizes;
  }
}

function swapped(bytes: Uint8Array, width: number): Uint8Array {
  const copy = bytes.slice();
  for (let at = 0; at < copy.length; at += width) copy.subarray(at, at + width).reverse();
  return copy;
}

function fromFortran(bytes: Uint8Array, shape: readonly number[], width: number): Uint8Array {
  if (shape.includes(0)) return bytes;
  const stride = shape.map((_, axis) => elementCount(shape.slice(0, axis)));
  return rowMajor(bytes, shape, stride, width);
}
