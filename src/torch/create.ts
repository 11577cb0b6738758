import { type DType, dtypeCode } from './dtype.ts';
import { native } from './native.ts';
import { ops } from './ops.ts';
import { type Nested, type Scalar, Tensor, type TypedArray } from './tensor.ts';

export interface TensorOptions {
  /** float32 unless said, except where made from a typed array, which brings its own. */
  dtype?: DType;
  /** `cpu` unless said; `cuda`, `cuda:1`. */
  device?: string;
  requiresGrad?: boolean;
}

function flatten(value: Nested): { flat: (number | bigint | boolean)[]; shape: number[] } {
  const shape: number[] = [];
  for (let level = value; Array.isArray(level); level = level[0] as Nested) {
    shape.push(level.length);
    if (level.length === 0) break;
  }
  const flat: (number | bigint | boolean)[] = [];
  const walk = (item: Nested, depth: number): void => {
    if (!Array.isArray(item)) {
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

function finish(made: Tensor, { dtype, device, requiresGrad }: TensorOptions): Tensor {
  const changes = (dtype && dtype !== made.dtype) || (device && device !== made.device);
  const result = changes ? made.to({ ...(dtype ? { dtype } : {}), ...(device ? { device } : {}) }) : made;
  if (result !== made) made.dispose();
  return requiresGrad ? result.requiresGrad_() : result;
}

/**
 * A tensor from numbers, nested arrays, or a typed array with a shape. The data is copied. Arrays of booleans become bool,
 * of bigints int64, of numbers float32; a typed array keeps its type.
 *
 * @example
 * tensor([[1, 2], [3, 4]]);
 * tensor(new Int32Array([1, 2, 3]), { shape: [3, 1], dtype: 'int64' });
 */
export function tensor(data: Nested | TypedArray, options: TensorOptions & { shape?: readonly number[] } = {}): Tensor {
  if (ArrayBuffer.isView(data)) {
    return finish(new Tensor(native().tensorFrom(data, options.shape ?? [data.length])), options);
  }
  const { flat, shape } = flatten(data);
  const first = flat[0];
  const natural: DType = typeof first === 'boolean' ? 'bool' : typeof first === 'bigint' ? 'int64' : 'float32';
  const array = flat.some((value) => typeof value === 'bigint')
    ? BigInt64Array.from(flat as bigint[], BigInt)
    : Float64Array.from(flat as number[], Number);
  return finish(new Tensor(native().tensorFrom(array, options.shape ?? shape)), { dtype: natural, ...options });
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
