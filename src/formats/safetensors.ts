/*
 * safetensors: 8 bytes header length, a JSON header, the tensors' bytes. https://github.com/huggingface/safetensors#format
 * Stricter than the reference where that costs nobody a real file: no unknown fields, at most 64 dimensions.
 */

import { UserError } from '../base/errors.ts';
import { readFileBytes } from '../base/file-bytes.ts';
import { writeFileAtomic } from '../base/files.ts';
import { byteText } from '../base/quantity.ts';
import { type Header, HeaderProblem, parseHeader } from './safetensors-header.ts';
import {
  bytesPerElement,
  checkStored,
  elementCount,
  maxRank,
  printable,
  type StoredDType,
  type StoredTensor,
  type StoredTensors,
  shapeProblem,
} from './stored.ts';

/** The reference implementation's cap on the header. */
const maxHeader = 100_000_000;

const dtypes: ReadonlyMap<string, StoredDType> = new Map([
  ['F64', 'float64'],
  ['F32', 'float32'],
  ['F16', 'float16'],
  ['BF16', 'bfloat16'],
  ['I64', 'int64'],
  ['I32', 'int32'],
  ['I16', 'int16'],
  ['I8', 'int8'],
  ['U8', 'uint8'],
  ['BOOL', 'bool'],
]);
const codes = new Map([...dtypes].map(([code, dtype]) => [dtype, code]));
/** In the specification, but nothing here computes with them. */
const foreign = /^(U16|U32|U64|C64|F8_\w+|F6_\w+|F4)$/;

/** What a safetensors file holds. `metadata` has no prototype. */
export interface SafetensorsFile {
  readonly tensors: StoredTensors;
  readonly metadata: Record<string, string>;
}

/**
 * Read a safetensors file. The tensors are views of one buffer that holds the file, in the header's order.
 *
 * @throws UserError naming the file, the tensor and what is wrong
 */
export function readSafetensors(path: string): SafetensorsFile {
  return parseSafetensors(readFileBytes(path).data, path);
}

/** `readSafetensors` on bytes; `name` is how messages call them. */
export function parseSafetensors(bytes: Uint8Array, name: string): SafetensorsFile {
  const start = headerEnd(bytes, bytes.length, name);
  const header = headerOf(bytes.subarray(8, start), name);
  checkLayout(header, bytes.length - start, name);
  const tensors: StoredTensors = new Map();
  for (const [key, { dtype, shape, begin, end }] of header.entries) {
    tensors.set(key, { dtype: dtypes.get(dtype)!, shape, data: bytes.subarray(start + begin, start + end) });
  }
  return { tensors, metadata: header.metadata };
}

/** The metadata of a safetensors file. Reads only the header, so it is quick for any size of file. */
export function readSafetensorsMetadata(path: string): Record<string, string> {
  const { data: prefix, size } = readFileBytes(path, 8);
  const start = headerEnd(prefix, size, path);
  const { data } = readFileBytes(path, start);
  const header = headerOf(data.subarray(8), path);
  checkLayout(header, size - start, path);
  return header.metadata;
}

/**
 * Write a safetensors file, atomically. The same tensors in the same order give the same bytes. The header keeps the
 * order of `tensors`; the data is laid out widest element first, as the reference does, so that every tensor is aligned.
 *
 * @throws UserError if a tensor's bytes do not match its shape, or the file cannot be written
 */
export function writeSafetensors(path: string, tensors: StoredTensors, metadata: Record<string, string> = {}): void {
  const header = Buffer.from(headerText(path, tensors, metadata));
  if (header.length > maxHeader) {
    throw new UserError(
      `cannot write ${path}: its header takes ${byteText(header.length)}, the format allows ${byteText(maxHeader)}`,
    );
  }
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  writeFileAtomic(path, [length, header, ...dataOrder(tensors).map(([, tensor]) => tensor.data)]);
}

const dataOrder = (tensors: StoredTensors): [string, StoredTensor][] =>
  [...tensors].sort(([, a], [, b]) => bytesPerElement[b.dtype] - bytesPerElement[a.dtype]);

function headerText(path: string, tensors: StoredTensors, metadata: Record<string, string>): string {
  const unwritable = (what: string) => new UserError(`cannot write ${path}: ${what}`);
  const offsets = new Map<string, [number, number]>();
  let at = 0;
  for (const [name, tensor] of dataOrder(tensors)) {
    checkStored(path, name, tensor);
    offsets.set(name, [at, at + tensor.data.length]);
    at += tensor.data.length;
  }
  const text = (value: unknown, what: string): string => {
    if (typeof value !== 'string') throw unwritable(`${what} is a ${typeof value}, not a string`);
    if (/\p{Cs}/u.test(value)) throw unwritable(`${what} holds half of a surrogate pair`);
    return JSON.stringify(value);
  };
  const fields: string[] = [];
  const pairs = Object.entries(metadata).map(
    ([key, value]) => `${text(key, `metadata key ${printable(key)}`)}:${text(value, `metadata ${printable(key)}`)}`,
  );
  if (pairs.length > 0) fields.push(`"__metadata__":{${pairs.join(',')}}`);
  for (const [name, { dtype, shape }] of tensors) {
    if (name === '__metadata__') throw unwritable(`'__metadata__' cannot be a tensor's name`);
    const key = text(name, `tensor name ${printable(name)}`);
    fields.push(
      `${key}:{"dtype":"${codes.get(dtype)}","shape":[${shape.join(',')}],"data_offsets":[${offsets.get(name)!.join(',')}]}`,
    );
  }
  const json = `{${fields.join(',')}}`;
  return json + ' '.repeat(-Buffer.byteLength(json) & 7);
}

const invalid = (name: string, what: string, hint?: string): UserError =>
  new UserError(`${name} is not a valid safetensors file: ${what}`, {
    hint: hint ?? 'the file is damaged or was not written as safetensors; download or export it again',
  });

/** Where the header ends, from the file's first 8 bytes and its size. */
function headerEnd(bytes: Uint8Array, size: number, name: string): number {
  if (size < 8) throw invalid(name, `it has only ${byteText(size)}; the header's length alone takes 8`);
  const length = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  if (length > maxHeader) {
    throw invalid(
      name,
      `it begins with a header length of ${byteText(length)}, more than the ${byteText(maxHeader)} allowed`,
    );
  }
  if (Number(length) > size - 8) {
    throw invalid(
      name,
      `its header should have ${byteText(length)}, but the rest of the file has only ${byteText(size - 8)}`,
      cutShort,
    );
  }
  return 8 + Number(length);
}

const cutShort = 'the file was probably cut short while being copied or downloaded; get it again';

function headerOf(bytes: Uint8Array, name: string): Header {
  if (bytes[0] !== 0x7b) throw invalid(name, `its header does not begin with '{'`);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw invalid(name, 'its header is not valid UTF-8');
  }
  try {
    return parseHeader(text, maxRank, printable);
  } catch (error) {
    if (error instanceof HeaderProblem) throw invalid(name, `its header ${error.message}`);
    throw error;
  }
}

/** Every dtype known, every length right, and the tensors together cover the data exactly, without overlap or hole. */
function checkLayout(header: Header, available: number, name: string): void {
  const placed = [...header.entries].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  for (const [key, { dtype, shape, begin, end }] of placed) {
    const tensor = `tensor ${printable(key)}`;
    const known = dtypes.get(dtype);
    if (!known) {
      if (!foreign.test(dtype)) throw invalid(name, `${tensor} has the unknown dtype ${printable(dtype)}`);
      throw new UserError(`${name}: ${tensor} has dtype ${dtype}, which is not supported`, {
        hint: `convert it to one of ${[...dtypes.keys()].join(', ')}`,
      });
    }
    const problem = shapeProblem(shape);
    if (problem) throw invalid(name, `${tensor}: ${problem}`);
    if (begin > end) throw invalid(name, `${tensor} has data_offsets [${begin}, ${end}], which run backwards`);
    const expected = elementCount(shape) * bytesPerElement[known];
    if (end - begin !== expected) {
      throw invalid(
        name,
        `${tensor} is ${dtype} [${shape.join(', ')}], which takes ${byteText(expected)}, but its data_offsets [${begin}, ${end}] give it ${byteText(end - begin)}`,
      );
    }
  }
  let at = 0;
  let last = '';
  for (const [key, { begin, end }] of placed) {
    if (begin < at) throw invalid(name, `tensors ${printable(last)} and ${printable(key)} overlap at offset ${begin}`);
    if (begin > at) throw invalid(name, `there is a hole of ${byteText(begin - at)} before tensor ${printable(key)}`);
    if (end > available) {
      throw invalid(
        name,
        `tensor ${printable(key)} should end at byte ${end} of the data, but the data has only ${byteText(available)}`,
        cutShort,
      );
    }
    at = end;
    last = key;
  }
  if (at < available) throw invalid(name, `it goes on for ${byteText(available - at)} after its last tensor`);
}
