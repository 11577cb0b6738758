import { describe, expect, test } from 'vitest';
import { type DType, dtypeBytes, dtypeCode, dtypeFromCode, dtypes, isFloating, memoryFormatCode } from './dtype.ts';

describe('dtypes', () => {
  test('codes are those of c10::ScalarType (c10/core/ScalarType.h)', () => {
    const codes = Object.fromEntries(dtypes.map((dtype) => [dtype, dtypeCode(dtype)]));
    expect(codes).toEqual({
      uint8: 0,
      int8: 1,
      int16: 2,
      int32: 3,
      int64: 4,
      float16: 5,
      float32: 6,
      float64: 7,
      bool: 11,
      bfloat16: 15,
    });
  });
  test('a code names its dtype again; others are refused', () => {
    for (const dtype of dtypes) expect(dtypeFromCode(dtypeCode(dtype))).toBe(dtype);
    expect(() => dtypeFromCode(9)).toThrow(/dtype 9/);
  });
  test('sizes agree with the number in the name', () => {
    for (const dtype of dtypes) {
      const bits = Number(/\d+/.exec(dtype)?.[0] ?? 8);
      expect(dtypeBytes[dtype]).toBe(bits / 8);
    }
  });
  test('floating ones', () => {
    expect(dtypes.filter(isFloating)).toEqual(['float16', 'float32', 'float64', 'bfloat16']);
  });
  test('unknown names say the nearest', () => {
    expect(() => dtypeCode('float' as DType)).toThrow(/unknown dtype 'float'/);
    expect(() => dtypeCode('bfloat' as DType)).toThrow(/did you mean '(float16|bfloat16)'/);
    expect(() => dtypeCode('constructor' as DType)).toThrow(/unknown dtype/);
    expect(() => memoryFormatCode('valueOf' as 'preserve')).toThrow(/unknown memory format/);
  });
});
