import { describe, expect, it } from 'vitest';
import {
  dict,
  global,
  int,
  join,
  little,
  type Part,
  program,
  text,
  tuple,
} from '../../test/fixtures/formats/assemble.ts';
import { refusal } from '../../test/fixtures/formats/fixtures.ts';
import { UserError } from '../base/errors.ts';
import { unpickle } from './pickle.ts';
import { canonicalPath, plainGlobals } from './pickle-globals.ts';

const options = {
  name: 'x.pth',
  findGlobal: (path: string) => plainGlobals.get(canonicalPath(path)) ?? new UserError(`refused ${path}`),
};
const load = (...parts: Part[]): unknown => unpickle(program(...parts), options).value;
const raw = (latin1: string): unknown => unpickle(Buffer.from(latin1, 'latin1'), options).value;

describe('values', () => {
  // Written by CPython 3.11: pickle.dumps(value, protocol).
  const cases: [string, string, unknown][] = [
    ['None', '80024e2e', null],
    ['[True, False] in protocol 1', '5d7100284930310a4930300a652e', [true, false]],
    [
      '[0, 255, 65535, -1, 2**31-1]',
      '80025d7100284b004bff4dffff4affffffff4affffff7f652e',
      [0, 255, 65535, -1, 2 ** 31 - 1],
    ],
    [
      '[2**40, -2**40, 2**53-1] in protocol 1',
      '5d7100284c313039393531313632373737364c0a4c2d313039393531313632373737364c0a4c393030373139393235343734303939314c0a652e',
      [2 ** 40, -(2 ** 40), 2 ** 53 - 1],
    ],
    [
      '[2**40, -2**40, 2**53] in protocol 2',
      '80025d7100288a060000000000018a060000000000ff8a0700000000000020652e',
      [2 ** 40, -(2 ** 40), 9007199254740992n],
    ],
    ['[0.1, -inf]', '80025d710028473fb999999999999a47fff0000000000000652e', [0.1, Number.NEGATIVE_INFINITY]],
    ['("é", "😀") in protocol 4', '8004950e000000000000008c02c3a9948c04f09f9880948694 2e', ['é', '😀']],
    ['b"\\0\\xff" in protocol 3', '80034302 00ff71002e', Uint8Array.of(0, 255)],
    [
      'b"\\0\\xff" in protocol 2',
      '8002635f636f646563730a656e636f64650a710058030000 0000c3bf71015806000000 6c6174696e3171028671035271042e',
      Uint8Array.of(0, 255),
    ],
    ['b"" in protocol 2', '8002635f5f6275696c74696e5f5f0a62797465730a7100295271012e', new Uint8Array(0)],
    ['bytearray(b"ab") in protocol 5', '8005950d0000000000000096020000000000000061629 42e', Uint8Array.of(97, 98)],
    [
      '{1: "a", "b": ()}',
      '80027d710028 4b015801000000617101 58010000006271022975 2e',
      new Map<unknown, unknown>([
        [1, 'a'],
        ['b', []],
      ]),
    ],
    ['{"a"} in protocol 4', '80049508000000000000008f94288c01619490 2e', new Set(['a'])],
    ['frozenset({1}) in protocol 4', '8004950600000000000000284b0191942e', new Set([1])],
    [
      '(1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)',
      '800228 4b01857100 4b014b02867101 4b014b024b03877102 284b014b024b034b0474710374710 42e',
      [[1], [1, 2], [1, 2, 3], [1, 2, 3, 4]],
    ],
  ];
  it.each(cases)('%s', (_, hex, value) => {
    expect(unpickle(Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex')), options).value).toEqual(value);
  });

  it('are text or bytes where Python 2 wrote a str', () => {
    expect(load('U', 2, 'hi')).toBe('hi');
    expect(load('T', little(2, 4), 'hi')).toBe('hi');
    expect(load('U', 2, 0xff, 0xfe)).toEqual(Uint8Array.of(0xff, 0xfe));
  });

  it('are shared where the pickle shares them, even with themselves', () => {
    const [a, b] = load(']', 'q', 0, 'h', 0, 0x86) as [unknown, unknown];
    expect(a).toBe(b);
    const loop = load(']', 'q', 0, 'h', 0, 'a') as unknown[];
    expect(loop[0]).toBe(loop);
  });

  it('of text instructions: PUT, GET, LIST, DICT, POP, DUP', () => {
    expect(raw('(I1\nL-5L\nlp0\ng0\n0.')).toEqual([1, -5]);
    expect(load('(', text('a'), int(1), 'd')).toEqual(new Map([['a', 1]]));
    expect(load(int(1), '2', 0x86)).toEqual([1, 1]);
    expect(load('(', int(1), int(2), '1', int(3))).toBe(3);
    expect(load('(', '0', int(3))).toBe(3);
  });

  it('end where the pickle ends', () => {
    const bytes = join('xxx', program('N'), 'more');
    expect(unpickle(bytes, { ...options, start: 3 })).toEqual({ value: null, end: 7 });
  });

  it('keep a key named __proto__ as a key', () => {
    const value = load(dict(text('__proto__'), dict(text('polluted'), int(1)))) as Map<string, unknown>;
    expect([...value.keys()]).toEqual(['__proto__']);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });
});

describe('damage', () => {
  const cases: [string, Part, RegExp][] = [
    ['nothing on the stack', '', /takes|unfinished/],
    ['two values at the end', 'NN', /unfinished/],
    ['an open group', 'N(', /unfinished/],
    ['a group closed twice', '(tt', /never opened/],
    ['a pop below a mark', ['N(', 0x85], /where there is none/],
    ['an append to a dict', '}Na', /not a list/],
    ['an append to a tuple', ')Na', /not a list/],
    ['an item set in a list', ']NNs', /not a dict/],
    ['a key without a value', '}(Nu', /without a value/],
    ['items added to a list', [']', '(N', 0x90], /not a set/],
    ['a memo that was never set', ['h', 3], /memo 3/],
    ['a memo index far ahead', ['N', 'r', little(1_000_000, 4)], /out of order/],
    ['a negative memo index', 'Np-1\n', /out of order/],
    ['a call of a number', ['K', 1, ')R'], /not a class or function/],
    ['a call without a tuple', [global('collections', 'OrderedDict'), ']R'], /without a tuple/],
    ['a call of a mere name', [global('builtins', 'object'), ')R'], /only allowed as a name/],
    ['state for a list', ']Nb', /sets the state/],
    ['a class named by a number', ['K', 1, 'K', 1, 0x93], /other than strings/],
    ['a persistent id', 'NQ', /outside itself/],
    ['protocol 6', [0x80, 6, 'N'], /protocol 6/],
    ['an unknown instruction', 0xff, /instruction 0xff/],
    ['the extension registry', [0x82, 1], /instruction 0x82/],
    ['an old-style class', '(ios\nsystem\n', /instruction 0x69/],
    ['bad UTF-8', ['X', little(1, 4), 0xff], /UTF-8/],
    ['an integer that is none', 'Ixyz\n', /'xyz' is not an integer/],
    ['a long that is none', 'L1e5\n', /'1e5' is not an integer/],
    ['a very large key', ['}', 0x8a, 9, little(-1n, 8), 1, 'Ns'], /2\^53 is used as a key/],
    ['named arguments', [global('collections', 'OrderedDict'), ')', dict(text('a'), int(1)), 0x92], /named arguments/],
  ];
  it.each(cases)('%s is refused with the place', async (_, part, message) => {
    const error = await refusal(() => load(part));
    expect(error).toMatch(message);
    expect(error).toMatch(/^x\.pth holds a pickle that cannot be read: .* \(at byte \d+\)/);
  });

  it.each([
    ['a string', ['X', little(2 ** 32 - 1, 4), 'abc']],
    ['a string of 2^64 - 1 bytes', [0x8d, little(-1n, 8), 'abc']],
    ['bytes', ['B', little(100, 4), 'abc']],
    ['bytes of 2^63', [0x8e, little(1n << 63n, 8)]],
    ['a frame', [0x95, little(1 << 20, 4), little(0, 4)]],
    ['a number', ['G', 1, 2]],
    ['a long', [0x8a, 250, 1]],
    ['a name', 'cos'],
  ] as [string, Part][])('%s that is longer than the file is refused', async (_, part) => {
    expect(await refusal(() => load(part))).toMatch(/cut short|more than the file has|has no end/);
  });
});

describe('bounds', () => {
  const quickly = async (bytes: Uint8Array): Promise<string> => {
    const before = performance.now();
    const heap = process.memoryUsage();
    let outcome = 'read';
    try {
      unpickle(bytes, options);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      outcome = error.message;
    }
    const after = process.memoryUsage();
    expect(performance.now() - before).toBeLessThan(3000);
    expect(after.heapUsed + after.arrayBuffers - heap.heapUsed - heap.arrayBuffers).toBeLessThan(
      100 * bytes.length + 50e6,
    );
    return outcome;
  };
  const repeat = (part: Part, count: number): Uint8Array => Buffer.alloc(join(part).length * count, join(part));

  it('very deep nesting needs no recursion', async () => {
    expect(await quickly(program(repeat([']q', 0], 200_000), repeat('a', 199_999)))).toBe('read');
    expect(await quickly(program('N', repeat([0x85, 'r', little(0, 4)], 200_000)))).toBe('read');
    expect(await quickly(program(repeat('(', 1_000_000)))).toMatch(/unfinished/);
  });

  it('a memo that doubles at every level stays small', async () => {
    const level = (i: number): Part => ['h', i, 'h', i, 0x86, 'q', i + 1, '0'];
    expect(await quickly(program(']q', 0, '0', ...Array.from({ length: 200 }, (_, i) => level(i)), 'h', 200))).toBe(
      'read',
    );
  });

  it('a megabyte of containers is refused', async () => {
    expect(await quickly(program(repeat('}', 1_000_000)))).toMatch(/far more objects/);
    expect(await quickly(program(repeat(['C', 0], 500_000)))).toMatch(/far more objects/);
    expect(await quickly(program('N', repeat(0x85, 1_000_000)))).toMatch(/far more objects/);
  });

  it('copies of one long value are refused', async () => {
    const long = text('x'.repeat(500_000));
    const encode = [global('_codecs', 'encode'), 'q', 0, '0', long, text('latin1'), 0x86, 'q', 1];
    expect(await quickly(program(encode, repeat(['h', 0, 'h', 1, 'R0'], 1000)))).toMatch(/far more objects/);
    const pairs: Part = [']q', 1, '(', repeat([text('a'), 'N', 0x86], 20_000), 'e', 0x85, 'q', 2];
    expect(
      await quickly(
        program(global('collections', 'OrderedDict'), 'q', 0, '0', pairs, repeat(['h', 0, 'h', 2, 'R0'], 1000)),
      ),
    ).toMatch(/far more objects/);
  });

  it('keys chosen to collide are limited', async () => {
    const numbers = join(...Array.from({ length: 60_000 }, (_, i): Part => ['J', little(i * 65536, 4), 'N']));
    expect(await quickly(program('}(', numbers, 'u'))).toMatch(/more than 20000 keys that are not strings/);
  });

  it('a huge integer is refused', async () => {
    expect(await quickly(program(0x8b, little(1_000_000, 4), new Uint8Array(1_000_000)))).toMatch(
      /1000000 bytes is not plausible/,
    );
    expect(await quickly(program(0x8b, little(-1, 4)))).toMatch(/-1 bytes/);
    expect(await quickly(program('L', '9'.repeat(1_000_000), '\n'))).toMatch(/no end/);
  });

  it('a long list of numbers, as real logs have, is read', async () => {
    expect(
      await quickly(program(']', repeat(['(', Array.from({ length: 1000 }, () => ['G', little(0, 8)]), 'e'], 200))),
    ).toBe('read');
    expect(await quickly(program(tuple(...Array.from({ length: 50_000 }, () => int(5)))))).toBe('read');
  });
});
