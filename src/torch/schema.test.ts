import { describe, expect, expectTypeOf, test } from 'vitest';
import { type OperatorFunction, parseSchema, schemaDifferences } from './schema.ts';
import type { Tensor } from './tensor.ts';

/** Checked by tsc; nothing runs. */
describe('the type of an operator follows from its schema', () => {
  type Of<S extends string> = OperatorFunction<S, Tensor>;

  test('tensors in, tensor out', () => {
    expectTypeOf<Of<'aten::relu(Tensor self) -> Tensor'>>().toEqualTypeOf<(self: Tensor) => Tensor>();
    expectTypeOf<Of<'aten::relu_(Tensor(a!) self) -> Tensor(a!)'>>().toEqualTypeOf<(self: Tensor) => Tensor>();
    expectTypeOf<Of<'aten::t(Tensor(a) self) -> Tensor(a)'>>().toEqualTypeOf<(self: Tensor) => Tensor>();
  });
  test('no arguments, no results', () => {
    expectTypeOf<Of<'x::now() -> int'>>().toEqualTypeOf<() => number>();
    expectTypeOf<Of<'x::zero_(Tensor(a!)[] self) -> ()'>>().toEqualTypeOf<(self: readonly Tensor[]) => undefined>();
  });
  test('defaults make an argument optional, and the star of keyword-only arguments is none', () => {
    expectTypeOf<Of<'aten::add.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor'>>().toEqualTypeOf<
      (self: Tensor, other: Tensor, alpha?: number | boolean) => Tensor
    >();
  });
  test('a question mark allows null but does not make an argument optional', () => {
    expectTypeOf<Of<'aten::f(Tensor? weight, int? dim=None) -> Tensor'>>().toEqualTypeOf<
      (weight: Tensor | null, dim?: number | null) => Tensor
    >();
  });
  test('lists: of any length, of a fixed length (one number for all), of optional tensors, optional lists', () => {
    expectTypeOf<Of<'aten::f(int[] a, int[2] b, int[1]? c, Tensor?[] d, int[]? e) -> Tensor'>>().toEqualTypeOf<
      (
        a: readonly number[],
        b: number | readonly number[],
        c: number | readonly number[] | null,
        d: readonly (Tensor | null)[],
        e: readonly number[] | null,
      ) => Tensor
    >();
  });
  test('SymInt is int, in lists too', () => {
    expectTypeOf<Of<'aten::f(SymInt[] size, SymInt n=1, SymInt? m=None, SymInt[2] k=0) -> Tensor'>>().toEqualTypeOf<
      (size: readonly number[], n?: number, m?: number | null, k?: number | readonly number[]) => Tensor
    >();
  });
  test('codes are numbers, text is text', () => {
    expectTypeOf<
      Of<'aten::f(ScalarType a, Layout? b, MemoryFormat c, str d, Device? e, bool f, float g) -> Tensor'>
    >().toEqualTypeOf<
      (a: number, b: number | null, c: number, d: string, e: string | null, f: boolean, g: number) => Tensor
    >();
  });
  test('several results are a tuple, lists of tensors are arrays, plain results are plain', () => {
    expectTypeOf<ReturnType<Of<'aten::f(Tensor self) -> (Tensor, Tensor)'>>>().toEqualTypeOf<[Tensor, Tensor]>();
    expectTypeOf<ReturnType<Of<'aten::f(Tensor self) -> (Tensor values, Tensor[] rest, int n)'>>>().toEqualTypeOf<
      [Tensor, Tensor[], number]
    >();
    expectTypeOf<ReturnType<Of<'aten::f(Tensor self) -> Tensor(a)[]'>>>().toEqualTypeOf<Tensor[]>();
    expectTypeOf<ReturnType<Of<'aten::f(Tensor self) -> bool'>>>().toEqualTypeOf<boolean>();
    expectTypeOf<ReturnType<Of<'aten::f(Tensor self) -> float'>>>().toEqualTypeOf<number>();
  });
  test('a default with a decimal point or brackets is still one argument', () => {
    expectTypeOf<Of<'aten::f(Tensor self, float p=0.5, int[1] dim=[], int n=1) -> Tensor'>>().toEqualTypeOf<
      (self: Tensor, p?: number, dim?: number | readonly number[], n?: number) => Tensor
    >();
  });
  test('what has no form in JavaScript takes nothing', () => {
    expectTypeOf<Of<'aten::f(Stream s) -> Tensor'>>().parameter(0).toBeNever();
  });
});

describe('parseSchema', () => {
  test('takes a schema apart', () => {
    const text =
      'aten::add.out(Tensor self, Tensor other, *, Scalar alpha=1, float[2] p=[0.5, 1], Tensor(a!) out) -> Tensor(a!)';
    expect(parseSchema(text)).toEqual({
      name: 'aten::add.out',
      arguments: [
        { name: 'self', type: 'Tensor', hasDefault: false },
        { name: 'other', type: 'Tensor', hasDefault: false },
        { name: 'alpha', type: 'Scalar', hasDefault: true, defaultText: '1' },
        { name: 'p', type: 'float[2]', hasDefault: true, defaultText: '[0.5, 1]' },
        { name: 'out', type: 'Tensor', hasDefault: false },
      ],
      returns: ['Tensor'],
    });
  });
  test('results: several, named, none', () => {
    expect(parseSchema('a::b(Tensor self) -> (Tensor values, Tensor indices)').returns).toEqual(['Tensor', 'Tensor']);
    expect(parseSchema('a::b(Tensor(a -> *) self) -> Tensor(a)[]').returns).toEqual(['Tensor[]']);
    expect(parseSchema('a::b() -> ()')).toEqual({ name: 'a::b', arguments: [], returns: [] });
  });
  test('a string default with spaces or an arrow does not confuse it', () => {
    const parsed = parseSchema('a::b(Tensor self, str mode="a b, c", *, str? x=None) -> Tensor');
    expect(parsed.arguments.map((a) => a.name)).toEqual(['self', 'mode', 'x']);
  });
  test('text that is no schema', () => {
    expect(() => parseSchema('relu')).toThrow('not an operator schema: relu');
  });
});

describe('schemaDifferences', () => {
  const declared = 'aten::f(Tensor self, int[2] k, ScalarType? dtype=None) -> (Tensor, Tensor)';
  const against = (actual: string) => schemaDifferences(declared, actual);

  test('none for itself, nor for what is only spelt otherwise', () => {
    expect(against(declared)).toEqual([]);
    expect(against('aten::f(Tensor(a) self, SymInt[2] k, *, int? dtype=None) -> (Tensor(a) x, Tensor y)')).toEqual([]);
  });
  test('none for further arguments with defaults', () => {
    expect(against('aten::f(Tensor self, int[2] k, int? dtype=None, bool more=False) -> (Tensor, Tensor)')).toEqual([]);
  });
  test.each([
    ['another name', 'aten::g(Tensor self, int[2] k, int? dtype=None) -> (Tensor, Tensor)', 'the name is aten::g'],
    [
      'an argument renamed',
      'aten::f(Tensor input, int[2] k, int? dtype=None) -> (Tensor, Tensor)',
      "'input', not 'self'",
    ],
    [
      'an argument of another type',
      'aten::f(Tensor self, int[] k, int? dtype=None) -> (Tensor, Tensor)',
      'int[], not int[2]',
    ],
    ['arguments swapped', 'aten::f(int[2] k, Tensor self, int? dtype=None) -> (Tensor, Tensor)', "argument 1 is 'k'"],
    ['an argument gone', 'aten::f(Tensor self, int[2] k) -> (Tensor, Tensor)', "no argument 3 'dtype'"],
    ['a default gone', 'aten::f(Tensor self, int[2] k, int? dtype) -> (Tensor, Tensor)', 'has no default'],
    ['a default added', 'aten::f(Tensor self, int[2] k=1, int? dtype=None) -> (Tensor, Tensor)', 'has a default'],
    ['no longer optional', 'aten::f(Tensor self, int[2] k, int dtype=6) -> (Tensor, Tensor)', 'int, not int?'],
    [
      'a further argument without a default',
      'aten::f(Tensor self, int[2] k, int? dtype=None, *, int n) -> (Tensor, Tensor)',
      "further argument 'n'",
    ],
    ['another result', 'aten::f(Tensor self, int[2] k, int? dtype=None) -> Tensor', 'returns (Tensor)'],
  ])('%s', (_what, actual, message) => {
    expect(against(actual).join('; ')).toContain(message);
  });
});
