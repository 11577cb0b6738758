/*
 * NumPy scalars in a pickle: `numpy.core.multiarray.scalar(dtype, bytes)`. Training scripts store the best accuracy so.
 */
import { PickledObject, PickleProblem } from './pickle-values.ts';
import { halfToNumber } from './stored.ts';

/** `numpy.dtype('f8')`; its state, set afterwards, holds the byte order. */
export class NumpyDType extends PickledObject {
  readonly code: string;
  littleEndian = true;

  constructor(code: unknown) {
    super('numpy.dtype');
    if (typeof code !== 'string' || code.length > 20) throw new PickleProblem('a NumPy dtype has no name');
    this.code = code;
  }

  /** `(version, byte order, …)` with `<`, `>`, `=` or `|`. */
  override setState(state: unknown): void {
    if (Array.isArray(state) && state[1] === '>') this.littleEndian = false;
  }
}

/** The number in a NumPy scalar; an inert object for dates, strings and the like. */
export function numpyScalar([dtype, raw]: readonly unknown[]): unknown {
  if (!(dtype instanceof NumpyDType)) throw new PickleProblem('a NumPy scalar has no dtype');
  const read = readers.get(dtype.code);
  if (!read) return new PickledObject(`numpy scalar ${dtype.code}`);
  const bytes = typeof raw === 'string' ? new TextEncoder().encode(raw) : raw;
  if (!(bytes instanceof Uint8Array)) throw new PickleProblem('a NumPy scalar has no bytes');
  const size = Number(dtype.code.slice(1));
  if (bytes.length !== size) throw new PickleProblem(`a NumPy scalar of type ${dtype.code} has ${bytes.length} bytes`);
  const value = read(new DataView(bytes.buffer, bytes.byteOffset, size), dtype.littleEndian);
  return typeof value === 'bigint' && Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

type Reader = (view: DataView, little: boolean) => number | bigint | boolean;
const readers: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ['f8', (view, little) => view.getFloat64(0, little)],
  ['f4', (view, little) => view.getFloat32(0, little)],
  ['f2', (view, little) => halfToNumber(view.getUint16(0, little))],
  ['i8', (view, little) => view.getBigInt64(0, little)],
  ['i4', (view, little) => view.getInt32(0, little)],
  ['i2', (view, little) => view.getInt16(0, little)],
  ['i1', (view) => view.getInt8(0)],
  ['u8', (view, little) => view.getBigUint64(0, little)],
  ['u4', (view, little) => view.getUint32(0, little)],
  ['u2', (view, little) => view.getUint16(0, little)],
  ['u1', (view) => view.getUint8(0)],
  ['b1', (view) => view.getUint8(0) !== 0],
]);
