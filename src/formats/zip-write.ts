/*
 * A zip file of stored (uncompressed) entries whose data are aligned, as PyTorch lays them out so that they can be mapped
 * into memory: padding goes into an extra field with id 'FB'. PKWARE APPNOTE 4.3; caffe2/serialize/inline_container.cc.
 */

import { crc32 } from 'node:zlib';
import { UserError } from '../base/errors.ts';
import { byteText } from '../base/quantity.ts';

const alignment = 64;
/** 1 January 1980, the first day the format knows: the same content gives the same bytes on any day. */
const dosDate = 0x21;
const stored = 0;
const utf8Names = 0x0800;

/**
 * The pieces of a zip file, in order. Names must be unique; they are not checked.
 *
 * @throws UserError where it would need the 64-bit extension (4 GB, 65,535 entries)
 */
export function zipChunks(path: string, entries: Iterable<readonly [name: string, data: Uint8Array]>): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let at = 0;
  const add = (chunk: Uint8Array) => {
    chunks.push(chunk);
    at += chunk.length;
  };
  for (const [text, data] of entries) {
    const name = Buffer.from(text);
    const start = at;
    const crc = crc32(data);
    const padding = (-(start + 30 + name.length + 4) % alignment) + alignment;
    const local = Buffer.alloc(30 + name.length + 4 + padding, 'Z');
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(10, 4);
    common(local, 6, crc, data.length, name.length, 4 + padding);
    name.copy(local, 30);
    local.write('FB', 30 + name.length, 'latin1');
    local.writeUInt16LE(padding, 32 + name.length);
    const central = Buffer.alloc(46 + name.length);
    central.writeUInt32LE(0x02014b50, 0);
    central.writeUInt16LE(10, 4);
    central.writeUInt16LE(10, 6);
    common(central, 8, crc, data.length, name.length, 0);
    central.writeUInt32LE(start, 42);
    name.copy(central, 46);
    directory.push(central);
    add(local);
    add(data);
    // Leaves room for the directory itself.
    if (at > 0xf0000000 || directory.length >= 0xffff) {
      throw new UserError(
        `cannot write ${path}: more than ${byteText(0xf0000000)} or 65534 tensors do not fit this format`,
        {
          hint: 'write safetensors instead',
        },
      );
    }
  }
  const directoryStart = at;
  for (const record of directory) add(record);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(directory.length, 8);
  end.writeUInt16LE(directory.length, 10);
  end.writeUInt32LE(at - directoryStart, 12);
  end.writeUInt32LE(directoryStart, 16);
  add(end);
  return chunks;
}

/** The fields that local header and directory have in the same order, from the flags on. */
function common(
  header: Buffer,
  from: number,
  crc: number,
  size: number,
  nameLength: number,
  extraLength: number,
): void {
  header.writeUInt16LE(utf8Names, from);
  header.writeUInt16LE(stored, from + 2);
  header.writeUInt16LE(0, from + 4);
  header.writeUInt16LE(dosDate, from + 6);
  header.writeUInt32LE(crc, from + 8);
  header.writeUInt32LE(size, from + 12);
  header.writeUInt32LE(size, from + 16);
  header.writeUInt16LE(nameLength, from + 20);
  header.writeUInt16LE(extraLength, from + 22);
}
