/** @file One encoded image to pixels: JPEG by the native decoder where it is built, everything else by sharp. */
import { errorMessage } from '../../base/errors.ts';
import { type DecodeAddon, decodeAddon } from './addon.ts';
import { type Crop, decoderGeometry, shownSize } from './geometry.ts';
import { resampleInJavaScript } from './resample.ts';

export interface DecodeOptions {
  /** Turn the image as its EXIF orientation says; torchvision does not. */
  exif: boolean;
  /** Images of more pixels are refused by their header: a small file can hold an image that fills the memory. */
  maxPixels: number;
  /** A JPEG may be decoded at 1/2, 1/4 or 1/8 where the crop stays so many times larger than what is made of it; 0: never. */
  gap: number;
}

/** 179 million pixels is where Pillow refuses too; a gap of 2 is what Pillow's `thumbnail` decodes with. */
export const decodeDefaults: DecodeOptions = { exif: true, maxPixels: 178_956_970, gap: 2 };

/** An image that cannot be used; the message says why, without the file's name. */
export class DamagedImage extends Error {
  override readonly name: string = 'DamagedImage';
}

/** An image whose header has been read. */
export interface OpenImage {
  /** As it is shown: after its orientation, where that is honoured. */
  width: number;
  height: number;
  format: string;
  /**
   * Decode a crop to planar RGB of outWidth × outHeight at `offset` of `out`. Resolves with the decoder's warnings: 0 for a sound file.
   *
   * @throws DamagedImage
   */
  draw(crop: Crop, out: Uint8Array, size: readonly [number, number], offset?: number): Promise<number>;
}

const isJpeg = (bytes: Uint8Array): boolean => bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff;

/**
 * Read an image's header. What it is is told by its first bytes, not by its name.
 *
 * @throws DamagedImage for what is no image, an empty file, one cut short, and one with too many pixels
 */
export async function openImage(bytes: Uint8Array, options: DecodeOptions = decodeDefaults): Promise<OpenImage> {
  if (bytes.length === 0) throw new DamagedImage('the file is empty');
  const addon = decodeAddon();
  return isJpeg(bytes) && addon ? openJpeg(addon, bytes, options) : openOther(addon, bytes, options);
}

function refuseBomb(width: number, height: number, { maxPixels }: DecodeOptions): void {
  if (width * height > maxPixels) {
    throw new DamagedImage(`it has ${width} x ${height} pixels, more than the ${maxPixels} allowed`);
  }
}

const damaged = (error: unknown): DamagedImage => new DamagedImage(errorMessage(error).split('\n')[0]!.trim());

function openJpeg(addon: DecodeAddon, bytes: Uint8Array, options: DecodeOptions): OpenImage {
  let header: number[];
  try {
    header = addon.header(bytes);
  } catch (error) {
    throw damaged(error);
  }
  const [width, height, , orientation, complete] = header as [number, number, number, number, number];
  refuseBomb(width, height, options);
  if (!complete) throw new DamagedImage('the file is cut short');
  const turn = options.exif ? orientation : 1;
  const [shownWidth, shownHeight] = shownSize(width, height, turn);
  return {
    width: shownWidth,
    height: shownHeight,
    format: 'jpeg',
    async draw(crop, out, size, offset = 0) {
      try {
        return addon.decode(bytes, out, decoderGeometry(crop, [width, height], turn, size, offset), options.gap);
      } catch (error) {
        throw damaged(error);
      }
    },
  };
}

type Sharp = typeof import('sharp')['default'];

let sharpLoaded: Promise<Sharp> | undefined;

/** sharp with one thread and no cache: the processors are shared with training, and no image is decoded twice in a row. */
function loadSharp(): Promise<Sharp> {
  sharpLoaded ??= import('sharp').then(({ default: sharp }) => {
    sharp.concurrency(1);
    sharp.cache(false);
    return sharp;
  });
  return sharpLoaded;
}

async function openOther(addon: DecodeAddon | null, bytes: Uint8Array, options: DecodeOptions): Promise<OpenImage> {
  const sharp = await loadSharp();
  // The first frame of an animation; without its colour profile and its transparency, as Pillow's convert('RGB') has it.
  const open = () =>
    sharp(bytes, {
      pages: 1,
      failOn: 'error',
      limitInputPixels: options.maxPixels,
      ignoreIcc: true,
      autoOrient: false,
    });
  const found = await open()
    .metadata()
    .catch((error) => {
      throw damaged(error);
    });
  const { width, height, format } = found;
  refuseBomb(width, height, options);
  const turn = options.exif ? (found.orientation ?? 1) : 1;
  const [shownWidth, shownHeight] = shownSize(width, height, turn);
  return {
    width: shownWidth,
    height: shownHeight,
    format: format === 'heif' && found.compression === 'av1' ? 'avif' : format,
    async draw(crop, out, size, offset = 0) {
      const { data, info } = await open()
        .toColourspace('srgb')
        .removeAlpha()
        .raw({ depth: 'uchar' })
        .toBuffer({ resolveWithObject: true })
        .catch((error) => {
          throw damaged(error);
        });
      const rgb = info.channels === 3 ? data : threeChannels(data, info.channels);
      const geometry = decoderGeometry(crop, [info.width, info.height], turn, size, offset);
      if (addon) addon.resample(rgb, info.width, info.height, out, geometry);
      else resampleInJavaScript(rgb, info.width, info.height, out, geometry);
      return 0;
    },
  };
}

function threeChannels(data: Uint8Array, channels: number): Uint8Array {
  const pixels = data.length / channels;
  const rgb = new Uint8Array(pixels * 3);
  for (let i = 0; i < pixels; i++) rgb.fill(data[i * channels]!, i * 3, i * 3 + 3);
  return rgb;
}
