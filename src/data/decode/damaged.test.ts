/** @file Every kind of odd or damaged image under each policy: the right images with the right labels, or an error that names the file. */
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { UserError } from '../../base/errors.ts';
import { checkImages } from '../check-images.ts';
import { imageDataset } from '../image-dataset.ts';
import { decodeAddon } from './addon.ts';

const fixtures = join(import.meta.dirname, '../../../test/fixtures/images');
const fixture = (name: string): Buffer => readFileSync(join(fixtures, name));

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'thrive-images-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** A plain image whose red says which it is. */
const plain = (red: number): Promise<Buffer> =>
  sharp({ create: { width: 20, height: 16, channels: 3, background: { r: red, g: 60, b: 90 } } })
    .png()
    .toBuffer();

/** Two classes of three plain images for training and one each for testing; `odd` lies amid them. */
async function withOdd(name: string, odd: Buffer | null): Promise<void> {
  for (const [c, label] of ['cat', 'dog'].entries()) {
    for (const split of ['train', 'test']) mkdirSync(join(root, split, label), { recursive: true });
    for (let i = 0; i < 3; i++) writeFileSync(join(root, 'train', label, `${i}.png`), await plain(100 * c + 10 * i));
    writeFileSync(join(root, 'test', label, '0.png'), await plain(100 * c + 50));
  }
  if (odd) writeFileSync(join(root, 'train', 'cat', name), odd);
}

const load = (onBadImage: 'error' | 'skip', skipped: string[] = []) =>
  imageDataset(root, { size: 8, onBadImage, workers: 0, onSkip: ({ name }) => skipped.push(name) }).load({
    split: 'train',
  });

/** Red of each image, of its first pixel. */
const reds = (images: Uint8Array): number[] => Array.from({ length: images.length / 192 }, (_, i) => images[i * 192]!);

const others = [0, 10, 20, 100, 110, 120];
const grey16 = (): Promise<Buffer> =>
  sharp(
    Uint16Array.from({ length: 400 }, () => 0x8040),
    { raw: { width: 20, height: 20, channels: 1 } },
  )
    .toColourspace('grey16')
    .png()
    .toBuffer();
const animation = (): Promise<Buffer> =>
  sharp(
    [0, 200].map((r) => ({ create: { width: 16, height: 16, channels: 3, background: { r, g: 0, b: 0 } } })) as never,
    {
      join: { animated: true },
    },
  )
    .gif({ delay: [100, 100] })
    .toBuffer();

describe('images that are odd but sound are used, under each policy', () => {
  const kinds: [string, () => Buffer | Promise<Buffer>, number?][] = [
    ['grey.jpg', () => fixture('grey.jpg')],
    ['cmyk.jpg', () => fixture('cmyk.jpg')],
    ['ycck.jpg', () => fixture('ycck.jpg')],
    ['progressive.jpg', () => fixture('progressive.jpg')],
    ['alpha.png', () => fixture('alpha.png')],
    ['palette.png', () => fixture('palette.png')],
    ['a PNG named.jpg', () => fixture('alpha.png')],
    ['a JPEG named.png', () => fixture('photo.jpg')],
    ['sixteen bits.png', grey16, 0x80],
    ['moving.gif', animation, 0],
    ['photo.webp', () => sharp(fixture('photo.jpg')).webp().toBuffer()],
    ['photo.avif', () => sharp(fixture('photo.jpg')).avif({ effort: 0 }).toBuffer()],
    ['photo.tiff', () => sharp(fixture('photo.jpg')).tiff().toBuffer()],
  ];
  test.each(kinds)('%s', async (name, make, red) => {
    await withOdd(name, await make());
    for (const policy of ['error', 'skip'] as const) {
      const { count, labels, images } = await load(policy);
      expect(count).toBe(7);
      const at = reds(images).findIndex((value, i) => value !== [...others.slice(0, 3)][i]);
      expect(labels.filter((label) => label === 0).length).toBe(4);
      // The others are all there, each once, in their order and under their class.
      const rest = reds(images).filter((_, i) => i !== at);
      expect(at).toBeLessThan(4);
      expect(rest).toEqual(others);
      if (red !== undefined) expect(reds(images)[at]).toBe(red);
    }
  });
});

describe('images that cannot be used', () => {
  const hugePng = (): Buffer => {
    // The header of a PNG of 60,000 x 60,000; nothing more is looked at.
    const png = Buffer.from(fixture('palette.png'));
    png.writeUInt32BE(60_000, 16);
    png.writeUInt32BE(60_000, 20);
    return png;
  };
  const hugeJpeg = (): Buffer => {
    const jpeg = Buffer.from(fixture('photo.jpg'));
    const frame = jpeg.indexOf(Buffer.from([0xff, 0xc0]));
    jpeg.writeUInt16BE(60_000, frame + 5);
    jpeg.writeUInt16BE(60_000, frame + 7);
    return jpeg;
  };
  const kinds: [string, string, () => Buffer, RegExp][] = [
    ['cut short', 'cut.jpg', () => fixture('photo.jpg').subarray(0, 1500), /the file is cut short|premature/i],
    ['cut by two bytes', 'cut.jpg', () => fixture('photo.jpg').subarray(0, -2), /the file is cut short|premature/i],
    ['a PNG cut short', 'cut.png', () => fixture('alpha.png').subarray(0, 900), /./],
    ['empty', 'empty.jpg', () => Buffer.alloc(0), /the file is empty/],
    ['a JPEG of a header alone', 'header.jpg', () => fixture('photo.jpg').subarray(0, 20), /./],
    ['text', 'words.jpg', () => Buffer.from('this is no image at all'), /unsupported image format/i],
    ['a bomb, PNG', 'bomb.png', hugePng, /pixel|too large|crc/i],
    ['a bomb, JPEG', 'bomb.jpg', hugeJpeg, /pixel/i],
  ];
  test.each(kinds)(
    '%s: an error names the file; skipped, the others stay as they are',
    async (_, name, make, reason) => {
      await withOdd(name, make());
      const failure = await Promise.resolve(load('error')).catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(UserError);
      expect((failure as UserError).message).toContain(join('train', 'cat', name));
      expect((failure as UserError).message).toMatch(reason);
      expect((failure as UserError).hint).toContain("onBadImage: 'skip'");
      const skipped: string[] = [];
      const { count, labels, images } = await load('skip', skipped);
      expect([count, skipped]).toEqual([6, [join('train', 'cat', name)]]);
      expect(reds(images)).toEqual(others);
      expect(Array.from(labels)).toEqual([0, 0, 0, 1, 1, 1]);
    },
  );

  test('removed after it was listed, and a link that leads nowhere', async () => {
    await withOdd('gone.png', await plain(7));
    symlinkSync(join(root, 'nothing.png'), join(root, 'train', 'dog', 'link.png'));
    const whole = imageDataset(root, { size: 8, workers: 0 });
    const patient = imageDataset(root, { size: 8, workers: 0, onBadImage: 'skip' });
    expect(whole.listing.ignored.links).toBe(1);
    rmSync(join(root, 'train', 'cat', 'gone.png'));
    await expect(whole.load({ split: 'train' })).rejects.toThrow(/gone\.png: there is no such file/);
    expect(reds((await patient.load({ split: 'train' })).images)).toEqual(others);
  });

  test.skipIf(process.getuid?.() === 0)('unreadable (skipped for root, who may read all)', async () => {
    await withOdd('locked.png', await plain(7));
    chmodSync(join(root, 'train', 'cat', 'locked.png'), 0);
    await expect(load('error')).rejects.toThrow(/locked\.png: permission denied/);
    expect((await load('skip')).count).toBe(6);
  });

  test('a folder named like an image is no image', async () => {
    await withOdd('x.png', null);
    mkdirSync(join(root, 'train', 'cat', 'folder.png'));
    expect((await load('error')).count).toBe(6);
  });

  test('none left is an error', async () => {
    await withOdd('x', null);
    for (const label of ['cat', 'dog'])
      for (const i of [0, 1, 2]) writeFileSync(join(root, 'train', label, `${i}.png`), '');
    await expect(load('skip')).rejects.toThrow('none of the images can be decoded');
  });
});

test('data check counts what can be used, names what cannot, and finds what is there twice', async () => {
  await withOdd('cut.jpg', fixture('photo.jpg').subarray(0, 1500));
  cpSync(join(root, 'train', 'cat', '0.png'), join(root, 'test', 'cat', 'again.png'));
  cpSync(join(root, 'train', 'cat', '1.png'), join(root, 'train', 'dog', 'other.png'));
  cpSync(join(fixtures, 'photo.jpg'), join(root, 'train', 'dog', 'photo.JPG'));
  const report = await checkImages(imageDataset(root).listing, { workers: 2 });
  expect(report.count).toEqual({ train: 8, test: 3 });
  expect(report.classes).toEqual([
    { name: 'cat', train: 3, test: 2 },
    { name: 'dog', train: 5, test: 1 },
  ]);
  expect(report.damaged.map(({ name }) => name)).toEqual([join('train', 'cat', 'cut.jpg')]);
  expect(report.leaks).toEqual([{ train: join('train', 'cat', '0.png'), test: join('test', 'cat', 'again.png') }]);
  expect(report.duplicates).toEqual({ train: 1, test: 0 });
  expect(report.contradictions).toEqual([[join('train', 'cat', '1.png'), join('train', 'dog', 'other.png')]]);
  expect(report.formats).toEqual({ png: 10, jpeg: 1 });
  expect(report.sizes?.width).toEqual({ least: 20, median: 20, most: 90 });
});

test.skipIf(!decodeAddon())(
  'bytes changed within a JPEG are told by data check, and the image is used as Pillow does',
  async () => {
    const hurt = Buffer.from(fixture('photo.jpg'));
    hurt.fill(Buffer.from([0xff, 0xd3]), 1500, 1520);
    await withOdd('hurt.jpg', hurt);
    const report = await checkImages(imageDataset(root).listing, { workers: 0 });
    expect(report.damaged).toEqual([]);
    expect(report.suspect).toEqual([join('train', 'cat', 'hurt.jpg')]);
  },
);
