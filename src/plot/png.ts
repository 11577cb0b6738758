/** @file PNG files of 8-bit RGB pixels (ISO/IEC 15948). Node.js has both halves of the work, deflate and CRC-32. */
import { crc32, deflateSync } from 'node:zlib';

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);

function chunk(type: string, content: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), content]);
  const framed = Buffer.alloc(body.length + 8);
  framed.writeUInt32BE(content.length, 0);
  framed.set(body, 4);
  framed.writeUInt32BE(crc32(body), body.length + 4);
  return framed;
}

/** The file of an RGB image, 3 · width · height bytes row by row. */
export function encodePng({ data, width, height }: { data: Uint8Array; width: number; height: number }): Buffer {
  const row = 3 * width;
  if (data.length !== row * height) throw new RangeError(`${data.length} bytes are no image of ${width} by ${height}`);
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = 8; // bits a channel
  header[9] = 2; // red, green, blue
  // Each row as its difference from the one above: enlarged images repeat their rows, which then are zeros.
  const UP = 2;
  const filtered = Buffer.alloc((row + 1) * height);
  for (let y = 0; y < height; y++) {
    const to = y * (row + 1);
    filtered[to] = UP;
    for (let i = 0; i < row; i++) {
      filtered[to + 1 + i] = data[y * row + i]! - (y > 0 ? data[(y - 1) * row + i]! : 0);
    }
  }
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(filtered, { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}
