import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { axis, scale } from './axes.ts';

const labels = (values: number[], options = {}): string[] => axis(values, options).ticks.map(({ label }) => label);

describe('ticks', () => {
  test('by hand', () => {
    expect(labels([0, 100])).toEqual(['0', '20', '40', '60', '80', '100']);
    expect(labels([61.3, 63.2])).toEqual(['61.0', '61.5', '62.0', '62.5', '63.0', '63.5']);
    expect(labels([0.003788, 0.005248])).toEqual([
      '0.0036',
      '0.0038',
      '0.0040',
      '0.0042',
      '0.0044',
      '0.0046',
      '0.0048',
      '0.0050',
      '0.0052',
      '0.0054',
    ]);
    expect(labels([0.1, 0.35], { count: 5 })).toEqual(['0.10', '0.15', '0.20', '0.25', '0.30', '0.35']);
    expect(labels([0, 50_000], { count: 4 })).toEqual(['0', '10,000', '20,000', '30,000', '40,000', '50,000']);
    expect(labels([0, 3e7], { count: 3 })).toEqual(['0', '1e+7', '2e+7', '3e+7']);
    expect(labels([-0.2, 0.3])).toEqual(['-0.2', '-0.1', '0.0', '0.1', '0.2', '0.3']);
  });

  test('whole ticks for epochs, inside what is there', () => {
    expect(axis([1, 3], { whole: true, tight: true })).toEqual({
      min: 1,
      max: 3,
      ticks: [1, 2, 3].map((value) => ({ value, label: String(value) })),
    });
    expect(labels([1, 240], { count: 6, whole: true, tight: true })).toEqual(['50', '100', '150', '200']);
    expect(labels([7], { whole: true, tight: true })).toEqual(['7']);
  });

  test('nothing, one value, NaN', () => {
    expect(axis([])).toMatchObject({ min: 0, max: 1 });
    expect(axis([Number.NaN, Number.POSITIVE_INFINITY])).toMatchObject({ min: 0, max: 1 });
    const { min, max } = axis([5]);
    expect(min).toBeLessThan(5);
    expect(max).toBeGreaterThan(5);
  });

  test('hold every value, rise by one round step, are few, and have labels that differ', () => {
    const value = fc.double({ noNaN: true, noDefaultInfinity: true });
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 5 }), fc.integer({ min: 2, max: 12 }), (values, count) => {
        const { min, max, ticks } = axis(values, { count });
        const held = values.map((v) => Math.max(-1e300, Math.min(1e300, v)));
        const slack = (max - min) * 1e-6;
        expect(Math.min(...held)).toBeGreaterThanOrEqual(min - slack);
        expect(Math.max(...held)).toBeLessThanOrEqual(max + slack);
        expect(ticks.length).toBeGreaterThanOrEqual(2);
        expect(ticks.length).toBeLessThanOrEqual(2 * count + 3);
        const first = ticks[1]!.value - ticks[0]!.value;
        for (const [i, tick] of ticks.entries()) {
          if (i === 0) continue;
          expect(Math.abs(tick.value - ticks[i - 1]!.value - first)).toBeLessThanOrEqual(first * 1e-5);
        }
        const mantissa = first / 10 ** Math.floor(Math.log10(first * 1.0001));
        if (first > 1e-280) expect([1, 2, 5].some((m) => Math.abs(mantissa - m) < 1e-4)).toBe(true);
      }),
    );
  });

  test('labels of usual sizes read back as their values', () => {
    fc.assert(
      fc.property(
        fc.double({ min: -1000, max: 1000, noNaN: true }),
        fc.double({ min: 1e-4, max: 1000, noNaN: true }),
        (low, span) => {
          for (const { value, label } of axis([low, low + span]).ticks) {
            expect(Math.abs(Number(label.replaceAll(',', '')) - value)).toBeLessThanOrEqual(
              1e-9 * Math.max(1, Math.abs(value)),
            );
          }
        },
      ),
    );
  });
});

test('a scale takes the ends to the ends and is straight between them', () => {
  const place = scale({ min: 2, max: 6, ticks: [] }, 100, 0);
  expect([2, 3, 6].map(place)).toEqual([100, 75, 0]);
});
