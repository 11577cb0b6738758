import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Series } from './series.ts';

function filled(values: readonly number[]): Series {
  const series = new Series();
  for (const [x, y] of values.entries()) series.add(x, y);
  return series;
}

const pairs = (series: Series): [number, number | null][] => {
  const flat = series.points();
  return Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i]!, flat[2 * i + 1]!]);
};

test('few values are kept as they are, a NaN as a gap', () => {
  const series = filled([3, Number.NaN, 1, Number.POSITIVE_INFINITY, 2]);
  expect(pairs(series)).toEqual([[0, 3], [1, null], [2, 1], [3, null], [4, 2]]); // biome-ignore format: pairs
  expect(series).toMatchObject({ exact: true, gaps: 2, values: 5, last: 2 });
});

test('many values: bounded, in order, every point true, and the extremes are there', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20_000 }), fc.integer({ min: 1, max: 1000 }), (count, seed) => {
      const values = Array.from({ length: count }, (_, i) => Math.sin(i * seed) * (1 + (i % 97)));
      const got = pairs(filled(values));
      expect(got.length).toBeLessThanOrEqual(2048);
      for (const [i, [x, y]] of got.entries()) {
        expect(y).toBe(values[x]);
        if (i > 0) expect(x).toBeGreaterThan(got[i - 1]![0]);
      }
      const ys = got.map(([, y]) => y!);
      expect(Math.max(...ys)).toBe(Math.max(...values));
      expect(Math.min(...ys)).toBe(Math.min(...values));
    }),
    { numRuns: 60 },
  );
});

test('one spike among a million values is still drawn', () => {
  const series = new Series();
  for (let i = 0; i < 1_000_000; i++) series.add(i, i === 654_321 ? 9 : 1);
  expect(pairs(series)).toContainEqual([654_321, 9]);
  expect(pairs(series).length).toBeLessThanOrEqual(2048);
});
