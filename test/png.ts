/** @file A reader of PNG files for tests, from the specification. */
import { inflateSync } from 'node:zlib';
import { expect } from 'vitest';

/** CRC-32 as the PNG specification writes it out, bit by bit. */
function crc(bytes: Uint8Array): number {
  let register = 0xffffffff;
  for (const byte of bytes) {
    register ^= byte;
    for (let bit = 0; bit < 8; bit++) register = register & 1 ? (register >>> 1) ^ 0xedb88320 : register >>> 1;
  }
  return (register ^ 0xffffffff) >>> 0;
}

/** Chunks of a file, their checksums verified. */
function chunksOf(file: Buffer): { type: string; content: Buffer }[] {
  const chunks: { type: string; content: Buffer }[] = [];
  for (let at = 8; at < file.length; ) {
    const length = file.readUInt32BE(at);
    const body = file.subarray(at + 4, at + 8 + length);
    expect(file.readUInt32BE(at + 8 + length)).toBe(crc(body));
    chunks.push({ type: body.toString('latin1', 0, 4), content: body.subarray(4) });
    at += 12 + length;
  }
  return chunks;
}

/** The pixels of an RGB file whose rows are filtered by "none" or "up". */
export function decode(file: Buffer): { width: number; height: number; data: Uint8Array } {
  expect(file.toString('latin1', 0, 8)).toBe('\x89PNG\r\n\x1a\n');
  const chunks = chunksOf(file);
  expect(chunks.map(({ type }) => type)).toEqual(['IHDR', 'IDAT', 'IEND']);
  const header = chunks[0]!.content;
  expect([...header.subarray(8)]).toEqual([8, 2, 0, 0, 0]); // 8 bits, RGB, no interlacing
  const [width, height] = [header.readUInt32BE(0), header.readUInt32BE(4)];
  const rows = inflateSync(chunks[1]!.content);
  const data = new Uint8Array(3 * width * height);
  for (let y = 0; y < height; y++) {
    const from = y * (3 * width + 1);
    expect([0, 2]).toContain(rows[from]);
    for (let i = 0; i < 3 * width; i++) {
      const above = rows[from] === 2 && y > 0 ? data[(y - 1) * 3 * width + i]! : 0;
      data[y * 3 * width + i] = rows[from + 1 + i]! + above;
    }
  }
  return { width, height, data };
}
