import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { UserError } from '../base/errors.ts';
import { extractTarGz } from './tar.ts';

let root: string;
let archive: string;
let out: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'thrive-tar-'));
  archive = join(root, 'archive.tar.gz');
  out = join(root, 'out');
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

interface Entry {
  name: string;
  data?: Uint8Array;
  type?: string;
  prefix?: string;
  size?: string;
}

/** A ustar archive, written from the POSIX description of the format. */
function tar(entries: Entry[]): Buffer {
  const blocks = entries.flatMap(({ name, data = new Uint8Array(0), type = '0', prefix = '', size }) => {
    const header = Buffer.alloc(512);
    header.write(name, 0);
    header.write('0000644\0', 100);
    header.write(size ?? `${data.length.toString(8).padStart(11, '0')}\0`, 124, 'latin1');
    header.write('        ', 148);
    header.write(type, 156);
    header.write('ustar\x0000', 257, 'latin1');
    header.write(prefix, 345);
    const sum = header.reduce((a, b) => a + b);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    return [header, data, Buffer.alloc((512 - (data.length % 512)) % 512)];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

const bytes = (length: number): Buffer => Buffer.from(Array.from({ length }, (_, i) => (i * 13 + length) & 255));
const write = (entries: Entry[]): void => writeFileSync(archive, gzipSync(tar(entries)));

test('only the named files come out, under their last name', async () => {
  write([
    { name: './set/', type: '5' },
    { name: './set/a.bin', data: bytes(5000) },
    { name: 'set/readme.html', data: bytes(700) },
    { name: 'PaxHeader/b', type: 'x', data: bytes(30) },
    { name: 'b.bin', prefix: 'set', data: bytes(512) },
    { name: 'set/empty.txt' },
  ]);
  await extractTarGz(archive, { 'set/a.bin': 5000, 'set/b.bin': 600, 'set/empty.txt': 10 }, out);
  expect(readdirSync(out).sort()).toEqual(['a.bin', 'b.bin', 'empty.txt']);
  expect(readFileSync(join(out, 'a.bin')).equals(bytes(5000))).toBe(true);
  expect(readFileSync(join(out, 'b.bin')).equals(bytes(512))).toBe(true);
  expect(readFileSync(join(out, 'empty.txt')).length).toBe(0);
});

test('files of any sizes come out whole', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 70_000 }), { minLength: 1, maxLength: 5 }), async (sizes) => {
      write(sizes.map((size, i) => ({ name: `s/${i}`, data: bytes(size) })));
      await extractTarGz(archive, Object.fromEntries(sizes.map((size, i) => [`s/${i}`, size])), out);
      sizes.forEach((size, i) => {
        expect(readFileSync(join(out, `${i}`)).equals(bytes(size))).toBe(true);
      });
    }),
    { numRuns: 20 },
  );
});

describe('what is refused, with the name of the archive', () => {
  const wanted = { 'set/a.bin': 1000 };
  const a = { name: 'set/a.bin', data: bytes(1000) };
  test.each<[string, Entry[], string]>([
    [
      'a path that climbs out',
      [{ name: '../../evil', data: bytes(3) }, a],
      "holds the path '../../evil', which leads out of its folder",
    ],
    ['one inside a path', [{ name: 'set/../../evil', data: bytes(3) }, a], 'leads out of its folder'],
    ['an absolute path', [{ name: '/etc/passwd', data: bytes(3) }, a], "holds the path '/etc/passwd'"],
    ["Windows' ways of the same", [{ name: 'c:\\evil' }, a], 'leads out of its folder'],
    [
      'a link in place of the file',
      [{ name: 'set/a.bin', type: '2' }],
      "holds 'set/a.bin' as something else than a plain file",
    ],
    ['a file twice', [a, a], "holds 'set/a.bin' twice"],
    [
      'a file too large',
      [{ name: 'set/a.bin', data: bytes(1001) }],
      "holds 'set/a.bin' of 1001 bytes; at most 1000 expected",
    ],
    ['a file missing', [{ name: 'set/b.bin', data: bytes(4) }], 'does not contain set/a.bin'],
    ['a size that is no number', [{ ...a, size: 'not a size!\0' }], 'holds a file of impossible size'],
    [
      'a size in the binary extension',
      [{ ...a, size: '\x80\0\0\0\0\0\0\x01\0\0\0\0' }],
      'holds a file of impossible size',
    ],
  ])('%s', async (_, entries, message) => {
    write(entries);
    await expect(extractTarGz(archive, wanted, out)).rejects.toThrow(UserError);
    await expect(extractTarGz(archive, wanted, out)).rejects.toThrow(
      `${archive} ${message.startsWith('leads') ? 'holds the path' : message}`,
    );
    await expect(extractTarGz(archive, wanted, out)).rejects.toThrow(message);
    expect(existsSync(join(root, 'evil'))).toBe(false);
    expect(existsSync(join(root, '..', 'evil'))).toBe(false);
  });

  test.each<[string, Uint8Array, string]>([
    ['a gzip cut short', gzipSync(tar([a])).subarray(0, -12), 'is truncated: its gzip stream ends early'],
    ['a tar cut short', gzipSync(tar([a]).subarray(0, 700)), 'is truncated: it ends within a file'],
    ['no gzip', tar([a]), 'is not a gzip file, or a damaged one'],
    ['no tar', gzipSync(bytes(2000)), 'is not a tar archive, or a damaged one'],
    ['an empty file', new Uint8Array(0), 'is truncated: its gzip stream ends early'],
  ])('%s', async (_, file, message) => {
    writeFileSync(archive, file);
    await expect(extractTarGz(archive, wanted, out)).rejects.toThrow(UserError);
    await expect(extractTarGz(archive, wanted, out)).rejects.toThrow(message);
  });

  test('a bomb: gigabytes of what is not wanted', async () => {
    write([{ name: 'set/filler', data: new Uint8Array(80 * 2 ** 20) }, a]);
    await expect(extractTarGz(archive, wanted, out)).rejects.toThrow(
      'unpacks to more than the 67109864 bytes it should',
    );
  });

  test('no archive at all', async () => {
    await expect(extractTarGz(join(root, 'none.tar.gz'), wanted, out)).rejects.toThrow(
      'there is no such file or folder',
    );
  });
});
