import { describe, expect, test } from 'vitest';
import { CAP_HEIGHT, GLYPH_ROWS, GLYPH_WIDTH, glyph, textWidth } from './font.ts';

const printable = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i));

describe('the font', () => {
  test('has every printable letter of ASCII, each different, none too large', () => {
    const shapes = new Map<string, string>();
    for (const letter of printable) {
      const rows = glyph(letter);
      expect(rows, letter).toHaveLength(GLYPH_ROWS);
      for (const row of rows) expect(row, letter).toMatch(new RegExp(`^[.#]{${GLYPH_WIDTH}}$`));
      const shape = rows.join('\n');
      expect(shapes.get(shape), `${letter} looks like another`).toBeUndefined();
      shapes.set(shape, letter);
    }
    expect(glyph(' ').join('')).not.toContain('#');
  });

  test('is in the order of the codes: letters that anybody knows', () => {
    const dots = (letter: string): string => glyph(letter).slice(0, CAP_HEIGHT).join(' ');
    expect(dots('T')).toBe('##### ..#.. ..#.. ..#.. ..#.. ..#.. ..#..');
    expect(dots('L')).toBe('#.... #.... #.... #.... #.... #.... #####');
    expect(dots('H')).toBe('#...# #...# #...# ##### #...# #...# #...#');
    expect(dots('-')).toBe('..... ..... ..... ##### ..... ..... .....');
    expect(dots('z')).toBe('..... ..... ##### ...#. ..#.. .#... #####');
  });

  test('only letters with a tail go below the line', () => {
    const below = printable.filter((letter) => glyph(letter).slice(CAP_HEIGHT).join('').includes('#'));
    expect(below).toEqual([',', ';', '_', 'g', 'j', 'p', 'q', 'y']);
  });

  test('has a box for what it lacks', () => {
    for (const letter of ['é', '中', '\u007f', '\n']) expect(glyph(letter)[0]).toBe('#####');
    expect(textWidth('')).toBe(0);
    expect(textWidth('a')).toBe(5);
    expect(textWidth('abc')).toBe(17);
  });
});
