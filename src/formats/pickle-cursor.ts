import { PickleProblem } from './pickle-values.ts';
import { printable } from './stored.ts';

const maxLongBytes = 256;
const maxLine = 1000;

/** Reads the arguments of a pickle's instructions. Every method throws `PickleProblem` where the bytes run out. */
export class PickleCursor {
  at: number;
  readonly size: number;
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private readonly decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

  constructor(bytes: Uint8Array, start: number) {
    this.at = start;
    this.size = bytes.length;
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Step over `count` bytes and return where they began. */
  private take(count: number): number {
    const start = this.at;
    if (count > this.bytes.length - start) throw new PickleProblem('it is cut short');
    this.at = start + count;
    return start;
  }

  /** A length, so never more than there are bytes. */
  u64(): number {
    const value = this.view.getBigUint64(this.take(8), true);
    if (value > this.bytes.length) throw new PickleProblem(`it claims ${value} bytes, more than the file has`);
    return Number(value);
  }

  slice(count: number): Uint8Array {
    const start = this.take(count);
    return this.bytes.subarray(start, start + count);
  }

  text(count: number): string {
    const raw = this.slice(count);
    try {
      return this.decoder.decode(raw);
    } catch {
      throw new PickleProblem('a string is not valid UTF-8');
    }
  }

  /** A Python 2 `str`: text where it is UTF-8, bytes otherwise. */
  oldString(count: number): string | Uint8Array {
    const raw = this.slice(count);
    try {
      return this.decoder.decode(raw);
    } catch {
      return raw;
    }
  }

  /** Text up to a newline. */
  line(): string {
    const end = this.bytes.subarray(this.at, this.at + maxLine).indexOf(0x0a);
    if (end < 0) throw new PickleProblem('a line of text has no end');
    const text = this.text(end);
    this.take(1);
    return text;
  }

  /** A two's complement integer of `count` bytes. */
  long(count: number): number | bigint {
    if (count < 0 || count > maxLongBytes) throw new PickleProblem(`an integer of ${count} bytes is not plausible`);
    const raw = this.slice(count);
    let value = 0n;
    for (let i = count - 1; i >= 0; i--) value = (value << 8n) | BigInt(raw[i]!);
    return plainInteger(BigInt.asIntN(8 * count, value));
  }

  /** Text; protocol 1 writes booleans as 00 and 01. */
  intLine(): number | bigint | boolean {
    const text = this.line();
    if (text === '00' || text === '01') return text === '01';
    if (!/^[-+]?\d{1,600}$/.test(text)) throw new PickleProblem(`${printable(text)} is not an integer`);
    return plainInteger(BigInt(text));
  }

  longLine(): number | bigint {
    const text = this.line().replace(/L$/, '');
    if (!/^[-+]?\d{1,600}$/.test(text)) throw new PickleProblem(`${printable(text)} is not an integer`);
    return plainInteger(BigInt(text));
  }

  u8(): number {
    return this.bytes[this.take(1)]!;
  }

  u16(): number {
    return this.view.getUint16(this.take(2), true);
  }

  u32(): number {
    return this.view.getUint32(this.take(4), true);
  }

  i32(): number {
    return this.view.getInt32(this.take(4), true);
  }

  f64(): number {
    return this.view.getFloat64(this.take(8));
  }
}

/** A number where it is exact, else the bigint. */
function plainInteger(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
