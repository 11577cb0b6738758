import { describe, expect, test } from 'vitest';
import { allclose, type TensorLike } from './allclose.ts';

const fake = (shape: number[], values: number[], dtype = 'float32'): TensorLike => ({
  shape,
  dtype,
  toFloat64Array: () => Float64Array.from(values),
});
const message = (actual: unknown, expected: unknown, options = {}): string =>
  allclose(actual, expected, options).message;

describe('toBeAllclose', () => {
  test('tensors, typed arrays, nested arrays and numbers', () => {
    expect(fake([2], [1, 2])).toBeAllclose([1, 2]);
    expect(fake([2, 1], [1, 2])).toBeAllclose([[1], [2]]);
    expect(fake([2, 1], [1, 2])).toBeAllclose(Float32Array.from([1, 2]));
    expect(Float64Array.from([1])).toBeAllclose([1]);
    expect(BigInt64Array.from([5n])).toBeAllclose([5]);
    expect(3).toBeAllclose(3);
    expect([true, 2n]).toBeAllclose([1, 2]);
    expect([]).toBeAllclose([]);
  });
  test('the tolerance: atol + rtol * |expected|', () => {
    expect([1.1]).toBeAllclose([1], { rtol: 0, atol: 0.11 });
    expect([1.1]).not.toBeAllclose([1], { rtol: 0, atol: 0.09 });
    expect([110]).toBeAllclose([100], { rtol: 0.1, atol: 0 });
    expect([111]).not.toBeAllclose([100], { rtol: 0.1, atol: 0 });
    expect([100]).not.toBeAllclose([110], { rtol: 0.09, atol: 0 }); // of the expected side
  });
  test('by default that of the less precise dtype', () => {
    expect(fake([1], [1.00001], 'float32')).not.toBeAllclose([1], { atol: 0 });
    expect(fake([1], [1.000001], 'float32')).toBeAllclose([1], { atol: 0 });
    expect(fake([1], [1.000001], 'float64')).not.toBeAllclose([1]);
    expect(fake([1], [1.01], 'bfloat16')).toBeAllclose(fake([1], [1], 'float64'));
    expect(fake([1], [2], 'int64')).not.toBeAllclose([1]);
  });
  test('infinities equal themselves; NaN only if asked', () => {
    expect([Infinity, -Infinity]).toBeAllclose([Infinity, -Infinity]);
    expect([Infinity]).not.toBeAllclose([-Infinity]);
    expect([1]).not.toBeAllclose([Infinity]);
    expect([Number.NaN]).not.toBeAllclose([Number.NaN]);
    expect([Number.NaN]).not.toBeAllclose([1], { atol: Infinity });
    expect([Number.NaN]).toBeAllclose([Number.NaN], { equalNan: true });
    expect([Number.NaN]).not.toBeAllclose([0], { equalNan: true });
  });
  test('shapes must be equal', () => {
    expect(message(fake([2, 1], [1, 2]), [1, 2])).toBe('expected the shape [2], got [2, 1]');
    expect(message(fake([2], [1, 2]), Float32Array.from([1]))).toBe('expected the shape 1 elements, got [2]');
    expect(message(fake([], [1]), [1])).toBe('expected the shape [1], got []');
  });
  test('the message names the worst elements by index', () => {
    const text = message(fake([2, 3], [1, 2, 3, 4, 5, 6.5]), [
      [1, 2.1, 3],
      [4, 5, 6],
    ]);
    expect(text).toBe(
      '2 of 6 elements of shape [2, 3] differ (rtol 0.0000013, atol 0.00001); worst first:\n' +
        '  at [1, 2]: got 6.5, expected 6, difference 0.5\n' +
        '  at [0, 1]: got 2, expected 2.1, difference 0.10000000000000009',
    );
    const many = message(
      Float64Array.from({ length: 9 }, () => 1),
      new Float64Array(9),
    );
    expect(many).toContain('9 of 9 elements');
    expect(many).toContain('and 4 more');
    expect(message([1], [1])).toContain('expected some of 1 elements of shape [1] to differ');
  });
  test('what cannot be compared is an error', () => {
    expect(() => message('x', [1])).toThrow(/not x/);
    expect(() => message([1, [2]], [1])).toThrow(/toBeAllclose/);
    expect(() => message([[1], [2, 3]], [1])).toThrow(/uneven/);
    expect(() => message(undefined, 1)).toThrow(/not undefined/);
  });
});
