import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bars } from './bars.ts';

describe('bars', () => {
  test('begin at 0, share a scale, and are good to an eighth of a character', () => {
    const lines = bars(
      [
        { label: 'a', value: 8, text: '8' },
        { label: 'bb', value: 4.3125, text: '4.3' },
        { label: 'c', value: 0, text: '0' },
      ],
      { width: 17 },
    );
    // Label 2, text 3, two blanks: 10 are left for the bar. 4.3125 of 8 is 5.4 of 10: five and three eighths.
    expect(lines).toEqual(['a  ██████████   8', 'bb █████▍     4.3', 'c               0']);
  });

  test('a reference is marked where its value would end', () => {
    const [first, second] = bars(
      [
        { label: 'x', value: 2, text: '', reference: 8 },
        { label: 'y', value: 8, text: '', reference: 4 },
      ],
      { width: 18 },
    );
    expect(first).toBe(`x ${'█'.repeat(3)}${'▊'} ${' '.repeat(9)}│ `);
    expect(second).toBe(`y ${'█'.repeat(7)}│${'█'.repeat(7)} `);
  });

  test('a label gives way before the bar does', () => {
    const [line] = bars([{ label: 'cutmix+pick:teacher-entropy', value: 1, text: '0.004' }], { width: 30 });
    expect(line).toBe('cutmix+pick:… ██████████ 0.004');
    expect(bars([])).toEqual([]);
  });

  test('what is no length is refused', () => {
    expect(() => bars([{ label: 'n', value: Number.NaN }])).toThrow(/'n' is NaN/);
    expect(() => bars([{ label: 'n', value: -1 }])).toThrow(/from 0 up/);
  });

  test('all lines are as wide as asked, and longer bars are of larger values', () => {
    const item = fc.record({ label: fc.string({ maxLength: 30, unit: 'grapheme-ascii' }), value: fc.nat(1000) });
    fc.assert(
      fc.property(fc.array(item, { minLength: 1, maxLength: 8 }), fc.integer({ min: 30, max: 120 }), (items, width) => {
        const lines = bars(items, { width });
        for (const line of lines) expect([...line].length).toBe(width);
        const lengths = items.map(
          ({ value }, i) => [value, [...lines[i]!].filter((c) => '█▏▎▍▌▋▊▉'.includes(c)).length] as const,
        );
        for (const [a, longA] of lengths)
          for (const [b, longB] of lengths) if (a <= b) expect(longA).toBeLessThanOrEqual(longB);
      }),
    );
  });
});
