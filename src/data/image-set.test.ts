import fc from 'fast-check';
import { expect, test } from 'vitest';
import { UserError } from '../base/errors.ts';
import { classCounts, holdout, type ImageSet, limitPerClass, subset } from './image-set.ts';

/** 1×1 images whose bytes say which record they are. */
function tiny(labels: number[], classes = Math.max(...labels) + 1): ImageSet {
  const images = Uint8Array.from(labels.flatMap((_, i) => [i & 255, i >> 8, 7]));
  const classNames = Array.from({ length: classes }, (_, c) => `class ${c}`);
  return {
    images,
    labels: Int32Array.from(labels),
    count: labels.length,
    channels: 3,
    height: 1,
    width: 1,
    classNames,
  };
}

/** Which records a set of `tiny` images holds. */
const records = (set: ImageSet): number[] =>
  Array.from({ length: set.count }, (_, i) => set.images[3 * i]! + 256 * set.images[3 * i + 1]!);

const anySet = fc
  .integer({ min: 1, max: 8 })
  .chain((classes) =>
    fc.array(fc.nat(classes - 1), { minLength: 1, maxLength: 200 }).map((labels) => tiny(labels, classes)),
  );

test('subset keeps images and labels together, in the order asked for', () => {
  const set = subset(tiny([5, 6, 7, 8]), [2, 0, 2]);
  expect(set.count).toBe(3);
  expect(records(set)).toEqual([2, 0, 2]);
  expect(Array.from(set.labels)).toEqual([7, 5, 7]);
  expect(set.images.length).toBe(9);
  for (const index of [-1, 4, 0.5]) expect(() => subset(set, [index])).toThrow(UserError);
});

test('a limit takes the first records of each class, in file order', () => {
  const set = limitPerClass(tiny([2, 0, 0, 1, 0, 1, 2, 2]), 6);
  expect(records(set)).toEqual([0, 1, 2, 3, 5, 6]);
});

test('what does not divide goes to the first classes; a small class gives all it has', () => {
  expect(records(limitPerClass(tiny([2, 2, 1, 1, 0, 0]), 4))).toEqual([0, 2, 4, 5]);
  expect(records(limitPerClass(tiny([0, 0, 0, 0, 1, 2, 2, 2]), 6))).toEqual([0, 1, 2, 4, 5, 6]);
  expect(records(limitPerClass(tiny([3, 2, 1, 0]), 2))).toEqual([2, 3]);
});

test('any limit: exactly as many, in order, as balanced as the classes allow', () => {
  fc.assert(
    fc.property(anySet, fc.nat(), (set, raw) => {
      const limit = 1 + (raw % set.count);
      const part = limitPerClass(set, limit);
      expect(part.count).toBe(limit);
      const chosen = records(part);
      expect(chosen).toEqual([...chosen].sort((a, b) => a - b));
      const [had, has] = [classCounts(set), classCounts(part)];
      const most = Math.max(...has);
      // a class with fewer than the fullest one, less one, has nothing left to give
      has.forEach((count, c) => {
        if (count < most - 1) expect(count).toBe(had[c]);
      });
      // and of each class it is the first records
      has.forEach((count, c) => {
        const first = records(set)
          .filter((i) => set.labels[i] === c)
          .slice(0, count);
        expect(chosen.filter((i) => set.labels[i] === c)).toEqual(first);
      });
    }),
  );
});

test('an impossible limit is refused', () => {
  const set = tiny([0, 1, 0]);
  expect(() => limitPerClass(set, 4)).toThrow('a limit of 4 is more than the 3 images there are');
  for (const limit of [0, -1, 1.5, Number.NaN]) expect(() => limitPerClass(set, limit)).toThrow(UserError);
});

test('holdout is stratified, complete, in file order and a function of seed and labels', () => {
  const labels = Array.from({ length: 1000 }, (_, i) => (i * 7) % 10);
  const { train, dev } = holdout(tiny(labels), 0.1, 1);
  expect(Array.from(classCounts(dev))).toEqual(Array(10).fill(10));
  expect(Array.from(classCounts(train))).toEqual(Array(10).fill(90));
  expect([...records(train), ...records(dev)].sort((a, b) => a - b)).toEqual([...Array(1000).keys()]);
  for (const part of [train, dev]) expect(records(part)).toEqual(records(part).sort((a, b) => a - b));
  expect(records(holdout(tiny(labels), 0.1, 1).dev)).toEqual(records(dev));
  expect(records(holdout(tiny(labels), 0.1, 2).dev)).not.toEqual(records(dev));
  const larger = new Set(records(holdout(tiny(labels), 0.3, 1).dev));
  expect(records(dev).every((i) => larger.has(i))).toBe(true);
  // not the first records, nor every tenth
  expect(new Set(records(dev).map((i) => i % 100)).size).toBeGreaterThan(40);
});

test('holdout leaves every class something to learn from', () => {
  fc.assert(
    fc.property(anySet, fc.double({ min: 0.01, max: 0.99, noNaN: true }), fc.nat(), (set, fraction, seed) => {
      const { train, dev } = holdout(set, fraction, seed);
      expect(train.count + dev.count).toBe(set.count);
      const [had, kept, held] = [classCounts(set), classCounts(train), classCounts(dev)];
      had.forEach((count, c) => {
        if (count > 0) expect(kept[c]).toBeGreaterThan(0);
        if (count > 1) expect(held[c]).toBeGreaterThan(0);
        if (count > 2) expect(Math.abs(held[c]! - fraction * count)).toBeLessThanOrEqual(1);
      });
    }),
  );
  for (const fraction of [0, 1, -0.1, Number.NaN]) expect(() => holdout(tiny([0, 0]), fraction, 0)).toThrow(UserError);
});
