/** @file What a chart is made of, whether it is drawn in SVG or in characters. */

export interface Point {
  x: number;
  /** NaN leaves a gap. */
  y: number;
  /** A band around the line: mean minus and plus the standard deviation, say. */
  band?: { low: number; high: number } | undefined;
}

export interface Series {
  label: string;
  /** From left to right. */
  points: readonly Point[];
}

export interface LineChart {
  title?: string;
  xTitle: string;
  yTitle: string;
  series: readonly Series[];
}

export interface ScatterPoint {
  label: string;
  x: number;
  y: number;
  /** Half the length of a bar through the point. */
  yError?: number | undefined;
}

export interface ScatterChart {
  title?: string;
  /** A line under the title. */
  subtitle?: string;
  xTitle: string;
  yTitle: string;
  points: readonly ScatterPoint[];
  /** Also draw the straight line of least squares. */
  fit?: boolean;
}

const drawable = ({ x, y }: { x: number; y: number }): boolean => Number.isFinite(x) && Number.isFinite(y);

/** The parts of a line between its gaps. */
export function pieces(points: readonly Point[]): Point[][] {
  const result: Point[][] = [];
  let current: Point[] = [];
  for (const point of points) {
    if (drawable(point)) current.push(point);
    else if (current.length > 0) {
      result.push(current);
      current = [];
    }
  }
  if (current.length > 0) result.push(current);
  return result;
}

/** Slope and intercept of the straight line of least squares; null where it is not defined. */
export function leastSquares(points: readonly { x: number; y: number }[]): { slope: number; intercept: number } | null {
  const kept = points.filter(drawable);
  if (kept.length < 2) return null;
  const mx = kept.reduce((sum, { x }) => sum + x, 0) / kept.length;
  const my = kept.reduce((sum, { y }) => sum + y, 0) / kept.length;
  let [xx, xy] = [0, 0];
  for (const { x, y } of kept) {
    xx += (x - mx) ** 2;
    xy += (x - mx) * (y - my);
  }
  return xx > 0 ? { slope: xy / xx, intercept: my - (xy / xx) * mx } : null;
}
