import { describe, expect, it } from 'vitest';
import { NumpyArray } from './numpy-array.ts';
import { NumpyDType } from './numpy-scalar.ts';
import { PickleProblem } from './pickle-values.ts';
import { isStoredTensor } from './stored.ts';

const dtype = (code: string, order = '<'): NumpyDType => {
  const made = new NumpyDType(code);
  made.setState([3, order, null]);
  return made;
};
const array = (state: readonly unknown[]): NumpyArray => {
  const made = new NumpyArray();
  made.setState(state);
  return made;
};
// numpy.array([[1, 2, 3], [4, 5, 6]], 'f4').tobytes() and so on.
const floats = new Uint8Array(Float32Array.of(1, 2, 3, 4, 5, 6).buffer);

describe('an array is a tensor', () => {
  it('row-major, little-endian', () => {
    const made = array([1, [2, 3], dtype('f4'), false, floats]);
    expect(isStoredTensor(made)).toBe(true);
    expect(made).toMatchObject({ dtype: 'float32', shape: [2, 3], data: floats });
    expect(array([[2, 3], dtype('f4'), false, floats])).toMatchObject({ shape: [2, 3] });
    expect(NumpyArray.fromBuffer([floats, dtype('f4'), [6], 'C'])).toMatchObject({ shape: [6], data: floats });
  });

  it('of Fortran order', () => {
    // np.asfortranarray([[1, 2, 3], [4, 5, 6]]) lies as 1 4 2 5 3 6.
    const raw = new Uint8Array(Float32Array.of(1, 4, 2, 5, 3, 6).buffer);
    expect(array([1, [2, 3], dtype('f4'), true, raw]).data).toEqual(floats);
    expect(NumpyArray.fromBuffer([raw, dtype('f4'), [2, 3], 'F']).data).toEqual(floats);
  });

  it('of big-endian numbers', () => {
    expect(array([1, [2], dtype('i2', '>'), false, Uint8Array.of(1, 2, 3, 4)]).data).toEqual(Uint8Array.of(2, 1, 4, 3));
  });

  it('of bytes that Python 2 wrote as text', () => {
    expect(array([1, [3], dtype('u1', '|'), false, 'abc']).data).toEqual(Uint8Array.of(97, 98, 99));
  });
});

it('objects, dates and integers that tensors do not have are stepped over', () => {
  for (const code of ['O8', 'M8', 'u4', 'S3']) {
    expect(isStoredTensor(array([1, [1], dtype(code), false, new Uint8Array(8)]))).toBe(false);
  }
  expect(isStoredTensor(array([1, [1], dtype('f4'), false, [1]]))).toBe(false);
});

it('sizes that do not fit are refused', () => {
  expect(() => array([1, [2, 4], dtype('f4'), false, floats])).toThrow(PickleProblem);
  expect(() => array([1, [-1], dtype('f4'), false, floats])).toThrow(PickleProblem);
  expect(() => array([1, 6, dtype('f4'), false, floats])).toThrow(PickleProblem);
});
