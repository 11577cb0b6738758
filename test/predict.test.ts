/** @file `thrive predict` and `eval --per-class` as they are run, on a network trained for the test. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readImageFile } from '../src/data/image-file.ts';
import { loadDataset } from '../src/data/index.ts';
import { thrive } from './cli.ts';
import { elements, parseXml } from './xml.ts';

let root: string;
let run: string;
let image: string;
let label: number;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'thrive-predict-'));
  run = join(root, 'run');
  const flags = [
    '--data',
    'synthetic',
    '--model',
    'resnet8',
    '--epochs',
    '1',
    '--limit-train',
    '64',
    '--limit-test',
    '50',
  ];
  const trained = await thrive(['train', ...flags, '--threads', '1', '--out', run]);
  expect(trained.code, trained.stderr).toBe(0);
  const set = await loadDataset('synthetic', { split: 'test' });
  label = set.labels[3]!;
  const plane = 32 * 32;
  const planes = set.images.subarray(3 * 3 * plane, 4 * 3 * plane);
  const rgb = Buffer.from(Array.from({ length: 3 * plane }, (_, i) => planes[(i % 3) * plane + Math.floor(i / 3)]!));
  image = join(root, 'image.png');
  await sharp(rgb, { raw: { width: 32, height: 32, channels: 3 } })
    .png()
    .toFile(image);
  // What is decoded is what was drawn.
  expect(Buffer.from(await readImageFile(image, 32)).equals(Buffer.from(planes))).toBe(true);
}, 60_000);
afterAll(() => rmSync(root, { recursive: true, force: true }));

test('a run folder and its .onnx give the same probabilities, which add up to one', async () => {
  const onnx = join(root, 'student.onnx');
  expect((await thrive(['export', run, '--out', onnx])).code).toBe(0);
  const from = async (checkpoint: string): Promise<{ name: string; probability: number }[]> => {
    const { code, stdout, stderr } = await thrive([
      'predict',
      image,
      '--checkpoint',
      checkpoint,
      '--top',
      '10',
      '--json',
    ]);
    expect(code, stderr).toBe(0);
    return JSON.parse(stdout).images[0].classes;
  };
  const own = await from(run);
  expect(own).toHaveLength(10);
  expect(own.reduce((sum, { probability }) => sum + probability, 0)).toBeCloseTo(1, 6);
  const other = await from(onnx);
  for (const [i, { name, probability }] of own.entries()) {
    expect(other[i]!.name).toBe(name);
    expect(other[i]!.probability).toBeCloseTo(probability, 4);
  }
  const table = await thrive(['predict', image, image, '--checkpoint', run]);
  expect(table.stderr).toContain('using last.safetensors in it');
  expect(table.stdout.trimEnd().split('\n')).toHaveLength(2 + 2 * 5);
}, 60_000);

test('what is no image, or not there, is named', async () => {
  const text = join(root, 'x.png');
  writeFileSync(text, 'no image');
  for (const [file, message] of [
    [text, /x\.png cannot be read as an image/],
    [join(root, 'none.png'), /none\.png: there is no such file/],
  ] as const) {
    const { code, stderr } = await thrive(['predict', file, '--checkpoint', run]);
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
  }
}, 60_000);

test('other sizes, grey, transparent and turned images', async () => {
  const grey = join(root, 'grey.png');
  await sharp({ create: { width: 90, height: 40, channels: 3, background: '#808080' } })
    .greyscale()
    .png()
    .toFile(grey);
  expect(new Set(await readImageFile(grey, 32))).toEqual(new Set([128]));
  const clear = join(root, 'clear.png');
  await sharp({ create: { width: 9, height: 40, channels: 4, background: { r: 0, g: 0, b: 0, alpha: 0 } } })
    .png()
    .toFile(clear);
  expect(new Set(await readImageFile(clear, 8))).toEqual(new Set([255]));
  // Red on the left; turned by EXIF orientation 6 (a quarter clockwise) it is on top.
  const turned = join(root, 'turned.jpg');
  const halves = Buffer.from(
    Array.from({ length: 16 * 16 * 3 }, (_, i) => (i % 3 === 0 && Math.floor(i / 3) % 16 < 8 ? 255 : 0)),
  );
  await sharp(halves, { raw: { width: 16, height: 16, channels: 3 } })
    .withMetadata({ orientation: 6 })
    .jpeg({ quality: 100 })
    .toFile(turned);
  const red = await readImageFile(turned, 16);
  expect(red[0]).toBeGreaterThan(200);
  expect(red[15]).toBeGreaterThan(200);
  expect(red[16 * 15]).toBeLessThan(60);
});

test('eval --per-class and --confusion agree with top-1', async () => {
  const svg = join(root, 'confusion.svg');
  const args = ['eval', run, '--limit-test', '100', '--per-class', '--confusion', svg];
  const { code, stdout, stderr } = await thrive([...args, '--json']);
  expect(code, stderr).toBe(0);
  const { top1, perClass, confused, count } = JSON.parse(stdout);
  const right = perClass.reduce(
    (sum: number, own: { count: number; top1: number }) => sum + (own.count * own.top1) / 100,
    0,
  );
  expect((100 * right) / count).toBeCloseTo(top1, 6);
  expect(confused[0].count).toBeGreaterThanOrEqual(confused.at(-1).count);
  const document = parseXml(readFileSync(svg, 'utf8'));
  expect(elements(document, (e) => e.name === 'g')).toHaveLength(100);
  expect(label).toBeLessThan(10);
  expect((await thrive(args)).stdout).toMatch(/most confused {2,}taken for {2,}images {2,}of the class/);
}, 60_000);
