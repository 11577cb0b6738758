import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { decode } from '../../test/png.ts';
import { writeTinyData } from '../../test/tiny-data.ts';
import { writeTinyNetwork } from '../../test/tiny-network.ts';
import { drawCropFlip, schemeByName, schemeSettings } from '../augment/index.ts';
import { epochOrder } from '../data/batches.ts';
import { datasetInfo, type ImageSet, loadDataset } from '../data/index.ts';
import type { Colour } from '../plot/raster.ts';
import { FRAME, sheetColours, sheetLayout } from '../plot/sheet.ts';
import { memory } from '../torch/index.ts';
import { type AugmentSheet, augmentSheet } from './augment-sheet.ts';

const COUNT = 6;
const SCALE = 2;
const SEED = 5;
let folder: string;
let dataDir: string;
let teacher: { checkpoint: string };
let student: { checkpoint: string };
let set: ImageSet;
const shared = (): { data: string; dataDir: string; count: number; scale: number; seed: number; threads: number } => ({
  ...{ data: 'fashion-mnist', dataDir, count: COUNT, scale: SCALE, seed: SEED, threads: 1 },
});

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'thrive-sheet-'));
  dataDir = writeTinyData(folder, { train: 40, test: 10 });
  set = await loadDataset('fashion-mnist', { split: 'train', dir: dataDir });
  teacher = { checkpoint: writeTinyNetwork(join(folder, 'teacher.safetensors'), { seed: 3 }) };
  student = { checkpoint: writeTinyNetwork(join(folder, 'student.safetensors'), { seed: 4 }) };
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The pixel of an image on the sheet: band, row, column, then x and y in the image. */
function reader(sheet: AugmentSheet): (b: number, r: number, c: number, x: number, y: number) => Colour {
  const { width, data } = decode(sheet.png);
  const layout = sheetLayout(sheet.bands, { scale: SCALE, size: 32, columns: COUNT });
  return (b, r, c, x, y) => {
    const { top, left } = layout.bands[b]!.rows[r]!;
    const at = 3 * ((top + y * SCALE) * width + left[c]! + x * SCALE);
    return [data[at]!, data[at + 1]!, data[at + 2]!];
  };
}

/** The bytes of x, from the draws alone. */
function standard(places: Int32Array): (i: number, x: number, y: number) => number {
  const { padding, flip } = datasetInfo('fashion-mnist');
  const crops = drawCropFlip(SEED, 0, places, { padding, flip });
  return (i, x, y) => {
    const column = (crops.flip[i] ? 31 - x : x) + crops.left[i]! - padding;
    const row = y + crops.top[i]! - padding;
    if (column < 0 || column > 31 || row < 0 || row > 31) return 0;
    return set.images[places[i]! * 3072 + row * 32 + column]!;
  };
}

describe('augmentSheet', () => {
  test('the pixels of a cell are what the scheme makes', async () => {
    const sheet = await augmentSheet({ ...shared(), augment: 'identity,cutout,cutmix' });
    const at = reader(sheet);
    const places = epochOrder(SEED, 0, set.count).slice(0, COUNT);
    expect(sheet.images.map(({ index }) => index)).toEqual(Array.from(places));
    expect(sheet.bands.map(({ title }) => title)).toEqual(['original', 'x', 'identity', 'cutout', 'cutmix']);
    expect(sheet.bands[0]!.rows[0]!.map(({ caption }) => caption)).toEqual(
      Array.from(places, (place) => datasetInfo('fashion-mnist').classNames[set.labels[place]!]),
    );
    const x = standard(places);
    const settings = schemeSettings(datasetInfo('fashion-mnist'));
    const context = { seed: SEED, epoch: 0, step: 0, round: 0, index: places, height: 32, width: 32, settings };
    const holes = schemeByName('cutout').draw({ ...context, draw: 'sample' }).boxes as Int32Array;
    const mix = schemeByName('cutmix').draw({ ...context, draw: 'sample' }) as Record<string, Int32Array>;
    const inside = (boxes: Int32Array, i: number, column: number, row: number): boolean => {
      const [top, left, bottom, right] = boxes.subarray(4 * i) as unknown as [number, number, number, number];
      return row >= top && row < bottom && column >= left && column < right;
    };
    const mean = Math.round(0.286 * 255);
    for (let i = 0; i < COUNT; i++) {
      for (let row = 0; row < 32; row++) {
        for (let column = 0; column < 32; column++) {
          const own = x(i, column, row);
          const original = set.images[places[i]! * 3072 + row * 32 + column]!;
          const mixed = inside(mix.boxes!, i, column, row) ? x(mix.partner![i]!, column, row) : own;
          const hole = inside(holes, i, column, row) ? mean : own;
          for (const [band, value] of [original, own, own, hole, mixed].entries()) {
            const found = at(band, 0, i, column, row);
            if (found[0] !== value || found[2] !== value)
              expect(found, `band ${band}, image ${i}, ${column}, ${row}`).toEqual([value, value, value]);
          }
        }
      }
    }
  });

  test('a pool has its scores under it, and frames around what is picked and nothing else', async () => {
    const sheet = await augmentSheet({
      ...{ ...shared(), teacher, student, pickFactor: 3, pickKeep: 0.25 },
      augment: 'cutmix+pick:teacher-entropy,mixup+pick:kl,cutmix+pick:random',
    });
    const { width, data } = decode(sheet.png);
    const layout = sheetLayout(sheet.bands, { scale: SCALE, size: 32, columns: COUNT });
    const colour = (x: number, y: number): number[] => [...data.subarray(3 * (y * width + x), 3 * (y * width + x) + 3)];
    for (const [v, { scores, picked }] of sheet.views.entries()) {
      expect(scores).toHaveLength(18);
      // The largest scores, best first: a quarter of 18, rounded.
      const order = [...scores!.keys()].sort((a, b) => scores![b]! - scores![a]!);
      expect(picked).toEqual(order.slice(0, 5));
      const band = sheet.bands[v + 2]!;
      expect(band.rows.map((row) => row.length)).toEqual([COUNT, COUNT, COUNT]);
      expect(band.rows.flat().map(({ caption }) => caption)).toEqual(scores!.map((score) => score.toFixed(3)));
      for (const [r, { top, left }] of layout.bands[v + 2]!.rows.entries()) {
        for (const [c, x] of left.entries()) {
          const framed = picked!.includes(r * COUNT + c);
          const expected = [...(framed ? sheetColours.frame : sheetColours.background)];
          expect(colour(x - 1, top + 9), `view ${v}, row ${r}, column ${c}`).toEqual(expected);
          expect(colour(x + 64, top + 9)).toEqual(expected);
          expect(colour(x - FRAME, top - FRAME)).toEqual(expected);
        }
      }
    }
    expect(sheet.views.map(({ pick }) => pick!.criterion)).toEqual(['teacher-entropy', 'kl', 'random']);
  });

  test('all, without anybody to ask, leaves out what needs somebody; frees what it made', async () => {
    const before = memory();
    const sheet = await augmentSheet({ ...shared(), draw: 'batch' });
    expect(sheet.views).toHaveLength(7);
    expect(sheet.leftOut.map(({ scheme, reason }) => [scheme, reason])).toEqual([
      ['cutmix+pick:student-entropy', expect.stringMatching(/student .*give one with student/)],
      ['cutmix+pick:teacher-entropy', expect.stringMatching(/teacher .*give one with teacher/)],
    ]);
    expect(memory()).toEqual(before);
  });

  test('the same seed draws the same sheet; another seed another', async () => {
    const options = { ...shared(), augment: 'autoaugment,cutmix' };
    const [one, again, other] = [
      await augmentSheet(options),
      await augmentSheet(options),
      await augmentSheet({ ...options, seed: 6 }),
    ];
    expect(one.png.equals(again.png)).toBe(true);
    expect(one.png.equals(other.png)).toBe(false);
  });
});
