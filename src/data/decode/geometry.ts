/**
 * @file Which part of an image becomes the network's input: torchvision's RandomResizedCrop, Resize and CenterCrop as numbers
 * (transforms.py and functional.py of torchvision 0.14), and what they come to in a file whose EXIF orientation is not 1.
 */
import type { Stream } from '../../torch/random.ts';

/** A region of an image, resized, and the window of the result that is kept. Pixels, y downwards. */
export interface Crop {
  left: number;
  top: number;
  width: number;
  height: number;
  resizeWidth: number;
  resizeHeight: number;
  /** The window: its place in the resized region, and its size. */
  x: number;
  y: number;
  columns: number;
  rows: number;
  /** Where the window begins in the result; what lies outside it stays black. */
  placeX: number;
  placeY: number;
  flip: boolean;
}

export interface RandomResizedCropOptions {
  /** Share of the image's area, least and most. */
  scale: readonly [number, number];
  /** Width / height, least and most. */
  ratio: readonly [number, number];
  flip: boolean;
}

export const randomResizedCropDefaults: RandomResizedCropOptions = {
  scale: [0.08, 1],
  ratio: [3 / 4, 4 / 3],
  flip: true,
};

/** Python's `round`: halves to the even number. */
export function roundHalfEven(value: number): number {
  const down = Math.floor(value);
  const rest = value - down;
  if (rest !== 0.5) return rest < 0.5 ? down : down + 1;
  return down % 2 === 0 ? down : down + 1;
}

/** The region that torchvision's `RandomResizedCrop.get_params` finds with these draws: ten tries, then the middle. */
export function randomRegion(
  random: Stream,
  width: number,
  height: number,
  { scale, ratio }: Pick<RandomResizedCropOptions, 'scale' | 'ratio'>,
): { left: number; top: number; width: number; height: number } {
  const [narrow, wide] = ratio;
  for (let attempt = 0; attempt < 10; attempt++) {
    const area = width * height * random.uniform(...scale);
    const aspect = Math.exp(random.uniform(Math.log(narrow), Math.log(wide)));
    const w = roundHalfEven(Math.sqrt(area * aspect));
    const h = roundHalfEven(Math.sqrt(area / aspect));
    if (w > 0 && w <= width && h > 0 && h <= height) {
      const top = random.int(height - h + 1);
      return { top, left: random.int(width - w + 1), width: w, height: h };
    }
  }
  let w = width;
  let h = height;
  if (width / height < narrow) h = roundHalfEven(width / narrow);
  else if (width / height > wide) w = roundHalfEven(height * wide);
  return { left: Math.floor((width - w) / 2), top: Math.floor((height - h) / 2), width: w, height: h };
}

/** A training view of size × size: a random region, resized, mirrored at random. */
export function trainCrop(
  random: Stream,
  width: number,
  height: number,
  size: number,
  options: RandomResizedCropOptions = randomResizedCropDefaults,
): Crop {
  const region = randomRegion(random, width, height, options);
  const whole = { x: 0, y: 0, columns: size, rows: size, placeX: 0, placeY: 0 };
  const flip = options.flip && random.bernoulli();
  return { ...region, resizeWidth: size, resizeHeight: size, ...whole, flip };
}

/** `Resize(resize)` (the short side; the long one in proportion, cut to a whole number), then `CenterCrop(size)`. */
export function evalCrop(width: number, height: number, size: number, resize: number): Crop {
  const portrait = width <= height;
  const long = Math.max(1, Math.trunc((resize * Math.max(width, height)) / Math.min(width, height)));
  const resizeWidth = portrait ? resize : long;
  const resizeHeight = portrait ? long : resize;
  const along = (resized: number): { at: number; length: number; place: number } =>
    resized >= size
      ? { at: roundHalfEven((resized - size) / 2), length: size, place: 0 }
      : { at: 0, length: resized, place: Math.floor((size - resized) / 2) };
  const across = along(resizeWidth);
  const down = along(resizeHeight);
  return {
    left: 0,
    top: 0,
    width,
    height,
    resizeWidth,
    resizeHeight,
    x: across.at,
    y: down.at,
    columns: across.length,
    rows: down.length,
    placeX: across.place,
    placeY: down.place,
    flip: false,
  };
}

/** The whole image with its short side reduced to `short`; as it is where it is smaller already. */
export function shrinkCrop(width: number, height: number, short: number): Crop {
  const least = Math.min(width, height);
  const to = (side: number): number => (least <= short ? side : Math.max(1, Math.round((side * short) / least)));
  const [w, h] = [to(width), to(height)];
  const window = { x: 0, y: 0, columns: w, rows: h, placeX: 0, placeY: 0, flip: false };
  return { left: 0, top: 0, width, height, resizeWidth: w, resizeHeight: h, ...window };
}

/** EXIF orientations 1 to 8: rows and columns exchanged, and which of the file's own axes are mirrored. */
const orientations = [
  { swap: false, mirrorX: false, mirrorY: false },
  { swap: false, mirrorX: true, mirrorY: false },
  { swap: false, mirrorX: true, mirrorY: true },
  { swap: false, mirrorX: false, mirrorY: true },
  { swap: true, mirrorX: false, mirrorY: false },
  { swap: true, mirrorX: false, mirrorY: true },
  { swap: true, mirrorX: true, mirrorY: true },
  { swap: true, mirrorX: true, mirrorY: false },
] as const;

const orientationOf = (orientation: number): (typeof orientations)[number] =>
  orientations[orientation - 1] ?? orientations[0];

/** Width and height as they are shown, of an image as it is stored. */
export function shownSize(width: number, height: number, orientation: number): [number, number] {
  return orientationOf(orientation).swap ? [height, width] : [width, height];
}

/**
 * A crop of the image as it is shown, as the decoder takes it: in the file's own rows and columns, and with the place of each
 * pixel in a planar result of outWidth × outHeight that begins at `offset` (see `Geometry` in native/decode/resample.h).
 */
export function decoderGeometry(
  crop: Crop,
  [storedWidth, storedHeight]: readonly [number, number],
  orientation: number,
  [outWidth, outHeight]: readonly [number, number],
  offset = 0,
): Float64Array {
  const { swap, mirrorX, mirrorY } = orientationOf(orientation);
  const shownX = { start: crop.left, extent: crop.width, to: crop.resizeWidth, at: crop.x, length: crop.columns };
  const shownY = { start: crop.top, extent: crop.height, to: crop.resizeHeight, at: crop.y, length: crop.rows };
  const axis = (shown: typeof shownX, mirror: boolean, stored: number): typeof shownX => ({
    ...shown,
    start: mirror ? stored - shown.start - shown.extent : shown.start,
    at: mirror ? shown.to - shown.at - shown.length : shown.at,
  });
  const x = axis(swap ? shownY : shownX, mirrorX, storedWidth);
  const y = axis(swap ? shownX : shownY, mirrorY, storedHeight);
  // The place of the window's pixel (u, v), as it is shown.
  const stepU = crop.flip ? -1 : 1;
  const corner = crop.placeY * outWidth + (crop.flip ? outWidth - 1 - crop.placeX : crop.placeX);
  const steps = swap ? { x: outWidth, y: stepU } : { x: stepU, y: outWidth };
  let base = offset + corner;
  if (mirrorX) base += (x.length - 1) * steps.x;
  if (mirrorY) base += (y.length - 1) * steps.y;
  return Float64Array.of(
    ...[x.start, y.start, x.extent, y.extent, x.to, y.to, x.at, y.at, x.length, y.length],
    ...[base, mirrorX ? -steps.x : steps.x, mirrorY ? -steps.y : steps.y, outWidth * outHeight],
  );
}
