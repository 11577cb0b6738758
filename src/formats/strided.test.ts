import fc from 'fast-check';
import { expect, it } from 'vitest';
import { isRowMajor, rowMajor } from './strided.ts';

/** The definition: element (i, j, …) lies at i·stride[0] + j·stride[1] + … */
function byDefinition(source: Uint8Array, shape: number[], stride: number[], width: number): number[] {
  let offsets = [0];
  shape.forEach((size, axis) => {
    offsets = offsets.flatMap((offset) => Array.from({ length: size }, (_, i) => offset + i * stride[axis]!));
  });
  return offsets.flatMap((offset) => [...source.subarray(offset * width, (offset + 1) * width)]);
}

const dimensions = fc.array(fc.record({ size: fc.integer({ min: 1, max: 4 }), step: fc.integer({ min: 0, max: 7 }) }), {
  maxLength: 4,
});

it('rowMajor gathers elements as the definition of strides says', () => {
  fc.assert(
    fc.property(dimensions, fc.constantFrom(1, 2, 4, 8), (axes, width) => {
      const shape = axes.map(({ size }) => size);
      const stride = axes.map(({ step }) => step);
      const source = Uint8Array.from({ length: 128 * width }, (_, i) => i * 31);
      expect([...rowMajor(source, shape, stride, width)]).toEqual(byDefinition(source, shape, stride, width));
    }),
  );
});

it('isRowMajor holds exactly where a copy would change nothing', () => {
  fc.assert(
    fc.property(dimensions, (axes) => {
      const shape = axes.map(({ size }) => size);
      const stride = axes.map(({ step }) => step);
      const source = Uint8Array.from({ length: 256 }, (_, i) => i);
      const gathered = byDefinition(source, shape, stride, 1);
      expect(isRowMajor(shape, stride)).toBe(gathered.every((value, i) => value === i));
    }),
    { numRuns: 500 },
  );
});
