import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Planes, Raster } from './raster.ts';
import { type Band, type Cell, drawSheet, FRAME, GAP, MARGIN, sheetColours, sheetLayout } from './sheet.ts';

const { background, frame } = sheetColours;

/** An image whose every pixel says where it is. */
const marked = (size: number, blue: number): Planes => {
  const data = new Uint8Array(3 * size * size);
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      data[y * size + x] = x;
      data[size * size + y * size + x] = y;
      data[2 * size * size + y * size + x] = blue;
    }
  }
  return { data, width: size, height: size };
};

describe('Raster', () => {
  test('images are enlarged to squares, planes become pixels', () => {
    const raster = new Raster(8, 8, background);
    raster.image(1, 2, marked(3, 77), 2);
    for (let y = 0; y < 8; y++) {
      for (let x = 0; x < 8; x++) {
        const inside = x >= 1 && x < 7 && y >= 2;
        const expected = inside ? [Math.floor((x - 1) / 2), Math.floor((y - 2) / 2), 77] : background;
        expect(raster.at(x, y), `${x}, ${y}`).toEqual(expected);
      }
    }
  });

  test('a frame lies around a box, not in it; what is outside is not drawn', () => {
    const raster = new Raster(10, 10, background);
    raster.frame(3, 3, 4, 4, 1, frame);
    let count = 0;
    for (let y = 0; y < 10; y++) for (let x = 0; x < 10; x++) if (raster.at(x, y)[0] === frame[0]) count++;
    expect(count).toBe(20);
    expect(raster.at(3, 3)).toEqual(background);
    expect(raster.at(2, 2)).toEqual(frame);
    raster.fill(-5, 8, 100, 100, frame);
    expect(raster.at(0, 9)).toEqual(frame);
    expect(raster.at(9, 7)).toEqual(background);
  });

  test('text is dots of the font at a scale', () => {
    const raster = new Raster(24, 18, background);
    raster.text(0, 0, 'L', 2, frame);
    expect(raster.at(0, 0)).toEqual(frame);
    expect(raster.at(1, 13)).toEqual(frame);
    expect(raster.at(2, 0)).toEqual(background);
    expect(raster.at(9, 12)).toEqual(frame);
    expect(raster.at(9, 14)).toEqual(background);
  });
});

describe('sheets', () => {
  const cell = (i: number, more: Partial<Cell> = {}): Cell => ({ ...marked(4, 10 * i + 100), ...more });
  const options = { scale: 3, size: 4, columns: 3 };
  const bands: Band[] = [
    { title: 'one', rows: [[cell(0), cell(1), cell(2)]] },
    {
      title: 'two',
      note: 'a note',
      rows: [
        [cell(3, { caption: '1' }), cell(4, { caption: '2', framed: true }), cell(5, { caption: '3' })],
        [cell(6, { framed: true }), cell(7)],
      ],
    },
  ];

  test('every cell is where the layout says, and is its image', () => {
    const raster = drawSheet(bands, options);
    const layout = sheetLayout(bands, options);
    expect([raster.width, raster.height]).toEqual([layout.width, layout.height]);
    for (const [b, band] of bands.entries()) {
      for (const [r, row] of band.rows.entries()) {
        const { top, left } = layout.bands[b]!.rows[r]!;
        for (const [c, { data }] of row.entries()) {
          for (let y = 0; y < 12; y++) {
            for (let x = 0; x < 12; x++) {
              const at = Math.floor(y / 3) * 4 + Math.floor(x / 3);
              expect(raster.at(left[c]! + x, top + y)).toEqual([data[at], data[16 + at], data[32 + at]]);
            }
          }
        }
      }
    }
  });

  test('frames are around framed cells and nowhere else', () => {
    const raster = drawSheet(bands, options);
    const layout = sheetLayout(bands, options);
    for (const [b, band] of bands.entries()) {
      for (const [r, row] of band.rows.entries()) {
        const { top, left } = layout.bands[b]!.rows[r]!;
        for (const [c, { framed = false }] of row.entries()) {
          for (const [x, y] of [
            [left[c]! - 1, top],
            [left[c]! - FRAME, top - FRAME],
            [left[c]! + 12, top + 11],
            [left[c]! + 5, top + 12],
          ] as const) {
            expect(raster.at(x, y), `${b} ${r} ${c}`).toEqual(framed ? frame : background);
          }
        }
      }
    }
  });

  test('nothing overlaps or leaves the sheet, whatever is on it', () => {
    const bandOf = fc.record({
      title: fc.string({ maxLength: 30 }),
      note: fc.option(fc.string({ maxLength: 60 }), { nil: undefined }),
      rows: fc.array(fc.array(fc.option(fc.constant('12.345'), { nil: undefined }), { minLength: 1, maxLength: 3 }), {
        minLength: 1,
        maxLength: 3,
      }),
    });
    fc.assert(
      fc.property(fc.array(bandOf, { minLength: 1, maxLength: 4 }), fc.integer({ min: 1, max: 7 }), (made, scale) => {
        const all: Band[] = made.map(({ title, note, rows }) => ({
          title,
          ...(note === undefined ? {} : { note }),
          rows: rows.map((row) => row.map((caption) => cell(0, caption ? { caption } : {}))),
        }));
        const layout = sheetLayout(all, { ...options, scale });
        let below = MARGIN;
        for (const { title, note, rows } of layout.bands) {
          expect(title).toBeGreaterThanOrEqual(below);
          expect(note.x).toBeGreaterThanOrEqual(MARGIN);
          below = title;
          for (const { top, left } of rows) {
            expect(top).toBeGreaterThan(Math.max(below, note.y));
            below = top + 4 * scale + FRAME;
            for (const [c, x] of left.entries()) {
              expect(x).toBe(MARGIN + c * (4 * scale + GAP));
              expect(x + 4 * scale + FRAME).toBeLessThan(layout.width);
            }
          }
        }
        expect(below).toBeLessThan(layout.height);
        const raster = drawSheet(all, { ...options, scale });
        // The margin stays empty on all sides.
        for (let x = 0; x < raster.width; x++) {
          expect(raster.at(x, 0)).toEqual(background);
          expect(raster.at(x, raster.height - 1)).toEqual(background);
        }
      }),
      { numRuns: 40 },
    );
  });

  test('a caption that is too long is cut', () => {
    const wide = { ...options, size: 16, scale: 1 };
    const long = drawSheet([{ title: 't', rows: [[{ ...marked(16, 0), caption: 'aquarium_fish' }]] }], wide);
    const layout = sheetLayout([{ title: 't', rows: [[{ ...marked(16, 0), caption: 'x' }]] }], wide);
    expect(long.width).toBe(layout.width);
    const { top, left } = layout.bands[0]!.rows[0]!;
    for (let y = top + 17; y < long.height; y++) {
      expect(long.at(left[0]! - 1, y)).toEqual(background);
      expect(long.at(left[0]! + 17, y)).toEqual(background);
    }
  });
});
