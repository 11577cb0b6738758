import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { terminalChart } from './terminal-chart.ts';

const line = (label: string, ys: number[]) => ({ label, points: ys.map((y, i) => ({ x: i + 1, y })) });

describe('a chart in characters', () => {
  test('a straight line from corner to corner, by hand', () => {
    const lines = terminalChart(
      { xTitle: 'epoch', yTitle: 'top-1 (%)', series: [line('CE', [0, 100])] },
      { width: 15, height: 4 },
    );
    // Three for the labels, one blank, one axis: ten columns of two dots, four rows of four: 20 by 16 dots.
    expect(lines[0]).toBe('top-1 (%)');
    expect(lines.slice(1, 5).map((text) => text.slice(0, 5))).toEqual(['100 ┤', '    │', ' 50 ┤', '  0 ┤']);
    const dots = (row: number, column: number): number => {
      const code = lines[1 + row]!.charCodeAt(5 + column);
      return code >= 0x2800 && code <= 0x28ff ? code - 0x2800 : -1;
    };
    // The lower left corner is dot 7 (0x40). The upper right one is the letter.
    expect(dots(3, 0) & 0x40).toBe(0x40);
    expect(lines[1]!.at(14)).toBe('a');
    expect(lines[5]).toBe('    └┬────────┬');
    expect(lines[6]).toBe('     1        2');
    expect(lines.at(-1)).toBe('a CE');
  });

  test('every value that is measured has a dot or a letter in its column', () => {
    const value = fc.double({ min: 0, max: 100, noNaN: true });
    fc.assert(
      fc.property(fc.array(value, { minLength: 2, maxLength: 40 }), fc.integer({ min: 40, max: 120 }), (ys, width) => {
        const lines = terminalChart({ xTitle: 'epoch', yTitle: '%', series: [line('x', ys)] }, { width });
        const plot = lines.slice(1, 17);
        const start = plot[0]!.search(/[┤│]/) + 1;
        const columns = width - start;
        for (let column = 0; column < columns; column++) {
          expect(plot.some((text) => (text[start + column] ?? ' ') !== ' ')).toBe(true);
        }
      }),
    );
  });

  test('never wider than asked, whatever the labels', () => {
    const series = fc.record({
      label: fc.string({ unit: 'grapheme-ascii' }),
      points: fc.array(fc.record({ x: fc.integer({ min: 1, max: 300 }), y: fc.oneof(fc.double(), fc.constant(50)) }), {
        maxLength: 8,
      }),
    });
    fc.assert(
      fc.property(fc.array(series, { maxLength: 30 }), fc.integer({ min: 40, max: 120 }), (list, width) => {
        const sorted = list.map(({ label, points }) => ({ label, points: points.sort((a, b) => a.x - b.x) }));
        for (const text of terminalChart({ xTitle: 'epoch', yTitle: 'top-1', series: sorted }, { width })) {
          expect([...text].length).toBeLessThanOrEqual(width);
          expect(text).not.toMatch(/undefined|NaN/);
        }
      }),
    );
  });

  test('each curve carries its letter and is painted as itself', () => {
    const painted = new Set<number>();
    const lines = terminalChart(
      { xTitle: 'epoch', yTitle: '%', series: [line('low', [1, 2, 3, 4]), line('high', [60, 70, 80, 90])] },
      {
        paint: (i, text) => {
          painted.add(i);
          return text;
        },
      },
    );
    expect(painted).toEqual(new Set([0, 1]));
    const rowsWith = (letter: string): number[] =>
      lines.slice(1, 17).flatMap((text, i) => (text.slice(4).includes(letter) ? [i] : []));
    expect(Math.min(...rowsWith('a'))).toBeGreaterThan(Math.max(...rowsWith('b')));
    expect(lines.at(-1)).toBe('a low   b high');
  });
});
