import { unknownName } from '../base/suggest.ts';

/** Element types, with libtorch's own codes (c10::ScalarType). */
const codes = {
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
} as const;

export type DType = keyof typeof codes;

/** Bytes of one element. */
export const dtypeBytes: Readonly<Record<DType, number>> = {
  uint8: 1,
  int8: 1,
  int16: 2,
  int32: 4,
  int64: 8,
  float16: 2,
  float32: 4,
  float64: 8,
  bool: 1,
  bfloat16: 2,
};

const names = new Map<number, DType>(Object.entries(codes).map(([name, code]) => [code, name as DType]));

export const dtypes = Object.keys(codes) as DType[];

/** libtorch's number for a dtype, which operators called by `ops` take. @throws UserError for an unknown name */
export function dtypeCode(dtype: DType): number {
  if (!Object.hasOwn(codes, dtype)) throw unknownName('dtype', String(dtype), dtypes);
  return codes[dtype];
}

export function dtypeFromCode(code: number): DType {
  const name = names.get(code);
  if (!name) throw new TypeError(`dtype ${code} of libtorch has no name here`);
  return name;
}

export const isFloating = (dtype: DType): boolean =>
  dtype === 'float32' || dtype === 'float64' || dtype === 'bfloat16' || dtype === 'float16';

/** How a tensor's elements lie in memory; codes of c10::MemoryFormat. */
const memoryFormats = { contiguous: 0, preserve: 1, channelsLast: 2 } as const;
export type MemoryFormat = keyof typeof memoryFormats;
/** libtorch's number for a memory format. @throws UserError for an unknown name */
export function memoryFormatCode(format: MemoryFormat): number {
  if (!Object.hasOwn(memoryFormats, format)) {
    throw unknownName('memory format', String(format), Object.keys(memoryFormats));
  }
  return memoryFormats[format];
}
