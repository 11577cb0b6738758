import { elementCount } from './stored.ts';

/** True where the strides are those of a gapless row-major array; a dimension of size 1 may have any stride. */
export function isRowMajor(shape: readonly number[], stride: readonly number[]): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && stride[axis] !== expected) return false;
    expected *= shape[axis]!;
  }
  return true;
}

/** A row-major copy of a strided array that begins at the first byte of `source`. Bounds were checked before. */
export function rowMajor(
  source: Uint8Array,
  shape: readonly number[],
  stride: readonly number[],
  width: number,
): Uint8Array {
  const target = new Uint8Array(elementCount(shape) * width);
  // Dimensions of size 1 never move; keep at least one so that there is an inner loop.
  const axes = shape.map((size, axis) => ({ size, step: stride[axis]! * width })).filter(({ size }) => size > 1);
  const inner = axes.pop() ?? { size: 1, step: 0 };
  const index = axes.map(() => 0);
  let from = 0;
  for (let to = 0; to < target.length; ) {
    if (inner.step === width) {
      target.set(source.subarray(from, from + inner.size * width), to);
      to += inner.size * width;
    } else {
      for (let i = 0, at = from; i < inner.size; i++, at += inner.step) {
        for (let b = 0; b < width; b++) target[to++] = source[at + b]!;
      }
    }
    for (let axis = axes.length - 1; axis >= 0; axis--) {
      const { size, step } = axes[axis]!;
      from += step;
      if (++index[axis]! < size) break;
      from -= size * step;
      index[axis] = 0;
    }
  }
  return target;
}
