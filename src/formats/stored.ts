import { UserError } from '../base/errors.ts';
import { byteText } from '../base/quantity.ts';

/** Element types a weights file may hold; the names are PyTorch's. */
export type StoredDType =
  | 'float64'
  | 'float32'
  | 'float16'
  | 'bfloat16'
  | 'int64'
  | 'int32'
  | 'int16'
  | 'int8'
  | 'uint8'
  | 'bool';

/** A tensor as it lies in a file: row-major, little-endian, without gaps. */
export interface StoredTensor {
  readonly dtype: StoredDType;
  readonly shape: readonly number[];
  /** `elementCount(shape) * bytesPerElement[dtype]` bytes, mostly a view of the file's bytes and not aligned to anything. */
  readonly data: Uint8Array;
}

/** Tensors by name, in the file's order. */
export type StoredTensors = Map<string, StoredTensor>;

export const bytesPerElement: Readonly<Record<StoredDType, number>> = {
  float64: 8,
  float32: 4,
  float16: 2,
  bfloat16: 2,
  int64: 8,
  int32: 4,
  int16: 2,
  int8: 1,
  uint8: 1,
  bool: 1,
};

/** More dimensions than any tool writes; a bound for files that lie. */
export const maxRank = 64;

/** Number of elements of a shape: 1 for a scalar's `[]`. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((count, size) => count * size, 1);
}

/**
 * What is wrong with a shape read from a file, or undefined. Sound shapes have sizes that are non-negative integers and an
 * element count that stays an exact integer even where another size is 0.
 */
export function shapeProblem(shape: readonly unknown[]): string | undefined {
  if (shape.length > maxRank) return `it has ${shape.length} dimensions, more than ${maxRank}`;
  const wrong = shape.findIndex((size) => !Number.isSafeInteger(size) || (size as number) < 0);
  if (wrong >= 0) return `size ${shown(shape[wrong])} is not a non-negative integer that fits`;
  const count = (shape as readonly number[]).reduce((product, size) => product * Math.max(1, size), 1);
  return count > Number.MAX_SAFE_INTEGER ? `shape [${shape.join(', ')}] has too many elements` : undefined;
}

/** True for a `StoredTensor`, whoever made it. */
export function isStoredTensor(value: unknown): value is StoredTensor {
  if (typeof value !== 'object' || value === null) return false;
  const { dtype, shape, data } = value as Partial<StoredTensor>;
  return (
    typeof dtype === 'string' &&
    Object.hasOwn(bytesPerElement, dtype) &&
    Array.isArray(shape) &&
    data instanceof Uint8Array
  );
}

/** Refuse to write a tensor whose bytes do not match its dtype and shape. */
export function checkStored(path: string, name: string, tensor: StoredTensor): void {
  const { dtype, shape, data } = tensor;
  const wrong = (what: string) => new UserError(`cannot write ${path}: tensor ${printable(name)}: ${what}`);
  if (/\p{Cs}/u.test(name)) throw wrong('its name holds half of a surrogate pair, which UTF-8 cannot express');
  if (!Object.hasOwn(bytesPerElement, dtype)) throw wrong(`unknown dtype ${printable(String(dtype))}`);
  const problem = shapeProblem(shape);
  if (problem) throw wrong(problem);
  const expected = elementCount(shape) * bytesPerElement[dtype];
  if (data.length !== expected) {
    throw wrong(
      `${dtype} [${shape.join(', ')}] takes ${byteText(expected)}, but its data has ${byteText(data.length)}`,
    );
  }
}

/** The one element of a one-element tensor as a number (int64 beyond 2^53 is rounded); undefined for other tensors. */
export function scalarOf(tensor: StoredTensor): number | boolean | undefined {
  if (elementCount(tensor.shape) !== 1) return undefined;
  const view = new DataView(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength);
  switch (tensor.dtype) {
    case 'float64':
      return view.getFloat64(0, true);
    case 'float32':
      return view.getFloat32(0, true);
    case 'float16':
      return halfToNumber(view.getUint16(0, true));
    case 'bfloat16': {
      const wide = new DataView(new ArrayBuffer(4));
      wide.setUint32(0, view.getUint16(0, true) << 16);
      return wide.getFloat32(0);
    }
    case 'int64':
      return Number(view.getBigInt64(0, true));
    case 'int32':
      return view.getInt32(0, true);
    case 'int16':
      return view.getInt16(0, true);
    case 'int8':
      return view.getInt8(0);
    case 'uint8':
      return view.getUint8(0);
    case 'bool':
      return view.getUint8(0) !== 0;
  }
}

/** IEEE 754 binary16 bits to a number. */
export function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
}

/**
 * Text from a file, quoted for a message: cut to a readable length, and with control, format and direction characters
 * escaped, so that a name cannot play tricks on a terminal.
 */
export function printable(text: string): string {
  const cut = text.length > 100 ? `${text.slice(0, 97)}…` : text;
  return `'${cut.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (char) => `\\u{${char.codePointAt(0)!.toString(16)}}`)}'`;
}

/**
 * A value from a file, for a message: plain values as they are, others by kind. `String(value)` would be a trap: an array
 * that holds itself a few times over at each of thirty levels is short in the file and endless as text.
 */
export function shown(value: unknown): string {
  if (typeof value === 'string') return printable(value);
  if (typeof value === 'bigint') return value.toString().length > 30 ? 'an enormous integer' : value.toString();
  if (value === null || value === undefined || typeof value === 'number' || typeof value === 'boolean')
    return `${value}`;
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (value instanceof Map) return 'a dict';
  return isStoredTensor(value) ? 'a tensor' : 'an object';
}
