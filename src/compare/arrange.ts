/** @file Rows in an order, and against a baseline. */
import { welch } from '../base/student-t.ts';
import { unknownName } from '../base/suggest.ts';
import type { CurvePoint } from './curves.ts';
import type { ComparedRow } from './rows.ts';
import type { StddevCorrelation } from './score-file.ts';
import type { Difference } from './settings.ts';

/** By what rows are sorted, best first; rows without the number come last. */
const orders = {
  top1: ({ top1 }: ComparedRow): number => -top1.mean,
  best: ({ best }: ComparedRow): number => -(best?.mean ?? Number.NaN),
  loss: ({ loss }: ComparedRow): number => loss.mean,
  time: ({ seconds }: ComparedRow): number => seconds,
  epochs: ({ epochs }: ComparedRow): number => epochs,
  label: ({ label }: ComparedRow): string => label,
};

export type RowOrder = keyof typeof orders;
export const rowOrders = Object.keys(orders) as RowOrder[];

function before(a: number | string, b: number | string): number {
  if (typeof a === 'string' || typeof b === 'string') {
    return String(a).localeCompare(String(b), 'en', { numeric: true });
  }
  return (Number.isNaN(a) ? 1 : 0) - (Number.isNaN(b) ? 1 : 0) || a - b || 0;
}

export interface Arrangement {
  /** Order of the rows; as they are unless it is named. */
  sort?: RowOrder | undefined;
  /** The label of a row that the others are tested against. */
  baseline?: string | undefined;
}

/** The parts of a comparison that refer to rows. */
interface Arranged {
  rows: ComparedRow[];
  differences: Difference[];
  curves: { rows: CurvePoint[][] };
  correlation: StddevCorrelation | null;
}

/** The same comparison with its rows sorted, and each tested against the baseline row. @throws UserError for unknown names */
export function arrange<T extends Arranged>(comparison: T, { sort, baseline }: Arrangement): T {
  const { rows, differences, curves, correlation } = comparison;
  if (sort !== undefined && !Object.hasOwn(orders, sort)) throw unknownName('order', sort, rowOrders);
  const key = sort && orders[sort];
  const order = rows.map((_, i) => i);
  if (key) order.sort((a, b) => before(key(rows[a]!), key(rows[b]!)));
  const place = new Map(order.map((row, i) => [row, i]));
  const base = baseline === undefined ? undefined : rows.find(({ label }) => label === baseline);
  if (baseline !== undefined && !base) {
    throw unknownName(
      'baseline row',
      baseline,
      rows.map(({ label }) => label),
    );
  }
  const tested = (row: ComparedRow): ComparedRow =>
    !base || row === base
      ? row
      : {
          ...row,
          against: {
            baseline: base.label,
            difference: row.top1.mean - base.top1.mean,
            test: welch(row.top1, base.top1),
          },
        };
  return {
    ...comparison,
    rows: order.map((row) => tested(rows[row]!)),
    differences: differences.map((difference) => ({
      ...difference,
      values: difference.values.map((value) => ({
        ...value,
        rows: value.rows.map((row) => place.get(row)!).sort((a, b) => a - b),
      })),
    })),
    curves: { ...curves, rows: order.map((row) => curves.rows[row]!) },
    correlation: correlation && {
      ...correlation,
      points: correlation.points.map((point) => ({ ...point, row: place.get(point.row)! })),
    },
  };
}
