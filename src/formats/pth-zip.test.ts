import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32, deflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { program, tensor, type ZipEntry, zip, zipCheckpoint } from '../../test/fixtures/formats/assemble.ts';
import { refusal, temporaryFolder } from '../../test/fixtures/formats/fixtures.ts';
import { pythonWithTorch, runPython } from '../../test/fixtures/formats/python.ts';
import { because } from '../../test/shared.ts';
import { parsePth } from './pth.ts';

const folder = temporaryFolder();
const parse = (bytes: Uint8Array) => parsePth(bytes, 'x.pth');
const pickle: ZipEntry = { name: 'a/data.pkl', data: program('K', 5) };
const file = (name: string, content: string | Uint8Array = ''): ZipEntry => ({ name, data: Buffer.from(content) });

describe('accepted', () => {
  it('any name of the archive, also with a byte order and other entries, as PyTorch 2 writes', async () => {
    expect(await parse(zip([pickle]))).toBe(5);
    expect(await parse(zip([{ ...pickle, name: 'data.pkl' }]))).toBe(5);
    const two = [
      pickle,
      file('a/.format_version', '1'),
      file('a/.storage_alignment', '64'),
      file('a/byteorder', 'little'),
      file('a/version', '3\n'),
      file('a/.data/serialization_id', '0123'),
    ];
    expect(await parse(zip(two))).toBe(5);
  });

  it('a checksum of 0: PyTorch was told not to compute any', async () => {
    expect(await parse(zip([{ ...pickle, crc: 0 }]))).toBe(5);
  });
});

describe('refused', () => {
  const data = Buffer.alloc(1000);
  const packed = deflateRawSync(Buffer.alloc(50_000_000));
  it.each<[string, Uint8Array, RegExp]>([
    [
      'a wrong checksum',
      zip([{ ...pickle, crc: 1 }]),
      /x\.pth is damaged: the checksum of 'a\/data\.pkl' is wrong \| copy or download it again/,
    ],
    [
      'a storage with a wrong checksum',
      zip([
        { name: 'a/data.pkl', data: program(tensor()) },
        { name: 'a/data/0', data: new Uint8Array(16), crc: 5 },
      ]),
      /checksum of 'a\/data\/0'/,
    ],
    [
      'a compressed pickle',
      zip([{ ...pickle, data: deflateRawSync(pickle.data), method: 8, size: 3 }]),
      /'a\/data\.pkl' in it is compressed, which PyTorch never does/,
    ],
    [
      'a zip bomb',
      zip([
        pickle,
        { name: 'a/data/0', data: packed, method: 8, size: 50_000_000, crc: crc32(Buffer.alloc(50_000_000)) },
      ]),
      /is compressed/,
    ],
    [
      'a stored entry that claims another size',
      zip([{ ...pickle, size: 4_000_000_000 }]),
      /zip directory is wrong: .*size mismatch/,
    ],
    [
      'an entry larger than the file',
      zip([pickle, { name: 'a/data/0', data, size: 1e9, packed: 1e9 }]),
      /claim more than the [\d,]+ bytes of the file/,
    ],
    [
      'entries that overlap',
      zip([
        pickle,
        file('a/data/big', data),
        ...Array.from({ length: 50 }, (_, i) => ({
          ...file(`a/data/${i}`),
          offset: 30 + pickle.name.length + pickle.data.length,
          size: 1000,
          packed: 1000,
        })),
      ]),
      /claim more than/,
    ],
    ['an entry that lies beyond the end', zip([{ ...pickle, offset: 1e6 }]), /was cut short|zip directory/],
    ['an entry without a header', zip([{ ...pickle, offset: 3 }]), /invalid local file header/],
    ['a directory beyond the end', zip([pickle], { offset: 1e6 }), /cut short/],
    ['a directory that is elsewhere', zip([pickle], { offset: 1 }), /invalid central directory/],
    ['more entries than there are', zip([pickle], { count: 2 }), /zip directory is wrong|cut short/],
    ['an encrypted entry', zip([{ ...pickle, flags: 1, packed: pickle.data.length + 12 }]), /is encrypted/],
    ['the same name twice', zip([pickle, pickle]), /holds 'a\/data\.pkl' twice/],
    ['a name that climbs out', zip([pickle, file('../../etc/passwd')]), /invalid relative path/],
    ['an absolute name', zip([pickle, file('/etc/passwd')]), /absolute path/],
    ['a name that would disturb a terminal', zip([pickle, file('/\u001b[2J')]), /\\u\{1b\}|absolute path/],
    ['big-endian numbers', zip([pickle, file('a/byteorder', 'big')]), /byte order 'big'/],
    ['a version of the future', zip([pickle, file('a/version', '11\n')]), /format version is '11', known are 1 to 10/],
    [
      'TorchScript',
      zip([pickle, file('a/constants.pkl'), file('a/code/x.py')]),
      /TorchScript archive .* \| save the weights with PyTorch: torch\.save\(torch\.jit\.load\("x\.pth"\)\.state_dict/,
    ],
    ['old TorchScript', zip([file('a/model.json')]), /TorchScript archive/],
    ['a NumPy archive', zip([file('w.npy')]), /is a NumPy archive \(\.npz\), but not a PyTorch checkpoint/],
    [
      'another zip',
      zip([file('readme.txt')]),
      /is a zip file, but not a PyTorch checkpoint: it has no data\.pkl \| it holds 'readme\.txt'/,
    ],
    ['an empty zip', zip([]), /it has no data\.pkl \| it is empty/],
    ['a pickle two folders down', zip([file('a/b/data.pkl')]), /it has no data\.pkl/],
  ])('%s', async (_, bytes, message) => {
    expect(await refusal(() => parse(bytes))).toMatch(message);
  });

  it('every way of cutting it short, and bytes after it', async () => {
    const whole = zipCheckpoint(program(tensor()), { 0: new Uint8Array(16) });
    for (let length = 4; length < whole.length; length++) {
      expect(await refusal(() => parse(whole.subarray(0, length)))).toMatch(/damaged: the zip file was cut short/);
    }
    expect(await refusal(() => parse(Buffer.concat([whole, Buffer.alloc(3)])))).toMatch(/cut short or has extra bytes/);
  });

  it.skipIf(!pythonWithTorch)(
    `a TorchScript archive that PyTorch wrote${because(pythonWithTorch, 'a Python with PyTorch')}`,
    async () => {
      const path = join(folder, 'script.pt');
      runPython('import sys, torch; torch.jit.save(torch.jit.script(torch.nn.Linear(2, 1)), sys.argv[1])', [path]);
      expect(await refusal(() => parse(readFileSync(path)))).toMatch(/TorchScript archive/);
    },
  );
});
