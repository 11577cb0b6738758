import { describe, expect, it } from 'vitest';
import {
  dict,
  global,
  int,
  join,
  legacyCheckpoint,
  little,
  type Part,
  program,
  reduce,
  tensor,
  text,
  tuple,
} from '../../test/fixtures/formats/assemble.ts';
import { described, refusal } from '../../test/fixtures/formats/fixtures.ts';
import { parsePth } from './pth.ts';
import type { StoredTensor } from './stored.ts';

const storage = new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer);
const parse = (bytes: Uint8Array) => parsePth(bytes, 'x.pth');

/** `(key of the view, start, size)` in the persistent id, as PyTorch 0.3 wrote views of a storage. */
function view(start: number, length: number): Uint8Array {
  const id = tuple(
    text('storage'),
    global('torch', 'FloatStorage'),
    text('0'),
    text('cpu'),
    int(4),
    tuple(text('v'), int(start), int(length)),
  );
  return program(reduce(global('torch._utils', '_rebuild_tensor'), [id, 'Q'], int(0), tuple(int(2)), tuple(int(1))));
}

it('reads a view of a storage', async () => {
  const value = (await parse(legacyCheckpoint(view(1, 3), [['0', 4, storage]]))) as StoredTensor;
  expect(described(value).hex).toBe('0000004000004040'); // 2, 3
});

it('reads storages in the order of the keys', async () => {
  const both = program(
    ']',
    tensor({ key: 'b', storage: 'ByteStorage', count: 1, size: [1] }),
    'a',
    tensor({ key: 'a', count: 4 }),
    'a',
  );
  const value = (await parse(
    legacyCheckpoint(both, [
      ['a', 4, storage],
      ['b', 1, Uint8Array.of(9)],
    ]),
  )) as StoredTensor[];
  expect(value.map(described).map(({ hex }) => hex)).toEqual(['09', Buffer.from(storage).toString('hex')]);
});

describe('refused', () => {
  const good = program(tensor());
  let bomb: Part = ']';
  for (let i = 0; i < 60; i++) bomb = [bomb, 'q', 0, 'h', 0, 0x86];
  it.each<[string, Uint8Array, RegExp]>([
    [
      'a storage count that lies',
      legacyCheckpoint(good, [['0', 5, storage]]),
      /storage '0' should have 4 elements, it says 5/,
    ],
    [
      'a storage count of 2^63 - 1',
      legacyCheckpoint(good, [['0', 2n ** 63n - 1n, storage]]),
      /it says 9223372036854775807/,
    ],
    ['a negative storage count', legacyCheckpoint(good, [['0', -1, storage]]), /it says -1/],
    [
      'a storage cut short',
      legacyCheckpoint(good, [['0', 4, storage.subarray(1)]]),
      /storage '0' should have 16 bytes, but the file has only 15 bytes left/,
    ],
    ['a storage that is missing', legacyCheckpoint(good, []), /data of storage '0' is missing/],
    ['an unused storage', legacyCheckpoint(program('N'), [['0', 4, storage]]), /no tensor uses storage '0'/],
    [
      'a storage twice',
      legacyCheckpoint(good, [
        ['0', 4, storage],
        ['0', 4, storage],
      ]),
      /storage '0' is there twice/,
    ],
    ['a key list that is none', legacyCheckpoint(good, [], '}'), /no list of storages/],
    ['a key that is a number', legacyCheckpoint(good, [], [']', int(5), 'a']), /no tensor uses storage 5/],
    [
      'a key that is endless as text',
      legacyCheckpoint(good, [], [']', bomb, 'a']),
      /no tensor uses storage a list of 2/,
    ],
    [
      'a storage described in two ways',
      legacyCheckpoint(program(tensor(), tensor({ count: 5 }), 0x86), [['0', 4, storage]]),
      /described in two ways/,
    ],
    [
      'a view beyond its storage',
      legacyCheckpoint(view(2, 3), [['0', 4, storage]]),
      /view of storage '0' does not lie inside it/,
    ],
    [
      'a tensor beyond its view',
      legacyCheckpoint(view(3, 1), [['0', 4, storage]]),
      /ends at element 2 of a storage of 1/,
    ],
    [
      'another protocol',
      join(program(0x8a, 10, Buffer.from('6cfc9c46f9206aa85019', 'hex')), program('M', little(1000, 2))),
      /protocol is 1000, not 1001/,
    ],
    [
      'a big-endian machine',
      join(
        program(0x8a, 10, Buffer.from('6cfc9c46f9206aa85019', 'hex')),
        program('M', little(1001, 2)),
        program(dict(text('little_endian'), 0x89)),
      ),
      /big-endian/,
    ],
    [
      'code',
      legacyCheckpoint(program(reduce(global('posix', 'system'), text('id')))),
      /asks Python to run 'posix\.system'/,
    ],
    [
      'code in the magic number',
      program(reduce(global('posix', 'system'), text('id'))),
      /asks Python to run 'posix\.system'/,
    ],
    [
      'a storage in the key list',
      legacyCheckpoint(good, [], [tuple(text('storage')), 'Q']),
      /refers to an object outside itself/,
    ],
  ])('%s', async (_, bytes, message) => {
    expect(await refusal(() => parse(bytes))).toMatch(message);
  });

  it('every way of cutting it short', async () => {
    const whole = legacyCheckpoint(good, [['0', 4, storage]]);
    for (let length = 2; length < whole.length; length++) {
      expect(await refusal(() => parse(whole.subarray(0, length)))).toMatch(
        /^x\.pth (is damaged|holds a pickle that cannot be read)/,
      );
    }
  });
});
