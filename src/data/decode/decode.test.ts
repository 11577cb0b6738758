import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { stream } from '../../torch/random.ts';
import { decodeAddon } from './addon.ts';
import {
  type Crop,
  decoderGeometry,
  evalCrop,
  randomRegion,
  roundHalfEven,
  shrinkCrop,
  trainCrop,
} from './geometry.ts';
import { decodeDefaults, openImage } from './image.ts';
import { resampleInJavaScript } from './resample.ts';

const fixtures = join(import.meta.dirname, '../../../test/fixtures/images');
const fixture = (name: string): Uint8Array => new Uint8Array(readFileSync(join(fixtures, name)));
const addon = decodeAddon();

/** Largest difference of a byte. */
const furthest = (a: Uint8Array, b: Uint8Array): number => {
  expect(a.length).toBe(b.length);
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
};

async function evaluated(name: string, options = {}): Promise<Uint8Array> {
  const image = await openImage(fixture(name), { ...decodeDefaults, ...options });
  const out = new Uint8Array(3 * 24 * 24);
  await image.draw(evalCrop(image.width, image.height, 24, 28), out, [24, 24]);
  return out;
}

describe('to the bit what Pillow and torchvision make of', () => {
  const kinds = ['photo.jpg', 'progressive.jpg', 'full-chroma.jpg', 'grey.jpg', 'alpha.png', 'palette.png'];
  test.each(kinds)('%s', async (name) => {
    expect(furthest(await evaluated(name), fixture(`${name}.eval`))).toBe(0);
  });

  test.skipIf(!addon).each(['cmyk.jpg', 'ycck.jpg'])('%s', async (name) => {
    expect(furthest(await evaluated(name), fixture(`${name}.eval`))).toBe(0);
  });

  test.each([16, 40])('a crop resized to %i', async (size) => {
    const image = await openImage(fixture('photo.jpg'), { ...decodeDefaults, gap: 0 });
    const out = new Uint8Array(3 * size * size);
    const crop = { left: 21, top: 9, width: 47, height: 33, resizeWidth: size, resizeHeight: size };
    const window = { x: 0, y: 0, columns: size, rows: size, placeX: 0, placeY: 0, flip: false };
    await image.draw({ ...crop, ...window }, out, [size, size]);
    expect(furthest(out, fixture(`photo.crop-${size}`))).toBe(0);
  });
});

describe('EXIF orientation', () => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8])('%i is honoured, or passed over as torchvision does', async (orientation) => {
    const name = `exif-${orientation}.jpg`;
    expect(furthest(await evaluated(name, { exif: false }), fixture(`${name}.stored`))).toBe(0);
    // Rows and columns are exchanged after resizing, not before: each pass rounds once.
    expect(furthest(await evaluated(name), fixture(`${name}.shown`))).toBeLessThanOrEqual(orientation < 5 ? 0 : 1);
  });
});

describe.skipIf(!addon)(`the decoder built here${addon ? '' : ' (skipped: libjpeg-turbo not found)'}`, () => {
  test('any crop is to the bit that crop of the whole image', async () => {
    const photo = fixture('photo.jpg');
    const whole = new Uint8Array(3 * 90 * 61);
    const image = await openImage(photo);
    await image.draw(shrinkCrop(90, 61, 100), whole, [90, 61]);
    const rgb = Uint8Array.from({ length: whole.length }, (_, i) => whole[(i % 3) * 90 * 61 + Math.floor(i / 3)]!);
    const crops = fc.integer({ min: 0, max: 2 ** 31 }).map((seed): Crop => trainCrop(stream(seed, 'test'), 90, 61, 20));
    await fc.assert(
      fc.asyncProperty(crops, fc.integer({ min: 1, max: 8 }), async (crop, orientation) => {
        const stored =
          orientation > 4 ? { ...crop, left: crop.top, top: crop.left, width: crop.height, height: crop.width } : crop;
        const geometry = decoderGeometry(stored, [90, 61], orientation, [20, 20]);
        const made = new Uint8Array(1200);
        addon?.decode(photo, made, geometry, 0);
        const expected = new Uint8Array(1200);
        resampleInJavaScript(rgb, 90, 61, expected, geometry);
        expect(furthest(made, expected)).toBe(0);
      }),
      { numRuns: 60 },
    );
  });

  test('decoding at a smaller scale changes little, and only where the result is much smaller', async () => {
    const small = async (gap: number): Promise<Uint8Array> => {
      const image = await openImage(fixture('photo.jpg'), { ...decodeDefaults, gap });
      const out = new Uint8Array(3 * 20 * 20);
      await image.draw(evalCrop(90, 61, 20, 20), out, [20, 20]);
      return out;
    };
    const exact = await small(0);
    expect(furthest(await small(2), exact)).toBe(0);
    const scaled = await small(1.5);
    const mean = scaled.reduce((sum, value, i) => sum + Math.abs(value - exact[i]!), 0) / scaled.length;
    expect(mean).toBeGreaterThan(0);
    expect(mean).toBeLessThan(8);
  });

  test('numbers that lead out of the image or the result are refused', () => {
    const photo = fixture('photo.jpg');
    const out = new Uint8Array(1200);
    const fits = decoderGeometry(evalCrop(90, 61, 20, 22), [90, 61], 1, [20, 20]);
    const with_ = (at: number, value: number): Float64Array => fits.with(at, value);
    for (const [at, value] of [
      [0, -1],
      [2, 91],
      [2, 0],
      [4, 0],
      [6, 30],
      [8, 1e9],
      [10, -1],
      [10, 801],
      [11, 500],
      [13, 1e11],
      [3, Number.NaN],
    ] as const) {
      expect(() => addon?.decode(photo, out, with_(at, value), 2), `${at}: ${value}`).toThrow(TypeError);
    }
    expect(() => addon?.decode(photo, out, fits.subarray(1), 2)).toThrow('14 float64 numbers');
  });

  test('no bytes make it crash: every file cut anywhere, and bytes changed', async () => {
    const photo = fixture('progressive.jpg');
    const out = new Uint8Array(1200);
    await fc.assert(
      fc.asyncProperty(fc.nat(photo.length - 1), fc.nat(255), fc.boolean(), async (at, value, cut) => {
        const hurt = cut ? photo.slice(0, at) : photo.with(at, value);
        try {
          const image = await openImage(hurt);
          await image.draw(evalCrop(image.width, image.height, 20, 20), out, [20, 20]);
          expect(cut).toBe(false);
        } catch (error) {
          expect(error).toHaveProperty('name', 'DamagedImage');
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe("torchvision's numbers", () => {
  test("Python's round", () => {
    expect([0.5, 1.5, 2.5, 3.5, 2.4, 2.6].map(roundHalfEven)).toEqual([0, 2, 2, 4, 2, 3]);
  });

  test('Resize cuts the long side, CenterCrop rounds halves to even', () => {
    // torchvision 0.14: Resize(256) of 500 x 375 is 341 x 256; CenterCrop(224) begins at (58, 16).
    expect(evalCrop(500, 375, 224, 256)).toMatchObject({ resizeWidth: 341, resizeHeight: 256, x: 58, y: 16 });
    expect(evalCrop(375, 500, 224, 256)).toMatchObject({ resizeWidth: 256, resizeHeight: 341, x: 16, y: 58 });
  });

  test('random regions lie inside, have the asked area and ratio, and fill their range', () => {
    const areas: number[] = [];
    for (let i = 0; i < 2000; i++) {
      const { left, top, width, height } = randomRegion(stream(1, 'test', i), 500, 375, {
        scale: [0.08, 1],
        ratio: [3 / 4, 4 / 3],
      });
      expect(left >= 0 && top >= 0 && left + width <= 500 && top + height <= 375).toBe(true);
      expect(width / height).toBeGreaterThan(0.74);
      expect(width / height).toBeLessThan(1.35);
      areas.push((width * height) / (500 * 375));
    }
    expect(Math.min(...areas)).toBeGreaterThan(0.079);
    const mean = areas.reduce((a, b) => a + b) / areas.length;
    // The mean of torchvision 0.14's own get_params over 20,000 draws is 0.4348.
    expect(Math.abs(mean - 0.4348)).toBeLessThan(0.02);
  });

  test('an image that no ratio fits gives its middle', () => {
    const options = { scale: [1, 1], ratio: [3 / 4, 4 / 3] } as const;
    expect(randomRegion(stream(0, 'test'), 1000, 10, options)).toEqual({ left: 493, top: 0, width: 13, height: 10 });
    expect(randomRegion(stream(0, 'test'), 10, 1000, options)).toEqual({ left: 0, top: 493, width: 10, height: 13 });
  });
});
