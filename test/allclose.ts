/** What `toBeAllclose` compares: a tensor (told by its methods, so that loading this loads no engine), arrays, numbers. */
export interface TensorLike {
  readonly shape: readonly number[];
  readonly dtype: string;
  toFloat64Array(): Float64Array;
}
export type Numbers = number | bigint | boolean | readonly Numbers[];
export type Comparable = TensorLike | ArrayLike<number> | ArrayLike<bigint> | Numbers;

export interface Tolerance {
  /** Allowed difference as a share of the expected value; by default that of the less precise side's dtype. */
  rtol?: number;
  /** Allowed difference beside that. */
  atol?: number;
  /** Does NaN match NaN? */
  equalNan?: boolean;
}

/** torch.testing.assert_close's defaults. */
const defaults: Record<string, readonly [rtol: number, atol: number]> = {
  float16: [1e-3, 1e-5],
  bfloat16: [1.6e-2, 1e-5],
  float32: [1.3e-6, 1e-5],
  float64: [1e-7, 1e-7],
};
const roughness = ['float64', 'float32', 'float16', 'bfloat16'];

interface Values {
  flat: ArrayLike<number>;
  /** Unknown for a typed array, which has only a length. */
  shape: readonly number[] | undefined;
  dtype: string;
}

const isTensor = (value: unknown): value is TensorLike =>
  typeof value === 'object' && value !== null && 'toFloat64Array' in value && 'shape' in value;

function read(value: unknown): Values {
  if (isTensor(value)) return { flat: value.toFloat64Array(), shape: value.shape, dtype: value.dtype };
  if (ArrayBuffer.isView(value)) {
    const numbers = Float64Array.from(value as unknown as ArrayLike<number>, Number);
    return { flat: numbers, shape: undefined, dtype: value instanceof Float32Array ? 'float32' : 'float64' };
  }
  const flat: number[] = [];
  const shape: number[] = [];
  for (let level = value; Array.isArray(level); level = level[0]) shape.push(level.length);
  const walk = (item: unknown, depth: number): void => {
    if (Array.isArray(item)) {
      if (item.length !== shape[depth]) throw new TypeError('toBeAllclose: the nested arrays are uneven');
      for (const inner of item) walk(inner, depth + 1);
    } else if (depth !== shape.length || !['number', 'bigint', 'boolean'].includes(typeof item)) {
      throw new TypeError(
        `toBeAllclose compares tensors, typed arrays, nested arrays and numbers, not ${String(item)}`,
      );
    } else {
      flat.push(Number(item));
    }
  };
  walk(value, 0);
  return { flat, shape, dtype: 'float64' };
}

const brackets = (items: readonly number[]): string => `[${items.join(', ')}]`;
const product = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** `[1, 2]` for flat position 5 of a [2, 3] tensor. */
function position(index: number, shape: readonly number[]): string {
  const place: number[] = [];
  let rest = index;
  for (const size of [...shape].reverse()) {
    place.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return brackets(place);
}

/** Compare as torch.allclose does: |actual - expected| <= atol + rtol |expected|, element by element, of equal shapes. */
export function allclose(
  actual: unknown,
  expected: unknown,
  tolerance: Tolerance = {},
): { pass: boolean; message: string } {
  const a = read(actual);
  const b = read(expected);
  const rank = Math.max(roughness.indexOf(a.dtype), roughness.indexOf(b.dtype), 0);
  const [defaultRtol, defaultAtol] = defaults[roughness[rank]!]!;
  const { rtol = defaultRtol, atol = defaultAtol, equalNan = false } = tolerance;
  const limits = `rtol ${rtol}, atol ${atol}`;
  const shape = a.shape ?? b.shape ?? [a.flat.length];
  const sameShape = a.shape && b.shape ? brackets(a.shape) === brackets(b.shape) : a.flat.length === b.flat.length;
  if (!sameShape) {
    const shown = (values: Values): string =>
      values.shape ? brackets(values.shape) : `${values.flat.length} elements`;
    return { pass: false, message: `expected the shape ${shown(b)}, got ${shown(a)}` };
  }
  const wrong: { index: number; excess: number }[] = [];
  for (let i = 0; i < a.flat.length; i++) {
    const x = a.flat[i]!;
    const y = b.flat[i]!;
    if (x === y || (equalNan && Number.isNaN(x) && Number.isNaN(y))) continue;
    const difference = Math.abs(x - y);
    const allowed = atol + rtol * Math.abs(y);
    // Written so that NaN and infinity are wrong.
    if (!(difference <= allowed && Number.isFinite(y))) {
      const excess = difference / allowed;
      wrong.push({ index: i, excess: Number.isNaN(excess) ? Infinity : excess });
    }
  }
  const of = `${product(shape)} elements of shape ${brackets(shape)}`;
  if (wrong.length === 0) return { pass: true, message: `expected some of ${of} to differ (${limits}), all are close` };
  const lines = wrong
    .sort((p, q) => q.excess - p.excess)
    .slice(0, 5)
    .map(({ index }) => {
      const [x, y] = [a.flat[index]!, b.flat[index]!];
      return `  at ${position(index, shape)}: got ${x}, expected ${y}, difference ${Math.abs(x - y)}`;
    });
  const more = wrong.length > lines.length ? `\n  and ${wrong.length - lines.length} more` : '';
  return {
    pass: false,
    message: `${wrong.length} of ${of} differ (${limits}); worst first:\n${lines.join('\n')}${more}`,
  };
}
