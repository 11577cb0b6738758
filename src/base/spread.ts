/** A mean over seeds, with the sample standard deviation (n - 1). */
export interface Spread {
  mean: number;
  /** Null for a single value, of which there is none. */
  std: number | null;
  n: number;
}

/** Of no values: NaN. */
export function spread(values: readonly number[]): Spread {
  const n = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  if (n < 2) return { mean, std: null, n };
  return { mean, std: Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1)), n };
}
