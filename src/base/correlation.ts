/**
 * @file Pearson's r, Spearman's rho and Kendall's tau-b with two-sided p-values, as the paper reports them for T. stddev against
 * the student's loss. p-values: Student's t with n - 2 degrees of freedom for r and rho; for tau the exact distribution of
 * inversions where there are no ties (M. Kendall, "A New Measure of Rank Correlation", 1938), else the normal approximation
 * with tie corrections (M. Kendall, "Rank Correlation Methods", 1970).
 */
import { UserError } from './errors.ts';
import { studentP } from './student-t.ts';

export interface Correlation {
  value: number;
  /** Probability of a value at least as far from 0 if there were no relation. NaN where it is undefined. */
  p: number;
}

/** erfc(x) for x >= 0, through the incomplete gamma function's continued fraction or series. */
function erfc(x: number): number {
  const squared = x * x;
  if (squared < 1.5) {
    let term = x;
    let sum = x;
    for (let n = 1; n < 200 && Math.abs(term) > 1e-17 * sum; n++) {
      term *= -squared / n;
      sum += term / (2 * n + 1);
    }
    return 1 - (2 / Math.sqrt(Math.PI)) * sum;
  }
  let fraction = 0;
  for (let k = 200; k > 0; k--) fraction = k / 2 / (x + fraction);
  return Math.exp(-squared) / (Math.sqrt(Math.PI) * (x + fraction));
}

function check(x: readonly number[], y: readonly number[]): void {
  if (x.length !== y.length) throw new UserError(`a correlation needs pairs: ${x.length} values against ${y.length}`);
  if (x.length < 3) throw new UserError(`a correlation needs at least 3 points, got ${x.length}`);
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b) / values.length;

export function pearson(x: readonly number[], y: readonly number[]): Correlation {
  check(x, y);
  const [mx, my] = [mean(x), mean(y)];
  let [xx, yy, xy] = [0, 0, 0];
  for (const [i, value] of x.entries()) {
    const [dx, dy] = [value - mx, y[i]! - my];
    xx += dx * dx;
    yy += dy * dy;
    xy += dx * dy;
  }
  if (xx === 0 || yy === 0) return { value: Number.NaN, p: Number.NaN };
  const r = Math.max(-1, Math.min(1, xy / Math.sqrt(xx * yy)));
  const freedom = x.length - 2;
  return { value: r, p: Math.abs(r) === 1 ? 0 : studentP(r * Math.sqrt(freedom / (1 - r * r)), freedom) };
}

/** Ranks from 1, the mean rank for ties. */
export function ranks(values: readonly number[]): number[] {
  const order = values.map((_, i) => i).sort((a, b) => values[a]! - values[b]!);
  const result = new Array<number>(values.length);
  for (let start = 0; start < order.length; ) {
    let end = start + 1;
    while (end < order.length && values[order[end]!] === values[order[start]!]) end++;
    for (let i = start; i < end; i++) result[order[i]!] = (start + end + 1) / 2;
    start = end;
  }
  return result;
}

export const spearman = (x: readonly number[], y: readonly number[]): Correlation => {
  check(x, y);
  return pearson(ranks(x), ranks(y));
};

/** Sizes of the groups of equal values. */
function ties(values: readonly number[]): number[] {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts.values()].filter((count) => count > 1);
}

/** Share of the permutations of n with at most `most` inversions. */
function inversionShare(n: number, most: number): number {
  let counts = [1];
  for (let k = 2; k <= n; k++) {
    const next = new Array<number>(counts.length + k - 1).fill(0);
    for (const [i, count] of counts.entries()) for (let j = 0; j < k; j++) next[i + j]! += count / k;
    counts = next;
  }
  return counts.slice(0, most + 1).reduce((a, b) => a + b, 0);
}

export function kendall(x: readonly number[], y: readonly number[]): Correlation {
  check(x, y);
  const n = x.length;
  let concordant = 0;
  let discordant = 0;
  for (let i = 0; i < n; i++) {
    for (let j = i + 1; j < n; j++) {
      const sign = Math.sign(x[i]! - x[j]!) * Math.sign(y[i]! - y[j]!);
      if (sign > 0) concordant++;
      else if (sign < 0) discordant++;
    }
  }
  const pairs = (n * (n - 1)) / 2;
  const [tx, ty] = [ties(x), ties(y)];
  const tied = (groups: number[]): number => groups.reduce((sum, t) => sum + (t * (t - 1)) / 2, 0);
  const scale = Math.sqrt((pairs - tied(tx)) * (pairs - tied(ty)));
  if (scale === 0) return { value: Number.NaN, p: Number.NaN };
  const s = concordant - discordant;
  const value = Math.max(-1, Math.min(1, s / scale));
  if (tx.length + ty.length === 0)
    return { value, p: Math.min(1, 2 * inversionShare(n, Math.min(concordant, discordant))) };
  const part = (groups: number[], f: (t: number) => number): number => groups.reduce((sum, t) => sum + f(t), 0);
  const v = (t: number): number => t * (t - 1) * (2 * t + 5);
  const pairsOf = (t: number): number => t * (t - 1);
  const triples = (t: number): number => t * (t - 1) * (t - 2);
  const variance =
    (v(n) - part(tx, v) - part(ty, v)) / 18 +
    (part(tx, pairsOf) * part(ty, pairsOf)) / (2 * n * (n - 1)) +
    (part(tx, triples) * part(ty, triples)) / (9 * n * (n - 1) * (n - 2));
  return { value, p: erfc(Math.abs(s) / Math.sqrt(2 * variance)) };
}
