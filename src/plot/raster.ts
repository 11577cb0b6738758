/** @file An image of bytes to draw in: filled boxes, frames, enlarged images and text. */
import { ADVANCE, GLYPH_ROWS, glyph } from './font.ts';

/** Red, green, blue, each 0 to 255. */
export type Colour = readonly [red: number, green: number, blue: number];

/** Bytes of a small image in planes: all of red, then green, then blue. */
export interface Planes {
  /** uint8, 3 · height · width. */
  data: Uint8Array;
  width: number;
  height: number;
}

/** RGB pixels, row by row from the top left. What lies outside is not drawn. */
export class Raster {
  readonly width: number;
  readonly height: number;
  /** 3 · width · height bytes. */
  readonly data: Uint8Array;

  constructor(width: number, height: number, background: Colour) {
    this.width = width;
    this.height = height;
    this.data = new Uint8Array(3 * width * height);
    this.fill(0, 0, width, height, background);
  }

  /** The colour at a place. */
  at(x: number, y: number): Colour {
    const start = 3 * (y * this.width + x);
    return [this.data[start]!, this.data[start + 1]!, this.data[start + 2]!];
  }

  fill(x: number, y: number, width: number, height: number, colour: Colour): void {
    const [left, right] = [Math.max(0, x), Math.min(this.width, x + width)];
    for (let row = Math.max(0, y); row < Math.min(this.height, y + height); row++) {
      for (let column = left; column < right; column++) this.data.set(colour, 3 * (row * this.width + column));
    }
  }

  /** A border of so many pixels just outside a box. */
  frame(x: number, y: number, width: number, height: number, thickness: number, colour: Colour): void {
    const across = width + 2 * thickness;
    this.fill(x - thickness, y - thickness, across, thickness, colour);
    this.fill(x - thickness, y + height, across, thickness, colour);
    this.fill(x - thickness, y, thickness, height, colour);
    this.fill(x + width, y, thickness, height, colour);
  }

  /** An image with each of its pixels enlarged to a square of `scale`: nearest neighbour, so nothing is smoothed over. */
  image(x: number, y: number, { data, width, height }: Planes, scale: number): void {
    const plane = width * height;
    for (let row = 0; row < height; row++) {
      for (let column = 0; column < width; column++) {
        const at = row * width + column;
        const colour: Colour = [data[at]!, data[plane + at]!, data[2 * plane + at]!];
        this.fill(x + column * scale, y + row * scale, scale, scale, colour);
      }
    }
  }

  /** Text from its top left corner, each dot a square of `scale`. */
  text(x: number, y: number, text: string, scale: number, colour: Colour): void {
    for (const [i, letter] of [...text].entries()) {
      const rows = glyph(letter);
      for (let row = 0; row < GLYPH_ROWS; row++) {
        for (const [column, dot] of [...rows[row]!].entries()) {
          if (dot === '#') this.fill(x + (i * ADVANCE + column) * scale, y + row * scale, scale, scale, colour);
        }
      }
    }
  }
}
