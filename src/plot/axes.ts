/** @file Axes of charts: round ticks, their labels, and the way from a number to a place. */

export interface Tick {
  value: number;
  label: string;
}

export interface Axis {
  min: number;
  max: number;
  /** Rising, inside `min` to `max`. */
  ticks: Tick[];
}

export interface AxisOptions {
  /** About how many ticks. Default 6. */
  count?: number;
  /** Ticks on whole numbers only: epochs. */
  whole?: boolean;
  /** End at the outermost values instead of the round numbers beyond them. */
  tight?: boolean;
}

/**
 * The step 1, 2 or 5 times a power of ten that cuts `span` into about `count` parts; as a power of ten and a factor, since 0.1
 * itself is not exact. The choice among 1, 2, 5, 10 is by geometric means, as in D3.
 */
function step(span: number, count: number): { factor: number; power: number } {
  const rough = span / Math.max(1, count);
  const power = Math.floor(Math.log10(rough));
  const rest = rough / 10 ** power;
  const factor = rest >= Math.sqrt(50) ? 10 : rest >= Math.sqrt(10) ? 5 : rest >= Math.sqrt(2) ? 2 : 1;
  return factor === 10 ? { factor: 1, power: power + 1 } : { factor, power };
}

/** The i-th multiple of a step, rounded once. */
const multiple = (i: number, { factor, power }: { factor: number; power: number }): number =>
  power < 0 ? (i * factor) / 10 ** -power : i * factor * 10 ** power;

function label(value: number, power: number, most: number): string {
  if (power < -6 || most >= 1e7)
    return value === 0 ? '0' : value.toExponential(Math.max(0, Math.floor(Math.log10(most)) - power));
  const fixed = value.toFixed(Math.max(0, -power));
  const [whole = '', decimals] = fixed.split('.');
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ',');
  return decimals === undefined ? grouped : `${grouped}.${decimals}`;
}

/** An axis that holds every finite number of `values`; from 0 to 1 where there is none. */
export function axis(values: Iterable<number>, { count = 6, whole = false, tight = false }: AxisOptions = {}): Axis {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    // Beyond this, differences and powers of ten overflow.
    const held = Math.max(-1e300, Math.min(1e300, value));
    min = Math.min(min, held);
    max = Math.max(max, held);
  }
  if (min > max) [min, max] = [0, 1];
  const largest = Math.max(Math.abs(min), Math.abs(max));
  const least = whole || largest === 0 ? 1 : Math.max(largest * 1e-9, 1e-300);
  if (max - min < least) {
    const room = whole ? 0.5 : Math.max(Math.abs(min) * 0.05, least);
    [min, max] = [min - room, max + room];
  }
  const by = step(max - min, count);
  if (whole && by.power < 0) Object.assign(by, { factor: 1, power: 0 });
  const size = multiple(1, by);
  // Half a millionth of a step forgives the rounding of a value that is a multiple itself.
  const first = tight ? Math.ceil(min / size - 5e-7) : Math.floor(min / size + 5e-7);
  const last = tight ? Math.floor(max / size + 5e-7) : Math.ceil(max / size - 5e-7);
  const most = Math.max(Math.abs(first), Math.abs(last), 1) * size;
  const ticks = Array.from({ length: last - first + 1 }, (_, i): Tick => {
    const value = multiple(first + i, by);
    return { value, label: label(value, by.power, most) };
  });
  return tight
    ? { min, max, ticks }
    : { min: Math.min(min, ticks[0]!.value), max: Math.max(max, ticks.at(-1)!.value), ticks };
}

/** The straight map that takes the axis's ends to `from` and `to`, and what lies beyond them to the nearer end. */
export const scale =
  ({ min, max }: Axis, from: number, to: number): ((value: number) => number) =>
  (value) =>
    from + Math.max(0, Math.min(1, (value - min) / (max - min))) * (to - from);
