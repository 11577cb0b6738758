/** @file A contact sheet: bands of small pictures under titles, with a line of text under each and frames around some. */
import { CAP_HEIGHT, GLYPH_ROWS, textWidth } from './font.ts';
import { type Colour, type Planes, Raster } from './raster.ts';

export interface Cell extends Planes {
  /** Under the picture. */
  caption?: string;
  /** Whether it stands out: framed, its caption in the frame's colour. */
  framed?: boolean;
}

export interface Band {
  title: string;
  /** Smaller, after the title. */
  note?: string;
  /** Rows of cells, of at most `columns` each. */
  rows: readonly (readonly Cell[])[];
}

export interface SheetOptions {
  /** Pixels on the sheet for each pixel of a picture. */
  scale: number;
  /** Width and height of the largest picture, in its own pixels. */
  size: number;
  columns: number;
}

export const sheetColours = {
  background: [250, 250, 248],
  ink: [28, 30, 34],
  faint: [120, 124, 130],
  rule: [218, 219, 221],
  frame: [232, 89, 12],
} as const satisfies Record<string, Colour>;

export const MARGIN = 24;
export const GAP = 12;
/** Thickness of a frame; half of the gap at most, so that two do not touch. */
export const FRAME = 4;
const TITLE = 2;
const TITLE_HEIGHT = GLYPH_ROWS * TITLE + 10;
const CAPTION_HEIGHT = GLYPH_ROWS + 6;
const BAND_GAP = 20;

const hasCaptions = (row: readonly Cell[]): boolean => row.some(({ caption }) => caption !== undefined);

/** Where everything on a sheet lies, in pixels: the size of the sheet, and the top left corner of each cell. */
export interface SheetLayout {
  width: number;
  height: number;
  bands: { title: number; rows: { top: number; left: number[] }[] }[];
}

export function sheetLayout(bands: readonly Band[], { scale, size, columns }: SheetOptions): SheetLayout {
  const cell = size * scale;
  const titles = bands.map(
    ({ title, note }) => textWidth(title) * TITLE + (note === undefined ? 0 : 2 * GAP + textWidth(note)),
  );
  const width = 2 * MARGIN + Math.max(columns * (cell + GAP) - GAP, ...titles);
  let y = MARGIN;
  const placed = bands.map(({ rows }) => {
    const title = y;
    y += TITLE_HEIGHT;
    const tops = rows.map((row) => {
      const top = y;
      y += cell + (hasCaptions(row) ? CAPTION_HEIGHT : 0) + GAP;
      return { top, left: row.map((_, column) => MARGIN + column * (cell + GAP)) };
    });
    y += BAND_GAP - GAP;
    return { title, rows: tops };
  });
  return { width, height: y - BAND_GAP + MARGIN, bands: placed };
}

/** A caption as much of which fits under a picture. */
function clip(caption: string, width: number): string {
  let letters = [...caption];
  if (textWidth(caption) <= width) return caption;
  while (letters.length > 0 && textWidth(`${letters.join('')}..`) > width) letters = letters.slice(0, -1);
  return `${letters.join('')}..`;
}

/** Draw the bands one under the other. */
export function drawSheet(bands: readonly Band[], options: SheetOptions): Raster {
  const { scale, size } = options;
  const { background, ink, faint, rule, frame } = sheetColours;
  const layout = sheetLayout(bands, options);
  const raster = new Raster(layout.width, layout.height, background);
  const cell = size * scale;
  for (const [b, { title, note, rows }] of bands.entries()) {
    const place = layout.bands[b]!;
    if (b > 0) raster.fill(MARGIN, place.title - BAND_GAP / 2, layout.width - 2 * MARGIN, 1, rule);
    raster.text(MARGIN, place.title, title, TITLE, ink);
    if (note !== undefined) {
      // On the title's line.
      const down = CAP_HEIGHT * (TITLE - 1);
      raster.text(MARGIN + textWidth(title) * TITLE + 2 * GAP, place.title + down, note, 1, faint);
    }
    for (const [r, row] of rows.entries()) {
      const { top, left } = place.rows[r]!;
      for (const [c, { caption, framed = false, ...picture }] of row.entries()) {
        const x = left[c]!;
        raster.picture(x, top, picture, scale);
        if (framed) raster.frame(x, top, cell, cell, FRAME, frame);
        if (caption === undefined) continue;
        const said = clip(caption, cell);
        const middle = x + Math.floor((cell - textWidth(said)) / 2);
        raster.text(middle, top + cell + 6, said, 1, framed ? frame : faint);
      }
    }
  }
  return raster;
}
