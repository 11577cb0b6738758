import { expect, test } from 'vitest';
import { Confusion } from './confusion.ts';

test('by hand: rows are labels, the diagonal is right, pairs are the most frequent', () => {
  const confusion = new Confusion(3);
  confusion.add(Float32Array.of(3, 1, 0, 0, 5, 1, 2, 2, 0), Int32Array.of(0, 0, 1));
  confusion.add(Float32Array.of(0, 5, 1, 0, 0, 9, Number.NaN, 0, 0), Int32Array.of(0, 2, 2));
  expect([...confusion.counts]).toEqual([1, 2, 0, 1, 0, 0, 0, 0, 1]);
  const [zero, one, two] = confusion.perClass();
  expect(zero!.top1).toBeCloseTo(100 / 3, 12);
  expect([one!.top1, two!.top1, zero!.count]).toEqual([0, 100, 3]);
  expect(confusion.pairs(5)).toEqual([
    { label: 0, chosen: 1, count: 2, share: 2 / 3 },
    { label: 1, chosen: 0, count: 1, share: 1 },
  ]);
  expect(confusion.pairs(1)).toHaveLength(1);
});
