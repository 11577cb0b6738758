/** @file One image from a file, at the size a network takes. Decoded by sharp: JPEG, PNG, WebP, GIF, AVIF, TIFF, SVG. */

import { readFileSync } from 'node:fs';
import { errorMessage, UserError } from '../base/errors.ts';
import { withFileErrors } from '../base/files.ts';

/**
 * RGB bytes [3, size, size] of an image: turned as its EXIF says, in sRGB, on white where it is transparent, scaled so that the
 * shorter side fits, and cut to its middle.
 *
 * @throws UserError for a file that is no image
 */
export async function readImageFile(path: string, size: number): Promise<Uint8Array> {
  const bytes = withFileErrors('read', path, () => readFileSync(path));
  const { default: sharp } = await import('sharp');
  let pixels: Buffer;
  try {
    pixels = await sharp(bytes)
      .autoOrient()
      .flatten({ background: '#ffffff' })
      .toColourspace('srgb')
      .resize(size, size, { fit: 'cover' })
      .removeAlpha()
      .raw()
      .toBuffer();
  } catch (error) {
    throw new UserError(`${path} cannot be read as an image: ${errorMessage(error)}`, { cause: error });
  }
  const plane = size * size;
  const channels = pixels.length / plane;
  const planes = new Uint8Array(3 * plane);
  for (let c = 0; c < 3; c++) {
    // An image in grey has one channel: all three are the same.
    for (let i = 0; i < plane; i++) planes[c * plane + i] = pixels[i * channels + (channels < 3 ? 0 : c)]!;
  }
  return planes;
}
