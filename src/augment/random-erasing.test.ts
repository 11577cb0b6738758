import { expect, test } from 'vitest';
import { batchView, drawContext, misfit, misfitUniform } from '../../test/augment.ts';
import { tidy } from '../torch/index.ts';
import { randomErasing } from './random-erasing.ts';

const MANY = 20_000;
const SIZE = 128;
const { boxes } = randomErasing.draw(drawContext(MANY, { height: SIZE, width: SIZE }));
const holes = Array.from({ length: MANY }, (_, i) => {
  const [top, left, bottom, right] = boxes.subarray(4 * i, 4 * i + 4) as unknown as [number, number, number, number];
  return { top, left, tall: bottom - top, wide: right - left, height: SIZE, width: SIZE };
});
const erased = holes.filter(({ tall }) => tall > 0);

test('half of the images are left alone', () => {
  expect(misfit([erased.length, MANY - erased.length], [MANY / 2, MANY / 2])).toBeLessThan(4);
});

test('the hole covers 2 to 33 %, uniformly', () => {
  const shares = erased.map(({ tall, wide }) => (tall * wide) / SIZE ** 2);
  expect(Math.min(...shares)).toBeGreaterThan(0.018);
  expect(Math.max(...shares)).toBeLessThan(0.335);
  // At 33 % and ratio 3.3 a side is above the image's: those few are drawn again. Below 29 % all fit.
  const fitting = shares.filter((share) => share > 0.02 && share < 0.29);
  const bins = fitting.map((share) => Math.min(8, Math.floor(((share - 0.02) / 0.27) * 9)));
  expect(misfitUniform(bins, 9)).toBeLessThan(4);
});

test('tall over wide is 0.3 to 3.3, as often tall as wide', () => {
  const logs = erased.map(({ tall, wide }) => Math.log(tall / wide));
  expect(Math.min(...logs)).toBeGreaterThan(Math.log(0.3) - 0.08);
  expect(Math.max(...logs)).toBeLessThan(Math.log(3.3) + 0.08);
  // Uniform in logarithm from ln 0.3 to ln 3.3: the share above 0 is ln 3.3 / ln 11, ties halved.
  const above = logs.filter((log) => log > 0).length + logs.filter((log) => log === 0).length / 2;
  const expected = (erased.length * Math.log(3.3)) / Math.log(11);
  expect(misfit([above, erased.length - above], [expected, erased.length - expected])).toBeLessThan(4);
});

test('it lies anywhere it fits, and is never as large as the image', () => {
  for (const { top, left, tall, wide } of erased) {
    expect(top + tall <= SIZE && left + wide <= SIZE && tall < SIZE && wide < SIZE).toBe(true);
  }
  // The last place is one of them.
  expect(erased.some(({ top, tall }) => top + tall === SIZE)).toBe(true);
  expect(erased.some(({ left, wide }) => left + wide === SIZE)).toBe(true);
  const place = (start: number, size: number): number => Math.floor(((start + 0.5) / (SIZE - size + 1)) * 8);
  expect(
    misfitUniform(
      erased.map(({ top, tall }) => place(top, tall)),
      8,
    ),
  ).toBeLessThan(4);
  expect(
    misfitUniform(
      erased.map(({ left, wide }) => place(left, wide)),
      8,
    ),
  ).toBeLessThan(4);
});

test('an image too small for any hole is left alone', () => {
  tidy(() => {
    const view = batchView(50, { size: 1 });
    const drawn = randomErasing.draw(drawContext(50, { height: 1, width: 1 }));
    expect(randomErasing.apply(view, drawn).data()).toEqual(view.x.data());
  });
});

test('the hole is 0 in normalised space, all else is x', () => {
  tidy(() => {
    const view = batchView(16, { size: 32 });
    const drawn = randomErasing.draw(drawContext(16));
    const changed = randomErasing.apply(view, drawn).ne(view.x).sum([1, 2, 3]).toFloat64Array();
    for (const [i, count] of changed.entries()) {
      const [top, left, bottom, right] = drawn.boxes.subarray(4 * i, 4 * i + 4) as unknown as [
        number,
        number,
        number,
        number,
      ];
      expect(count).toBe(3 * (bottom - top) * (right - left));
    }
    expect(randomErasing.apply(view, drawn).eq(0).sum().item()).toBe(changed.reduce((a, b) => a + b, 0));
  });
});
