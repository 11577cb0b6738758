import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decode } from '../../test/png.ts';
import { encodePng } from './png.ts';

describe('encodePng', () => {
  test('what goes in comes out', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 9 }),
        fc.integer(),
        (width, height, seed) => {
          const data = new Uint8Array(3 * width * height).map((_, i) => Math.imul(i + 1, seed | 1) >>> 13);
          expect(decode(encodePng({ data, width, height }))).toEqual({ width, height, data });
        },
      ),
    );
  });

  test('one red pixel, byte by byte', () => {
    const file = encodePng({ data: Uint8Array.of(255, 0, 0), width: 1, height: 1 });
    expect(file.subarray(8, 33).toString('hex')).toBe(
      '0000000d' + '49484452' + '00000001' + '00000001' + '0802000000' + '907753de',
    );
    expect(file.subarray(-12).toString('hex')).toBe('0000000049454e44ae426082');
  });

  test('bytes that do not fit the size are refused', () => {
    expect(() => encodePng({ data: new Uint8Array(5), width: 1, height: 2 })).toThrow(/5 bytes are no image of 1 by 2/);
  });
});
