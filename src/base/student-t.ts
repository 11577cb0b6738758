/** @file Student's t distribution and Welch's test of two means. */
import type { Spread } from './spread.ts';

/** ln Gamma(x) for x > 0 by Lanczos' approximation (g = 7, n = 9), good to 1e-14. */
function logGamma(x: number): number {
  const coefficients = [
    0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
    12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
  ];
  if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - logGamma(1 - x);
  const t = x + 6.5;
  const sum = coefficients.reduce((acc, c, i) => (i === 0 ? c : acc + c / (x - 1 + i)), 0);
  return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(t) - t + Math.log(sum);
}

/** The regularised incomplete beta function I_x(a, b) by its continued fraction (Lentz's method). */
function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  // The fraction converges fast below the mean; the symmetry serves the other side.
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a);
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x)) / a;
  const tiny = 1e-300;
  let c = 1;
  let d = 1 / Math.max(tiny, 1 - ((a + b) * x) / (a + 1));
  let fraction = d;
  for (let m = 1; m < 500; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    let change = 1;
    for (const term of [even, odd]) {
      d = 1 / (1 + term * d || tiny);
      c = 1 + term / c || tiny;
      change = c * d;
      fraction *= change;
    }
    if (Math.abs(change - 1) < 1e-15) break;
  }
  return front * fraction;
}

/** Two-sided p-value of Student's t: the probability of one at least as far from 0. `freedom` need not be whole. */
export const studentP = (t: number, freedom: number): number =>
  incompleteBeta(freedom / (freedom + t * t), freedom / 2, 0.5);

/** The t that is exceeded, to either side, with probability `p`: by bisection of `studentP`. */
export function studentQuantile(p: number, freedom: number): number {
  let [low, high] = [0, 1];
  while (studentP(high, freedom) > p && high < 1e9) high *= 2;
  for (let i = 0; i < 80; i++) {
    const middle = (low + high) / 2;
    if (studentP(middle, freedom) > p) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** Welch's test of two means whose spreads may differ (B. L. Welch, 1947; Satterthwaite's degrees of freedom). */
export interface Welch {
  t: number;
  freedom: number;
  /** Two-sided. */
  p: number;
}

/** Null where it is not defined: fewer than two values on a side, or no spread at all. */
export function welch(a: Spread, b: Spread): Welch | null {
  if (a.std === null || b.std === null) return null;
  const [va, vb] = [a.std ** 2 / a.n, b.std ** 2 / b.n];
  const variance = va + vb;
  if (!(variance > 0)) return null;
  const t = (a.mean - b.mean) / Math.sqrt(variance);
  const freedom = variance ** 2 / (va ** 2 / (a.n - 1) + vb ** 2 / (b.n - 1));
  return { t, freedom, p: studentP(t, freedom) };
}

/** Mean of the first minus mean of the second, with its 95 % interval; null where the test is not defined. */
export function meanDifference(
  a: Spread,
  b: Spread,
): { difference: number; low: number; high: number; p: number } | null {
  const tested = welch(a, b);
  if (!tested) return null;
  const difference = a.mean - b.mean;
  const width = studentQuantile(0.05, tested.freedom) * Math.sqrt((a.std ?? 0) ** 2 / a.n + (b.std ?? 0) ** 2 / b.n);
  return { difference, low: difference - width, high: difference + width, p: tested.p };
}
