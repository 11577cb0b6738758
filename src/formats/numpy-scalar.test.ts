import { expect, it } from 'vitest';
import { refusal } from '../../test/fixtures/formats/fixtures.ts';
import { NumpyDType, numpyScalar } from './numpy-scalar.ts';
import { PickledObject, PickleProblem } from './pickle-values.ts';

function scalar(code: string, hex: string, order = '<'): unknown {
  const dtype = new NumpyDType(code);
  dtype.setState([3, order, null, null, null, -1, -1, 0]);
  return numpyScalar([dtype, Uint8Array.from(Buffer.from(hex, 'hex'))]);
}

// numpy.float64(71.25).tobytes().hex() and so on.
it.each([
  ['f8', '0000000000d05140', 71.25],
  ['f4', '00808e42', 71.25],
  ['f2', '7454', 71.25],
  ['i8', 'ffffffffffffffff', -1],
  ['i8', 'ffffffffffffff7f', 2n ** 63n - 1n],
  ['i4', 'feffffff', -2],
  ['i2', 'feff', -2],
  ['i1', 'fe', -2],
  ['u8', 'ffffffffffffffff', 2n ** 64n - 1n],
  ['u4', 'feffffff', 4294967294],
  ['u2', 'feff', 65534],
  ['u1', 'fe', 254],
  ['b1', '01', true],
])('%s %s is %s', (code, hex, value) => {
  expect(scalar(code, hex)).toBe(value);
});

it('big-endian scalars', () => {
  expect(scalar('f8', '4051d00000000000', '>')).toBe(71.25);
});

it('scalars of Python 2, whose bytes may have been text', () => {
  expect(numpyScalar([new NumpyDType('f4'), '\0\0\0B'])).toBe(32);
});

it('other kinds stay inert, nonsense is refused', async () => {
  expect(scalar('M8', '0000000000000000')).toBeInstanceOf(PickledObject);
  expect(() => scalar('f8', '00')).toThrow(PickleProblem);
  expect(() => numpyScalar(['f8', new Uint8Array(8)])).toThrow(PickleProblem);
  expect(() => numpyScalar([new NumpyDType('f8'), 8])).toThrow(PickleProblem);
  expect(() => new NumpyDType(8)).toThrow(PickleProblem);
  await expect(refusal(() => scalar('f8', '00'))).rejects.toThrow(PickleProblem);
});
