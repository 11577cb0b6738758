/*
 * TensorBoard's event files: TFRecords (length, masked CRC-32C, payload, masked CRC-32C) of `Event` protocol buffers.
 * tensorflow/core/util/event.proto, framework/summary.proto, lib/io/record_writer.h.
 */
import { closeSync, fsyncSync, ftruncateSync, mkdirSync, openSync, readdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { errorCode, UserError } from '../base/errors.ts';
import { withFileErrors, writeFully } from '../base/files.ts';
import { maskedCrc32c } from './crc32c.ts';
import { printable, shown } from './stored.ts';

export interface EventWriterOptions {
  /**
   * The first step this writer will record when a run goes on after an interruption. TensorBoard then forgets what earlier
   * files say of this step and later ones, as those will be done again.
   */
  readonly resumeAt?: number;
}

/**
 * Writes scalars for TensorBoard. Every writer makes a file of its own in the run's folder, named to sort after those there
 * are: TensorBoard reads a run's files in that order as one, and a record that a crash cut short stays the last of its file.
 * Each record reaches the operating system before `scalar` returns; `close` also flushes it to the disk.
 *
 * @example
 * const events = new EventWriter('runs/a');
 * events.scalar('train/loss', 100, 2.31);
 * events.close();
 */
export class EventWriter {
  readonly path: string;
  private fd: number | undefined;
  private size = 0;

  /** @throws UserError if the file cannot be made */
  constructor(folder: string, options: EventWriterOptions = {}) {
    const { resumeAt } = options;
    if (resumeAt !== undefined) checkStep(resumeAt);
    [this.path, this.fd] = withFileErrors('write', folder, () => create(folder));
    const now = Date.now() / 1000;
    this.append(event(now, 0, (writer) => writer.tag(3, WireType.LengthDelimited).string('brain.Event:2')));
    if (resumeAt === undefined) return;
    this.append(
      event(now, resumeAt, (writer) => {
        // SessionLog { Status status = 1 }, START being 1.
        writer.tag(7, WireType.LengthDelimited).fork();
        writer.tag(1, WireType.Varint).int32(1).join();
      }),
    );
  }

  /**
   * Record one value, kept in single precision.
   *
   * @param tag its name; parts before a `/` group the charts
   * @param wallTime seconds since 1970
   * @throws UserError if it cannot be written; the file then ends with the record before
   */
  scalar(tag: string, step: number, value: number, wallTime: number = Date.now() / 1000): void {
    checkStep(step);
    if (tag === '') throw new UserError('a scalar for TensorBoard needs a tag');
    if (typeof value !== 'number')
      throw new UserError(`the value of ${printable(tag)} is ${shown(value)}, not a number`);
    this.append(
      event(wallTime, step, (writer) => {
        // Summary { repeated Value value = 1 }, Value { string tag = 1; float simple_value = 2 }
        writer.tag(5, WireType.LengthDelimited).fork();
        writer.tag(1, WireType.LengthDelimited).fork();
        writer.tag(1, WireType.LengthDelimited).string(tag);
        writer.tag(2, WireType.Bit32).float(Math.fround(value)).join().join();
      }),
    );
  }

  /** Flush to the disk and close. Further calls do nothing. */
  close(): void {
    const fd = this.fd;
    if (fd === undefined) return;
    this.fd = undefined;
    withFileErrors('write', this.path, () => {
      try {
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
    });
  }

  private append(payload: Uint8Array): void {
    const fd = this.fd;
    if (fd === undefined) throw new UserError(`cannot write ${this.path}: it was closed`);
    const record = frame(payload);
    withFileErrors('write', this.path, () => {
      try {
        writeFully(fd, record);
      } catch (error) {
        this.takeBack(fd);
        throw error;
      }
    });
    this.size += record.length;
  }

  /** Half a record would hide all that come after it. */
  private takeBack(fd: number): void {
    try {
      ftruncateSync(fd, this.size);
    } catch {
      // The error that led here says more.
    }
  }
}

/** A new file whose name sorts after every other event file in the folder. */
function create(folder: string): [path: string, fd: number] {
  mkdirSync(folder, { recursive: true });
  const times = readdirSync(folder).map((file) => Number(/^events\.out\.tfevents\.(\d{10})\./.exec(file)?.[1] ?? 0));
  const host = hostname().replace(/[^\w.-]/g, '_') || 'host';
  let time = Math.max(Math.floor(Date.now() / 1000), 1 + Math.max(0, ...times));
  for (; ; time++) {
    const path = join(folder, `events.out.tfevents.${String(time).padStart(10, '0')}.${host}.${process.pid}`);
    try {
      // 'ax': for appending, and fails where the file exists, as when two processes start in the same second.
      return [path, openSync(path, 'ax')];
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw error;
    }
  }
}

function checkStep(step: number): void {
  if (!Number.isSafeInteger(step) || step < 0) throw new UserError(`step ${shown(step)} is not a non-negative integer`);
}

/** `Event { double wall_time = 1; int64 step = 2; … }`; `what` writes the rest. */
function event(wallTime: number, step: number, what: (writer: BinaryWriter) => void): Uint8Array {
  const writer = new BinaryWriter();
  writer.tag(1, WireType.Bit64).double(wallTime);
  if (step !== 0) writer.tag(2, WireType.Varint).int64(step);
  what(writer);
  return writer.finish();
}

function frame(payload: Uint8Array): Uint8Array {
  const record = Buffer.alloc(12 + payload.length + 4);
  record.writeBigUInt64LE(BigInt(payload.length), 0);
  record.writeUInt32LE(maskedCrc32c(record.subarray(0, 8)), 8);
  record.set(payload, 12);
  record.writeUInt32LE(maskedCrc32c(payload), 12 + payload.length);
  return record;
}
