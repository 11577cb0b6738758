import { expect, test } from 'vitest';
import { spread } from './spread.ts';
import { meanDifference, studentP, studentQuantile, welch } from './student-t.ts';

test.each([0.01, 0.3, 1, 2.5, 12, 300])('closed forms of one, two and four degrees of freedom, t = %d', (t) => {
  const close = (got: number, expected: number): void => expect(Math.abs(got / expected - 1)).toBeLessThan(1e-10);
  close(studentP(t, 1), (2 / Math.PI) * Math.atan(1 / t));
  const s = Math.sqrt(t * t + 2);
  close(studentP(t, 2), 2 / (s * (s + t)));
  expect(studentP(-t, 2)).toBe(studentP(t, 2));
  // 1 - F with F = u (1 - u² / 3) * 3 / 2, u = t / sqrt(4 + t²).
  const u = t / Math.sqrt(4 + t * t);
  expect(studentP(t, 4)).toBeCloseTo(1 - 1.5 * u * (1 - (u * u) / 3), 12);
});

test('the density integrates to it, for degrees of freedom that are not whole', () => {
  for (const freedom of [1.5, 3.7, 17.776, 60.2]) {
    // Simpson's rule over the angle: t = sqrt(freedom) tan(angle) makes the density cos^(freedom - 1).
    const integral = (to: number): number => {
      const n = 200_000;
      let sum = 0;
      for (let i = 0; i <= n; i++) {
        const weight = i === 0 || i === n ? 1 : i % 2 ? 4 : 2;
        sum += weight * Math.max(0, Math.cos((to * i) / n)) ** (freedom - 1);
      }
      return (sum * to) / (3 * n);
    };
    for (const t of [0.2, 1.8608, 4]) {
      const inside = integral(Math.atan(t / Math.sqrt(freedom))) / integral(Math.PI / 2);
      expect(studentP(t, freedom)).toBeCloseTo(1 - inside, 6);
    }
  }
});

test("R's t.test(extra ~ group, data = sleep): t = -1.8608, df = 17.776, p-value = 0.07939", () => {
  const a = spread([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0, 2]);
  const b = spread([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]);
  const { t, freedom, p } = welch(a, b)!;
  expect(t).toBeCloseTo(-1.8608, 4);
  expect(freedom).toBeCloseTo(17.776, 3);
  expect(p).toBeCloseTo(0.07939, 5);
});

test('not defined for one value, nor without any spread', () => {
  expect(welch(spread([1]), spread([1, 2]))).toBeNull();
  expect(welch(spread([1, 1]), spread([2, 2]))).toBeNull();
});

test('quantiles as tables of the t distribution have them', () => {
  for (const [freedom, t] of [
    [1, 12.706205],
    [2, 4.302653],
    [5, 2.570582],
    [30, 2.042272],
  ] as const) {
    expect(studentQuantile(0.05, freedom)).toBeCloseTo(t, 5);
  }
});

test("R's t.test(extra ~ group, data = sleep): 95 percent confidence interval -3.3654832 0.2054832", () => {
  const a = spread([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0, 2]);
  const b = spread([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]);
  const { low, high, difference } = meanDifference(a, b)!;
  expect(low).toBeCloseTo(-3.3654832, 6);
  expect(high).toBeCloseTo(0.2054832, 6);
  expect(difference).toBeCloseTo(-1.58, 10);
  expect(meanDifference(spread([1]), b)).toBeNull();
});
