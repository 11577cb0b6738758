/** @file A contact sheet: bands of small images under titles, with a line of text under each and frames around some. */
import { CAP_HEIGHT, GLYPH_ROWS, textWidth } from './font.ts';
import { type Colour, type Planes, Raster } from './raster.ts';

export interface Cell extends Planes {
  /** Under the image. */
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
  /** Pixels on the sheet for each pixel of an image. */
  scale: number;
  /** Width and height of the largest image, in its own pixels. */
  size: number;
  columns: number;
}

export const sheetColours = {
  background: [250, 250, 248],
  ink: [28, 30, 34],
  faint: [98, 102, 110],
  rule: [218, 219, 221],
  frame: [232, 89, 12],
} as const satisfies Record<string, Colour>;

export const MARGIN = 24;
export const GAP = 12;
/** Thickness of a frame: less than half of the gap, so that two do not touch. */
export const FRAME = 4;
const BAND_GAP = 20;
const TITLE_GAP = 10;
const NOTE_GAP = 6;
const CAPTION_GAP = 6;

/** Pixels a dot of text takes, in captions and in titles: text grows with the images. */
const textScale = (scale: number): { caption: number; title: number } => {
  const caption = Math.max(1, Math.floor(scale / 3));
  return { caption, title: 2 * caption };
};

const hasCaptions = (row: readonly Cell[]): boolean => row.some(({ caption }) => caption !== undefined);

/** Where everything on a sheet lies, in pixels: the size of the sheet, and the top left corner of each cell. */
export interface SheetLayout {
  width: number;
  height: number;
  bands: { title: number; note: { x: number; y: number }; rows: { top: number; left: number[] }[] }[];
}

export function sheetLayout(bands: readonly Band[], { scale, size, columns }: SheetOptions): SheetLayout {
  const cell = size * scale;
  const dots = textScale(scale);
  const titleWidth = ({ title }: Band): number => textWidth(title) * dots.title;
  const noteWidth = ({ note = '' }: Band): number => textWidth(note) * dots.caption;
  const texts = bands.flatMap((band) => [titleWidth(band), noteWidth(band)]);
  const inner = Math.max(columns * (cell + GAP) - GAP, ...texts);
  const width = 2 * MARGIN + inner;
  let y = MARGIN;
  const placed = bands.map((band) => {
    const title = y;
    // On the title's line where there is room, else under it.
    const beside = titleWidth(band) + 2 * GAP + noteWidth(band) <= inner;
    const note = beside
      ? { x: MARGIN + titleWidth(band) + 2 * GAP, y: y + CAP_HEIGHT * (dots.title - dots.caption) }
      : { x: MARGIN, y: y + GLYPH_ROWS * dots.title + NOTE_GAP };
    y += GLYPH_ROWS * dots.title + (beside ? 0 : GLYPH_ROWS * dots.caption + NOTE_GAP) + TITLE_GAP;
    const tops = band.rows.map((row) => {
      const top = y;
      y += cell + (hasCaptions(row) ? GLYPH_ROWS * dots.caption + CAPTION_GAP : 0) + GAP;
      return { top, left: row.map((_, column) => MARGIN + column * (cell + GAP)) };
    });
    y += BAND_GAP - GAP;
    return { title, note, rows: tops };
  });
  return { width, height: y - BAND_GAP + MARGIN, bands: placed };
}

/** As much of a caption as fits in so many dots. */
function clip(caption: string, width: number): string {
  if (textWidth(caption) <= width) return caption;
  let letters = [...caption];
  while (letters.length > 0 && textWidth(`${letters.join('')}..`) > width) letters = letters.slice(0, -1);
  return `${letters.join('')}..`;
}

/** Draw the bands one under the other. */
export function drawSheet(bands: readonly Band[], options: SheetOptions): Raster {
  const { scale, size } = options;
  const { background, ink, faint, rule, frame } = sheetColours;
  const layout = sheetLayout(bands, options);
  const dots = textScale(scale);
  const raster = new Raster(layout.width, layout.height, background);
  const cell = size * scale;
  for (const [b, { title, note, rows }] of bands.entries()) {
    const place = layout.bands[b]!;
    if (b > 0) raster.fill(MARGIN, place.title - BAND_GAP / 2, layout.width - 2 * MARGIN, 1, rule);
    raster.text(MARGIN, place.title, title, dots.title, ink);
    if (note !== undefined) raster.text(place.note.x, place.note.y, note, dots.caption, faint);
    for (const [r, row] of rows.entries()) {
      const { top, left } = place.rows[r]!;
      for (const [c, { caption, framed = false, ...image }] of row.entries()) {
        const x = left[c]!;
        raster.image(x, top, image, scale);
        if (framed) raster.frame(x, top, cell, cell, FRAME, frame);
        if (caption === undefined) continue;
        const said = clip(caption, Math.floor(cell / dots.caption));
        const middle = x + Math.floor((cell - textWidth(said) * dots.caption) / 2);
        raster.text(middle, top + cell + CAPTION_GAP, said, dots.caption, framed ? frame : faint);
      }
    }
  }
  return raster;
}
