/** @file Boxes in an image: the arithmetic that CutMix, cutout and random erasing share. */

/** [top, left, bottom, right], the last two exclusive. */
export type Box = readonly [top: number, left: number, bottom: number, right: number];

export const EMPTY_BOX: Box = [0, 0, 0, 0];

const clip = (value: number, size: number): number => Math.max(0, Math.min(size, value));

/**
 * A box of `height` by `width` around a centre pixel, clipped at the border. Both sides reach out by the halved size rounded
 * down, so an odd size loses a pixel and a size of 1 everything: the arithmetic of the published CutMix and cutout.
 */
export function boxAround(row: number, column: number, height: number, width: number, image: ImageSize): Box {
  const [down, across] = [Math.floor(height / 2), Math.floor(width / 2)];
  return [
    clip(row - down, image.height),
    clip(column - across, image.width),
    clip(row + down, image.height),
    clip(column + across, image.width),
  ];
}

export interface ImageSize {
  height: number;
  width: number;
}

/** The share of an image that a box covers. */
export const coverage = ([top, left, bottom, right]: Box, { height, width }: ImageSize): number =>
  ((bottom - top) * (right - left)) / (height * width);

/** Boxes one after the other, as the kernels take them. */
export function packBoxes(boxes: readonly Box[]): Int32Array {
  const packed = new Int32Array(4 * boxes.length);
  for (const [i, box] of boxes.entries()) packed.set(box, 4 * i);
  return packed;
}
