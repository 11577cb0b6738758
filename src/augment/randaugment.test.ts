import { describe, expect, test } from 'vitest';
import { drawContext, misfit, misfitUniform } from '../../test/augment.ts';
import { autoAugmentTable, operations, type Program, type Strengths, strengthTable } from './operations.ts';
import { randaugment, trivialaugment } from './randaugment.ts';
import type { Scheme } from './scheme.ts';

const MANY = 14_000;
const wide = { shear: 0.99, translateX: 32, translateY: 32, degrees: 135, blend: 0.99, bits: 6 };

interface Call {
  name: (typeof operations)[number];
  magnitude: number;
}
const callsOf = (scheme: Scheme<Program>): Call[] => {
  const drawn = scheme.draw(drawContext(MANY));
  return Array.from(drawn.operations, (code, i) => ({ name: operations[code]!, magnitude: drawn.magnitudes[i]! }));
};
const fairSigns = (calls: readonly Call[], table: Record<string, Strengths>): void => {
  const signed = calls.filter(({ name, magnitude }) => table[name]!.signed && magnitude !== 0);
  const negative = signed.filter(({ magnitude }) => magnitude < 0).length;
  expect(misfit([negative, signed.length - negative], [signed.length / 2, signed.length / 2])).toBeLessThan(4);
  for (const { name, magnitude } of calls) if (!table[name]!.signed) expect(magnitude).toBeGreaterThanOrEqual(0);
};

describe('RandAugment', () => {
  const calls = callsOf(randaugment);
  const table = autoAugmentTable(31, 32, 32);

  test('two operations an image, each of 14 as often, twice the same too', () => {
    expect(calls.length).toBe(2 * MANY);
    const codes = calls.map(({ name }) => operations.indexOf(name));
    expect(codes).not.toContain(operations.indexOf('Invert'));
    expect(misfitUniform(codes, 14)).toBeLessThan(4);
    const pairs = Array.from({ length: MANY }, (_, i) => codes[2 * i]! * 14 + codes[2 * i + 1]!);
    expect(misfitUniform(pairs, 196)).toBeLessThan(4);
  });

  test('always at step 9 of 30, the sign at random', () => {
    for (const { name, magnitude } of calls) {
      const { magnitudes } = table[name];
      expect(Math.abs(magnitude)).toBe(magnitudes.length === 1 ? 0 : magnitudes[9]);
    }
    expect(table.Rotate.magnitudes[9]).toBeCloseTo(9, 5);
    expect(table.Posterize.magnitudes[9]).toBe(7);
    fairSigns(calls, table);
  });
});

describe('TrivialAugment', () => {
  const calls = callsOf(trivialaugment);
  const table = strengthTable(31, wide);

  test('one operation an image, each of 14 as often', () => {
    expect(calls.length).toBe(MANY);
    expect(
      misfitUniform(
        calls.map(({ name }) => operations.indexOf(name)),
        14,
      ),
    ).toBeLessThan(4);
  });

  test('at any of 31 steps, the first and the last included', () => {
    for (const name of ['ShearX', 'Rotate', 'Solarize', 'Brightness'] as const) {
      const { magnitudes } = table[name];
      const steps = calls
        .filter((call) => call.name === name)
        .map(({ magnitude }) => magnitudes.indexOf(Math.abs(magnitude)));
      expect(misfitUniform(steps, 31), name).toBeLessThan(4);
    }
    fairSigns(calls, table);
  });

  test('its magnitudes are wide: 32 pixels, 135 degrees, down to 2 bits', () => {
    const most = (name: Call['name']): number =>
      Math.max(...calls.filter((call) => call.name === name).map((call) => call.magnitude));
    expect([most('TranslateX'), most('Rotate')]).toEqual([32, 135]);
    const bits = calls.filter(({ name }) => name === 'Posterize').map(({ magnitude }) => magnitude);
    expect([Math.min(...bits), Math.max(...bits)]).toEqual([2, 8]);
  });
});
