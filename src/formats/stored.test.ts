import { describe, expect, it } from 'vitest';
import { byteText } from '../base/quantity.ts';
import {
  bytesPerElement,
  checkStored,
  elementCount,
  halfToNumber,
  isStoredTensor,
  printable,
  type StoredDType,
  scalarOf,
  shapeProblem,
  shown,
} from './stored.ts';

const tensor = (dtype: StoredDType, hex: string, shape: number[] = [1]) => ({
  dtype,
  shape,
  data: Uint8Array.from(Buffer.from(hex, 'hex')),
});

describe('shapes', () => {
  it('count their elements, 1 for a scalar', () => {
    expect(elementCount([])).toBe(1);
    expect(elementCount([2, 3, 4])).toBe(24);
    expect(elementCount([2, 0, 4])).toBe(0);
  });

  it.each([
    [[1.5], /size 1.5/],
    [[-1], /size -1/],
    [[2 ** 53], /not a non-negative integer/],
    [['3'], /size '3'/],
    [[[1]], /a list of 1/],
    [[undefined], /undefined/],
    [[2 ** 30, 2 ** 30], /too many elements/],
    [[0, 2 ** 30, 2 ** 30], /too many elements/],
    [new Array(65).fill(1), /65 dimensions/],
  ])('that are impossible are explained: %j', (shape, message) => {
    expect(shapeProblem(shape)).toMatch(message);
  });

  it('that are possible are accepted', () => {
    for (const shape of [[], [0], [3, 0], [2 ** 26, 2 ** 26], new Array(64).fill(1)])
      expect(shapeProblem(shape)).toBeUndefined();
  });
});

describe('scalarOf', () => {
  // IEEE 754 encodings, little-endian.
  it.each<[StoredDType, string, number | boolean]>([
    ['float64', '000000000000f8bf', -1.5],
    ['float32', '0000c0bf', -1.5],
    ['float16', '00be', -1.5],
    ['bfloat16', 'c0bf', -1.5],
    ['int64', 'feffffffffffffff', -2],
    ['int32', 'feffffff', -2],
    ['int16', 'feff', -2],
    ['int8', 'fe', -2],
    ['uint8', 'fe', 254],
    ['bool', '01', true],
  ])('reads %s', (dtype, hex, value) => {
    expect(scalarOf(tensor(dtype, hex))).toBe(value);
    expect(scalarOf(tensor(dtype, hex, []))).toBe(value);
    expect(scalarOf(tensor(dtype, hex + hex, [2]))).toBeUndefined();
    expect(hex.length / 2).toBe(bytesPerElement[dtype]);
  });

  it('reads bytes at odd offsets', () => {
    const data = Uint8Array.of(9, 0, 0, 0xc0, 0xbf).subarray(1);
    expect(scalarOf({ dtype: 'float32', shape: [], data })).toBe(-1.5);
  });
});

it('halfToNumber knows every kind of half', () => {
  // From the tables of IEEE 754-2008 binary16.
  expect(halfToNumber(0x3c00)).toBe(1);
  expect(halfToNumber(0x7bff)).toBe(65504);
  expect(halfToNumber(0x0001)).toBe(2 ** -24);
  expect(halfToNumber(0x0400)).toBe(2 ** -14);
  expect(halfToNumber(0x8000)).toBe(-0);
  expect(halfToNumber(0xfc00)).toBe(Number.NEGATIVE_INFINITY);
  expect(halfToNumber(0x7e00)).toBeNaN();
});

describe('checkStored', () => {
  it('accepts bytes that match and refuses others, naming the tensor', () => {
    expect(() => checkStored('a.pth', 'w', tensor('int16', '00010002', [2]))).not.toThrow();
    expect(() => checkStored('a.pth', 'w', tensor('int16', '000100', [2]))).toThrow(
      "cannot write a.pth: tensor 'w': int16 [2] takes 4 bytes, but its data has 3 bytes",
    );
    expect(() => checkStored('a.pth', 'w', tensor('int16', '', [-1]))).toThrow('size -1');
    expect(() => checkStored('a.pth', 'w', tensor('int4' as StoredDType, '', [0]))).toThrow("unknown dtype 'int4'");
    expect(() => checkStored('a.pth', '\ud800', tensor('int8', '', [0]))).toThrow('surrogate');
  });
});

it('isStoredTensor tells tensors from other values', () => {
  expect(isStoredTensor(tensor('int8', '01'))).toBe(true);
  for (const value of [null, 1, 'x', [], new Map(), {}, { dtype: 'constructor', shape: [], data: new Uint8Array(1) }]) {
    expect(isStoredTensor(value)).toBe(false);
  }
});

describe('values from files in messages', () => {
  it('cannot control a terminal and are cut', () => {
    expect(printable('a\u001b[31mb\u202ec\n')).toBe("'a\\u{1b}[31mb\\u{202e}c\\u{a}'");
    expect(printable('\ud800')).toBe("'\\u{d800}'");
    expect(printable('x'.repeat(1000)).length).toBeLessThan(110);
    expect(printable('é😀')).toBe("'é😀'");
  });

  it('are named by kind where they are not plain', () => {
    let bomb: unknown = [];
    for (let level = 0; level < 60; level++) bomb = [bomb, bomb];
    expect(shown(bomb)).toBe('a list of 2');
    expect(shown(10n ** 200n)).toBe('an enormous integer');
    expect([shown(null), shown(1.5), shown('a'), shown(new Map()), shown(new Set()), shown(5n)]).toEqual([
      'null',
      '1.5',
      "'a'",
      'a dict',
      'an object',
      '5',
    ]);
  });

  it('byteText counts in plain English', () => {
    expect([byteText(1), byteText(1234567), byteText(2n ** 64n - 1n)]).toEqual([
      '1 byte',
      '1,234,567 bytes',
      '18,446,744,073,709,551,615 bytes',
    ]);
  });
});
