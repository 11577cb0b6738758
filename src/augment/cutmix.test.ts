import { describe, expect, test } from 'vitest';
import { batchView, drawContext, misfit, misfitUniform, tally } from '../../test/augment.ts';
import { tidy } from '../torch/index.ts';
import { cutmix } from './cutmix.ts';

const SIZE = 32;
const MANY = 20_000;
const drawn = cutmix.draw(drawContext(MANY));
const boxes = Array.from({ length: MANY }, (_, i) => {
  const [top, left, bottom, right] = drawn.boxes.subarray(4 * i, 4 * i + 4) as unknown as [
    number,
    number,
    number,
    number,
  ];
  return { top, left, bottom, right };
});

/**
 * Exact probabilities of every span a box can have along one axis. 1 - lambda is uniform, so the cut size is k with
 * probability ((k + 1)^2 - k^2) / size^2; half of it reaches out from every centre.
 */
function spans(size: number): Map<string, number> {
  const result = new Map<string, number>();
  for (let k = 0; k < size; k++) {
    const half = k >> 1;
    for (let centre = 0; centre < size; centre++) {
      const key = `${Math.max(0, centre - half)}-${Math.min(size, centre + half)}`;
      result.set(key, (result.get(key) ?? 0) + (2 * k + 1) / size ** 3);
    }
  }
  return result;
}

/** Counts and expectations, spans that are too rare for the test taken together. */
function compare(found: readonly string[]): number {
  const counts = new Map<string, number>();
  for (const key of found) counts.set(key, (counts.get(key) ?? 0) + 1);
  const expected = spans(SIZE);
  for (const key of counts.keys()) expect(expected.has(key), `the span ${key} is possible`).toBe(true);
  const rare = { count: 0, expected: 0 };
  const kept: [number, number][] = [];
  for (const [key, probability] of expected) {
    const [count, mean] = [counts.get(key) ?? 0, probability * found.length];
    if (mean >= 8) kept.push([count, mean]);
    else {
      rare.count += count;
      rare.expected += mean;
    }
  }
  kept.push([rare.count, rare.expected]);
  return misfit(
    kept.map(([count]) => count),
    kept.map(([, mean]) => mean),
  );
}

describe('boxes', () => {
  test('have the sides and places of the definition, along both axes', () => {
    expect(compare(boxes.map(({ top, bottom }) => `${top}-${bottom}`))).toBeLessThan(4);
    expect(compare(boxes.map(({ left, right }) => `${left}-${right}`))).toBeLessThan(4);
  });

  test('per batch, too', () => {
    const shared = Array.from({ length: 3000 }, (_, step) => {
      const { boxes: all } = cutmix.draw(drawContext(2, { draw: 'batch', step }));
      return `${all[0]}-${all[2]}`;
    });
    expect(compare(shared)).toBeLessThan(4);
  });

  test('rows and columns are independent but for their common size', () => {
    // Of boxes that no border clips, the sides are equal and the places are not.
    const inner = boxes.filter(({ top, left, bottom, right }) => top > 0 && left > 0 && bottom < SIZE && right < SIZE);
    expect(inner.length).toBeGreaterThan(1000);
    for (const { top, left, bottom, right } of inner) expect(bottom - top).toBe(right - left);
    expect(inner.some(({ top, left }) => top !== left)).toBe(true);
  });

  test('of an image that is not square have its proportions', () => {
    const wide = cutmix.draw(drawContext(4000, { height: 16, width: 64 })).boxes;
    let inner = 0;
    for (let i = 0; i < wide.length; i += 4) {
      const [top, left, bottom, right] = wide.subarray(i, i + 4) as unknown as [number, number, number, number];
      expect(bottom <= 16 && right <= 64).toBe(true);
      if (top === 0 || left === 0 || bottom === 16 || right === 64) continue;
      inner++;
      // 64 r and 16 r cut to whole pixels and halved: four times as wide, up to what is cut off.
      expect((right - left) / 2 - (4 * (bottom - top)) / 2).toBeGreaterThanOrEqual(0);
      expect((right - left) / 2 - (4 * (bottom - top)) / 2).toBeLessThan(4);
    }
    expect(inner).toBeGreaterThan(100);
  });
});

test('lambda is the share of pixels that stay', () => {
  for (const [i, { top, left, bottom, right }] of boxes.entries()) {
    expect(drawn.lambda[i]).toBeCloseTo(1 - ((bottom - top) * (right - left)) / SIZE ** 2, 14);
  }
  tidy(() => {
    const view = batchView(24, { size: SIZE });
    const parameters = cutmix.draw(drawContext(24));
    const made = cutmix.apply(view, parameters);
    const partners = Array.from(parameters.partner, (partner) => view.x.select(0, partner));
    for (const [i, lambda] of parameters.lambda.entries()) {
      const own = made.select(0, i).eq(view.x.select(0, i));
      const other = made.select(0, i).eq(partners[i]!);
      // Noise may agree by chance here and there.
      expect(own.to('float32').mean().item()).toBeGreaterThanOrEqual(lambda - 1e-6);
      expect(own.to('float32').mean().item()).toBeLessThan(lambda + 0.02);
      expect(own.to('float32').add(other.to('float32')).gt(0).all().item()).toBe(1);
    }
  });
});

describe('partners', () => {
  test('are never the image itself, and any other as often', () => {
    const count = 6;
    const pairs: number[] = [];
    for (let step = 0; step < 2000; step++) {
      for (const [i, partner] of cutmix.draw(drawContext(count, { step })).partner.entries()) {
        expect(partner).not.toBe(i);
        pairs.push(i * count + partner);
      }
    }
    const counts = tally(pairs, count * count).filter((_, pair) => Math.floor(pair / count) !== pair % count);
    expect(misfit(counts, new Array<number>(30).fill(2000 / 5))).toBeLessThan(4);
  });

  test('of two images are each other', () => {
    for (let step = 0; step < 20; step++) expect([...cutmix.draw(drawContext(2, { step })).partner]).toEqual([1, 0]);
  });

  test('are the same one permutation, however boxes are drawn; another for each view of a pool', () => {
    const of = (change: Parameters<typeof drawContext>[1]): string =>
      cutmix.draw(drawContext(16, change)).partner.join();
    expect(of({ draw: 'batch' })).toBe(of({ draw: 'sample' }));
    expect(new Set([0, 1, 2].map((round) => of({ round }))).size).toBe(3);
    expect(
      misfitUniform(
        Array.from({ length: 600 }, (_, step) => cutmix.draw(drawContext(3, { step })).partner[0]! - 1),
        2,
      ),
    ).toBeLessThan(4);
  });
});
