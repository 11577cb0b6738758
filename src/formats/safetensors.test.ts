import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { safetensors } from '../../test/fixtures/formats/assemble.ts';
import { describedAll, fixture, refusal, saved, temporaryFolder } from '../../test/fixtures/formats/fixtures.ts';
import { parseSafetensors, readSafetensors, readSafetensorsMetadata, writeSafetensors } from './safetensors.ts';
import { bytesPerElement, elementCount, type StoredDType, type StoredTensors } from './stored.ts';

const folder = temporaryFolder();
const one = { dtype: 'U8', shape: [2], data_offsets: [0, 2] };
const two = Uint8Array.of(7, 8);
const parse = (header: unknown, data?: Uint8Array, length?: number | bigint) =>
  parseSafetensors(safetensors(header, data, length), 'x.safetensors');

describe('reading', () => {
  it('reads what the reference implementation wrote', () => {
    const { tensors, metadata } = readSafetensors(fixture('reference.safetensors'));
    expect(describedAll(tensors)).toEqual({
      'b.weight': { dtype: 'float32', shape: [2, 3], hex: '000000000000803e0000003f0000403f0000803f0000a03f' },
      'a.flag': { dtype: 'bool', shape: [3], hex: '010001' },
      'c.count': { dtype: 'int64', shape: [], hex: '0000000000ffffff' },
      'd.half': { dtype: 'float16', shape: [2], hex: '003e00c0' },
      'e.empty': { dtype: 'uint8', shape: [0, 4], hex: '' },
      'quoted "name" é\n': { dtype: 'int8', shape: [2], hex: '01ff' },
    });
    expect({ ...metadata }).toEqual({ format: 'np', epoch: '7' });
    expect({ ...readSafetensorsMetadata(fixture('reference.safetensors')) }).toEqual({ format: 'np', epoch: '7' });
  });

  it('accepts an empty file of tensors, padding, and several empty tensors at one place', () => {
    expect(parse('{}').tensors.size).toBe(0);
    expect(parse('{ }  \n').tensors.size).toBe(0);
    const empty = { dtype: 'F32', shape: [0], data_offsets: [2, 2] };
    expect([...parse({ a: empty, b: empty, c: one }, two).tensors.keys()]).toEqual(['a', 'b', 'c']);
  });

  it('treats __proto__ as a name like any other', () => {
    const { tensors, metadata } = parse(
      '{"__metadata__":{"__proto__":"x","constructor":"y"},"__proto__":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}',
      two,
    );
    expect([...tensors.get('__proto__')!.data]).toEqual([7, 8]);
    expect(Object.getPrototypeOf(metadata)).toBeNull();
    expect(Object.entries(metadata)).toEqual([
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ]);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    const path = join(folder, 'proto.safetensors');
    writeSafetensors(path, tensors, metadata);
    expect([...readSafetensors(path).tensors.keys()]).toEqual(['__proto__']);
    expect(Object.keys(readSafetensorsMetadata(path))).toEqual(['__proto__', 'constructor']);
  });
});

describe('refusals', () => {
  const entry = (change: object) => ({ w: { ...one, ...change } });
  const cases: [string, () => unknown, RegExp][] = [
    ['fewer than 8 bytes', () => parseSafetensors(Uint8Array.of(1, 2), 'x.safetensors'), /only 2 bytes/],
    [
      'a header longer than the file',
      () => parse('{}', undefined, 3),
      /should have 3 bytes, but the rest of the file has only 2 bytes/,
    ],
    ['a header over 100 MB', () => parse('{}', undefined, 100_000_001), /header length of 100,000,001 bytes/],
    ['a header length of 2^64 - 1', () => parse('{}', undefined, 2n ** 64n - 1n), /18,446,744,073,709,551,615/],
    ['an empty header', () => parse('', undefined, 0), /does not begin with '{'/],
    ['a space before the brace', () => parse(' {}'), /does not begin with '{'/],
    [
      'bad UTF-8',
      () => parseSafetensors(Buffer.from('0300000000000000' + '7bff7d', 'hex'), 'x.safetensors'),
      /not valid UTF-8/,
    ],
    ['broken JSON', () => parse('{"w":'), /ends where '{' belongs/],
    ['text after the header', () => parse('{} {}'), /goes on after its closing brace/],
    ['a trailing comma', () => parse('{"__metadata__":{},}'), /'"' expected/],
    ['an unfinished string', () => parse('{"w'), /ends inside a string/],
    ['a bad escape', () => parse('{"\\x":1}'), /bad escape/],
    ['half a surrogate pair', () => parse('{"\\ud800":1}'), /surrogate/],
    ['a line break in a name', () => parse('{"a\nb":1}'), /control character/],
    [
      'a name twice',
      () => parse(`{"w":${JSON.stringify(one)},"\\u0077":${JSON.stringify(one)}}`, two),
      /has tensor 'w' twice/,
    ],
    ['a field twice', () => parse('{"w":{"dtype":"U8","dtype":"U8"}}'), /field 'dtype' of tensor 'w' twice/],
    ['a metadata key twice', () => parse('{"__metadata__":{"a":"1","a":"2"}}'), /metadata key 'a' twice/],
    ['metadata that is not text', () => parse('{"__metadata__":{"a":1}}'), /'"' expected/],
    ['an unknown field', () => parse(entry({ extra: 1 }), two), /unknown field 'extra' in tensor 'w'/],
    ['a missing field', () => parse('{"w":{"dtype":"U8","shape":[2]}}', two), /no data_offsets for tensor 'w'/],
    ['an unknown dtype', () => parse(entry({ dtype: 'Q7' }), two), /tensor 'w' has the unknown dtype 'Q7'/],
    [
      'a dtype nothing here knows',
      () => parse(entry({ dtype: 'F8_E4M3' }), two),
      /dtype F8_E4M3, which is not supported \| convert it to/,
    ],
    [
      'a negative size',
      () => parse(entry({ shape: [-2] }), two),
      /shape of tensor 'w' -2 where a non-negative integer/,
    ],
    ['a fractional size', () => parse(entry({ shape: [1.5] }), two), /1\.5 where/],
    ['a size in exponents', () => parse('{"w":{"dtype":"U8","shape":[2e0],"data_offsets":[0,2]}}', two), /2e0 where/],
    [
      'a size with a leading zero',
      () => parse('{"w":{"dtype":"U8","shape":[02],"data_offsets":[0,2]}}', two),
      /02 where/,
    ],
    [
      'a huge size',
      () => parse('{"w":{"dtype":"U8","shape":[18446744073709551617],"data_offsets":[0,2]}}', two),
      /too large/,
    ],
    ['sizes whose product overflows', () => parse(entry({ shape: [2 ** 40, 2 ** 40] }), two), /too many elements/],
    [
      'overflow hidden behind a zero',
      () => parse(entry({ shape: [2 ** 40, 2 ** 40, 0], data_offsets: [0, 0] }), two),
      /too many elements/,
    ],
    ['65 dimensions', () => parse(entry({ shape: new Array(65).fill(1) }), two), /more than 64 numbers/],
    ['nested arrays', () => parse('{"w":{"dtype":"U8","shape":[[', two), /missing where/],
    ['one offset', () => parse(entry({ data_offsets: [0] }), two), /has 1 data_offsets/],
    ['three offsets', () => parse(entry({ data_offsets: [0, 2, 2] }), two), /more than 2 numbers/],
    ['offsets that run backwards', () => parse(entry({ data_offsets: [2, 0] }), two), /run backwards/],
    [
      'a length that does not match the shape',
      () => parse(entry({ shape: [3] }), two),
      /U8 \[3\], which takes 3 bytes, but .* give it 2 bytes/,
    ],
    [
      'an offset beyond the end',
      () => parse(entry({ shape: [3], data_offsets: [0, 3] }), two),
      /end at byte 3 of the data, but the data has only 2 bytes/,
    ],
    [
      'an offset beyond 2^53',
      () => parse('{"w":{"dtype":"U8","shape":[2],"data_offsets":[9007199254740993,9007199254740995]}}', two),
      /too large/,
    ],
    [
      'overlap',
      () => parse({ a: one, b: { ...one, data_offsets: [1, 3] } }, Uint8Array.of(1, 2, 3)),
      /'a' and 'b' overlap at offset 1/,
    ],
    ['two tensors in one place', () => parse({ a: one, b: one }, two), /overlap/],
    [
      'a hole',
      () => parse(entry({ data_offsets: [1, 3] }), Uint8Array.of(1, 2, 3)),
      /a hole of 1 byte before tensor 'w'/,
    ],
    [
      'bytes after the last tensor',
      () => parse({ w: one }, Uint8Array.of(1, 2, 3)),
      /goes on for 1 byte after its last tensor/,
    ],
    ['data without tensors', () => parse('{}', two), /goes on for 2 bytes/],
  ];
  it.each(cases)('%s', async (_, run, message) => {
    const text = await refusal(run);
    expect(text).toMatch(/^x\.safetensors/);
    expect(text).toMatch(message);
  });

  it('come from reading only the metadata too', async () => {
    const path = saved(folder, 'cut.safetensors', safetensors({ w: one }, two.subarray(1)));
    expect(await refusal(() => readSafetensorsMetadata(path))).toMatch(/cut\.safetensors .*the data has only 1 byte/);
  });

  it('a deeply nested header is refused without deep recursion', async () => {
    expect(await refusal(() => parse(`{"w":${'['.repeat(1_000_000)}`))).toMatch(/'{' expected/);
    expect(await refusal(() => parse('{"w":{"shape":'.repeat(300_000)))).toMatch(/unknown field|expected/);
  });
});

describe('writing', () => {
  const dtype = fc.constantFrom(...(Object.keys(bytesPerElement) as StoredDType[]));
  const tensor = fc.tuple(dtype, fc.array(fc.nat(4), { maxLength: 3 })).chain(([dtype, shape]) => {
    const length = elementCount(shape) * bytesPerElement[dtype];
    return fc.uint8Array({ minLength: length, maxLength: length }).map((data) => ({ dtype, shape, data }));
  });
  const name = fc.string({ unit: 'grapheme', maxLength: 12 }).filter((text) => text !== '__metadata__');

  it('gives back what was written, in the order given', () => {
    const path = join(folder, 'round.safetensors');
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(name, tensor), { selector: ([key]) => key, maxLength: 6 }),
        fc.dictionary(name, name),
        (list, metadata) => {
          const tensors: StoredTensors = new Map(list);
          writeSafetensors(path, tensors, metadata);
          const back = readSafetensors(path);
          expect([...back.tensors]).toEqual(list);
          expect(Object.entries(back.metadata)).toEqual(Object.entries(metadata));
          // The specification's alignment: data begins at a multiple of 8, and every tensor at one of its element size.
          for (const { dtype, data } of back.tensors.values()) expect(data.byteOffset % bytesPerElement[dtype]).toBe(0);
          expect((8 + Number(readFileSync(path).readBigUInt64LE())) % 8).toBe(0);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('gives the same bytes for the same tensors', () => {
    const { tensors, metadata } = readSafetensors(fixture('reference.safetensors'));
    const paths = [join(folder, 'a.safetensors'), join(folder, 'b.safetensors')];
    for (const path of paths) writeSafetensors(path, tensors, metadata);
    expect(readFileSync(paths[0]!)).toEqual(readFileSync(paths[1]!));
  });

  it('refuses what the format cannot hold, and leaves no file', async () => {
    const path = join(folder, 'never.safetensors');
    const good = { dtype: 'uint8', shape: [1], data: Uint8Array.of(1) } as const;
    const write = (name: string, metadata?: Record<string, string>) =>
      refusal(() => writeSafetensors(path, new Map([[name, good]]), metadata));
    expect(await write('__metadata__')).toMatch(/cannot be a tensor's name/);
    expect(await write('\udc00')).toMatch(/surrogate/);
    expect(await write('w', { epoch: 3 as unknown as string })).toMatch(/metadata 'epoch' is a number, not a string/);
    expect(await refusal(() => writeSafetensors(path, new Map([['w', { ...good, shape: [2] }]])))).toMatch(
      /takes 2 bytes/,
    );
    expect(() => readFileSync(path)).toThrow('ENOENT');
  });
});
