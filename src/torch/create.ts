import { type DType, dtypeCode } from './dtype.ts';
import { native } from './native.ts';

import { type Nested, ops, type Scalar, Tensor, type TypedArray } from './tensor.ts';

export interface TensorOptions {
  /** float32 unless said, except where made from a typed array, which brings its own. */
  dtype?: DType;
  /** `cpu` unless said; `cuda`, `cuda:1`. */
  device?: string;
  requiresGrad?: boolean;
}

const kindOf = (value: unknown): string =>
  value === null || value === undefined ? String(value) : typeof value === 'object' ? 'an object' : `a ${typeof value}`;

function flatten(value: Nested): { flat: (number | bigint | boolean)[]; shape: number[] } {
  const shape: number[] = [];
  for (let level = value; Array.isArray(level); level = level[0] as Nested) {
    shape.push(level.length);
    if (level.length === 0) break;
  }
  const flat: (number | bigint | boolean)[] = [];
  const walk = (item: Nested, depth: number): void => {
    if (!Array.isArray(item)) {
      if (typeof item !== 'number' && typeof item !== 'bigint' && typeof item !== 'boolean') {
        throw new TypeError(`tensor() takes numbers, bigints and booleans, not ${kindOf(item)}`);
      }
      if (depth !== shape.length) throw new TypeError('tensor(): the nested arrays have uneven depths');
      flat.push(item);
      return;
    }
    if (item.length !== shape[depth]) {
      throw new TypeError(`tensor(): expected ${shape[depth]} items at depth ${depth}, got ${item.length}`);
    }
    for (const inner of item) walk(inner, depth + 1);
  };
  walk(value, 0);
  return { flat, shape };
}

function naturalDtype(flat: readonly (number | bigint | boolean)[]): DType {
  const kinds = new Set(flat.map((value) => typeof value));
  if (kinds.has('number') || kinds.size === 0) return 'float32';
  return kinds.has('bigint') ? 'int64' : 'bool';
}

const ranges: { readonly [Name in DType]?: readonly [least: bigint, most: bigint] } = {
  uint8: [0n, 255n],
  int8: [-128n, 127n],
  int16: [-32768n, 32767n],
  int32: [-(2n ** 31n), 2n ** 31n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
};

/** Integers beyond 2^53 survive only as bigints. Fractions are cut off, as in PyTorch; what cannot be held is refused. */
function toBigInts(flat: readonly (number | bigint | boolean)[], dtype: DType): BigInt64Array {
  const [least, most] = ranges[dtype]!;
  return BigInt64Array.from(flat, (value) => {
    if (typeof value === 'number' && !Number.isFinite(value))
      throw new RangeError(`tensor(): ${value} does not fit ${dtype}`);
    const whole = BigInt(typeof value === 'number' ? Math.trunc(value) : value);
    if (whole < least || whole > most) throw new RangeError(`tensor(): ${value} does not fit ${dtype}`);
    return whole;
  });
}

function finish(made: Tensor, { dtype, device, requiresGrad }: TensorOptions): Tensor {
  const changes = (dtype && dtype !== made.dtype) || (device && device !== made.device);
  const result = changes ? made.to({ ...(dtype ? { dtype } : {}), ...(device ? { device } : {}) }) : made;
  if (result !== made) made.dispose();
  return requiresGrad ? result.requiresGrad_() : result;
}

/**
 * A tensor from numbers, nested arrays, or a typed array with a shape. The data is copied. Arrays of booleans become bool,
 * of bigints int64, of numbers float32 (also where only some are); a typed array keeps its type.
 *
 * @example
 * tensor([[1, 2], [3, 4]]);
 * tensor(new Int32Array([1, 2, 3]), { shape: [3, 1], dtype: 'int64' });
 */
export function tensor(data: Nested | TypedArray, options: TensorOptions & { shape?: readonly number[] } = {}): Tensor {
  if (ArrayBuffer.isView(data)) {
    if (data instanceof DataView) throw new TypeError('tensor() takes typed arrays, not a DataView');
    return finish(new Tensor(native().tensorFrom(data, options.shape ?? [data.length])), options);
  }
  const { flat, shape } = flatten(data);
  const dtype = options.dtype ?? naturalDtype(flat);
  const array = Object.hasOwn(ranges, dtype) ? toBigInts(flat, dtype) : Float64Array.from(flat, Number);
  return finish(new Tensor(native().tensorFrom(array, options.shape ?? shape)), { ...options, dtype });
}

/** A tensor from raw little-endian bytes in row-major order. */
export function tensorFromBytes(bytes: Uint8Array, dtype: DType, shape: readonly number[]): Tensor {
  return new Tensor(native().tensorFromBytes(bytes, dtypeCode(dtype), shape));
}

const code = (options: TensorOptions): number => dtypeCode(options.dtype ?? 'float32');
const place = (options: TensorOptions): string => options.device ?? 'cpu';
const leaf = (made: Tensor, options: TensorOptions): Tensor => (options.requiresGrad ? made.requiresGrad_() : made);

/** Uninitialised memory. */
export function empty(shape: readonly number[], options: TensorOptions = {}): Tensor {
  return leaf(ops.empty(shape, code(options), null, place(options)), options);
}
export function zeros(shape: readonly number[], options: TensorOptions = {}): Tensor {
  return leaf(ops.zeros(shape, code(options), null, place(options)), options);
}
export function ones(shape: readonly number[], options: TensorOptions = {}): Tensor {
  return leaf(ops.ones(shape, code(options), null, place(options)), options);
}
export function full(shape: readonly number[], value: Scalar, options: TensorOptions = {}): Tensor {
  return leaf(ops.full(shape, value, code(options), null, place(options)), options);
}
/** The n-by-n identity. */
export function eye(n: number, options: TensorOptions = {}): Tensor {
  return leaf(ops.eye(n, code(options), null, place(options)), options);
}
/** start, start + step, … below end; int64 unless said. */
export function arange(start: number, end: number, step = 1, options: TensorOptions = {}): Tensor {
  return leaf(ops.arange(start, end, step, dtypeCode(options.dtype ?? 'int64'), null, place(options)), options);
}

/** Join along an existing dimension. */
export function cat(tensors: readonly Tensor[], dim = 0): Tensor {
  return ops.cat(tensors, dim);
}
/** Join along a new dimension. */
export function stack(tensors: readonly Tensor[], dim = 0): Tensor {
  return ops.stack(tensors, dim);
}
/** Elements of `yes` where `condition` holds, else of `no`. */
export function where(condition: Tensor, yes: Tensor, no: Tensor): Tensor {
  return ops.where(condition, yes, no);
}
