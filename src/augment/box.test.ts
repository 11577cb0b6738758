import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Box, boxAround, coverage, packBoxes } from './box.ts';

const image = { height: 32, width: 32 };

describe('a box around a centre', () => {
  test.each<[string, [number, number, number, number], Box]>([
    ['inside', [10, 20, 8, 8], [6, 16, 14, 24]],
    ['at the first pixel', [0, 0, 8, 8], [0, 0, 4, 4]],
    ['at the last pixel', [31, 31, 8, 8], [27, 27, 32, 32]],
    ['of odd size: one pixel less', [10, 20, 5, 7], [8, 17, 12, 23]],
    ['of one pixel: nothing', [10, 20, 1, 1], [10, 20, 10, 20]],
    ['of no size', [31, 0, 0, 0], [31, 0, 31, 0]],
    ['of the whole image, off its centre', [15, 17, 32, 32], [0, 1, 31, 32]],
    ['of the whole image', [16, 16, 32, 32], [0, 0, 32, 32]],
  ])('%s', (_, [row, column, height, width], expected) => {
    expect(boxAround(row, column, height, width, image)).toEqual(expected);
  });

  test('is what marking pixels nearer than the halves gives', () => {
    const sizes = fc.record({ height: fc.integer({ min: 1, max: 12 }), width: fc.integer({ min: 1, max: 12 }) });
    fc.assert(
      fc.property(sizes, fc.nat(11), fc.nat(11), fc.nat(14), fc.nat(14), (size, y, x, height, width) => {
        const [row, column] = [y % size.height, x % size.width];
        const [top, left, bottom, right] = boxAround(row, column, height, width, size);
        let marked = 0;
        for (let i = 0; i < size.height; i++) {
          for (let j = 0; j < size.width; j++) {
            const near = (at: number, centre: number, half: number): boolean =>
              at >= centre - half && at < centre + half;
            const expected = near(i, row, Math.trunc(height / 2)) && near(j, column, Math.trunc(width / 2));
            expect(i >= top && i < bottom && j >= left && j < right).toBe(expected);
            if (expected) marked++;
          }
        }
        expect(coverage([top, left, bottom, right], size)).toBeCloseTo(marked / (size.height * size.width), 12);
        expect(
          top >= 0 && top <= bottom && bottom <= size.height && left >= 0 && left <= right && right <= size.width,
        ).toBe(true);
      }),
    );
  });
});

test('boxes are packed one after the other', () => {
  expect(
    packBoxes([
      [1, 2, 3, 4],
      [5, 6, 7, 8],
    ]),
  ).toEqual(Int32Array.of(1, 2, 3, 4, 5, 6, 7, 8));
});
