/*
 * What torch.save writes (the zip form), with only the pickle instructions that torch.load(weights_only=True) accepts (in
 * PyTorch 1.13 that refuses every float in `extra`, a fault of its own that version 2 does not have).
 */
import { UserError } from '../base/errors.ts';
import { writeFileAtomic } from '../base/files.ts';
import type { Scalar } from './state-dict.ts';
import {
  bytesPerElement,
  checkStored,
  printable,
  type StoredDType,
  type StoredTensor,
  type StoredTensors,
} from './stored.ts';
import { zipChunks } from './zip-write.ts';

const storageNames: Readonly<Record<StoredDType, string>> = {
  float64: 'DoubleStorage',
  float32: 'FloatStorage',
  float16: 'HalfStorage',
  bfloat16: 'BFloat16Storage',
  int64: 'LongStorage',
  int32: 'IntStorage',
  int16: 'ShortStorage',
  int8: 'CharStorage',
  uint8: 'ByteStorage',
  bool: 'BoolStorage',
};

/**
 * Write a file for `torch.load`, atomically: an OrderedDict of tensors, or with `extra` a dict `{ model: …, …extra }`.
 * Whole numbers become Python ints. The same input gives the same bytes.
 *
 * @param weightsKey the weights' own key beside `extra`
 * @throws UserError if a tensor's bytes do not match its shape, or the file cannot be written
 */
export function writePth(
  path: string,
  tensors: StoredTensors,
  extra?: Readonly<Record<string, Scalar>>,
  weightsKey = 'model',
): void {
  const pickle = new PickleWriter();
  if (extra === undefined) {
    pickle.stateDict(path, tensors);
  } else {
    pickle.raw('}(');
    pickle.text(weightsKey);
    pickle.stateDict(path, tensors);
    for (const [key, value] of Object.entries(extra)) {
      if (key === weightsKey) throw new UserError(`cannot write ${path}: '${weightsKey}' is the weights' own key`);
      pickle.text(key);
      pickle.scalar(path, key, value);
    }
    pickle.raw('u');
  }
  const entries: [string, Uint8Array][] = [
    ['archive/data.pkl', pickle.finish()],
    ['archive/byteorder', Buffer.from('little')],
    ...[...tensors.values()].map(({ data }, i): [string, Uint8Array] => [`archive/data/${i}`, data]),
    ['archive/version', Buffer.from('3\n')],
  ];
  writeFileAtomic(path, zipChunks(path, entries));
}

/** Protocol 2. Nothing is memoized: no object is used twice. */
class PickleWriter {
  private readonly chunks: Uint8Array[] = [Uint8Array.of(0x80, 2)];

  raw(latin1: string): void {
    this.chunks.push(Buffer.from(latin1, 'latin1'));
  }

  finish(): Uint8Array {
    this.raw('.');
    return Buffer.concat(this.chunks);
  }

  text(value: string): void {
    const utf8 = Buffer.from(value);
    const head = Buffer.from('X\0\0\0\0');
    head.writeUInt32LE(utf8.length, 1);
    this.chunks.push(head, utf8);
  }

  /** A non-negative or negative safe integer. */
  integer(value: number): void {
    const chunk = Buffer.alloc(10);
    if (value >= -(2 ** 31) && value < 2 ** 31) {
      chunk.write('J');
      chunk.writeInt32LE(value, 1);
      this.chunks.push(chunk.subarray(0, 5));
    } else {
      chunk.set([0x8a, 8]); // LONG1
      chunk.writeBigInt64LE(BigInt(value), 2);
      this.chunks.push(chunk);
    }
  }

  scalar(path: string, key: string, value: Scalar): void {
    if (value === null) this.raw('N');
    else if (typeof value === 'boolean') this.raw(value ? '\x88' : '\x89');
    else if (typeof value === 'string') this.text(value);
    else if (Number.isSafeInteger(value) && !Object.is(value, -0)) this.integer(value);
    else if (typeof value === 'number') {
      const chunk = Buffer.alloc(9, 'G');
      chunk.writeDoubleBE(value, 1);
      this.chunks.push(chunk);
    } else
      throw new UserError(`cannot write ${path}: ${printable(key)} is neither a number, a string, a boolean nor null`);
  }

  private integers(values: readonly number[]): void {
    this.raw('(');
    for (const value of values) this.integer(value);
    this.raw('t');
  }

  stateDict(path: string, tensors: StoredTensors): void {
    this.raw('ccollections\nOrderedDict\n)R(');
    let key = 0;
    for (const [name, tensor] of tensors) {
      checkStored(path, name, tensor);
      this.text(name);
      this.tensor(tensor, String(key++));
    }
    this.raw('u');
  }

  private tensor({ dtype, shape, data }: StoredTensor, key: string): void {
    const stride = shape.map((_, axis) => shape.slice(axis + 1).reduce((step, size) => step * Math.max(1, size), 1));
    this.raw('ctorch._utils\n_rebuild_tensor_v2\n((');
    this.text('storage');
    this.raw(`ctorch\n${storageNames[dtype]}\n`);
    this.text(key);
    this.text('cpu');
    this.integer(data.length / bytesPerElement[dtype]);
    this.raw('tQ');
    this.integer(0);
    this.integers(shape);
    this.integers(stride);
    this.raw('\x89ccollections\nOrderedDict\n)RtR'); // requires_grad False, no hooks
  }
}
