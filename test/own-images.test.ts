/** @file A folder of photos, from the check to a trained network, through the command line. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { imageDataset, listingHash } from '../src/data/image-dataset.ts';
import { datasetInfo } from '../src/data/index.ts';
import { thrive } from './cli.ts';

let root: string;
let photos: string;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'thrive-own-images-'));
  photos = join(root, 'photos');
  for (const [label, red] of [
    ['dawn', 200],
    ['night', 20],
  ] as const) {
    mkdirSync(join(photos, label), { recursive: true });
    for (let i = 0; i < 20; i++) {
      const background = { r: red + i, g: 40, b: 255 - red };
      await sharp({ create: { width: 90 + i, height: 80, channels: 3, background } })
        .jpeg()
        .toFile(join(photos, label, `${i}.jpg`));
    }
  }
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

test('a folder of two classes is checked, learnt and measured; a damaged one is named', async () => {
  const check = await thrive(['data', 'check', photos]);
  expect(check.code, check.stderr).toBe(0);
  expect(check.stdout).toContain('36 training and 4 test images of 2 classes');
  expect(check.stdout).toContain('nothing is wrong');
  const out = join(root, 'run');
  const args = ['--data', photos, '--model', 'resnet8', '--epochs', '3', '--batch-size', '12', '--lr', '0.02'];
  const trained = await thrive(['train', ...args, '--out', out, '--json']);
  expect(trained.code, trained.stderr).toBe(0);
  const record = JSON.parse(readFileSync(join(out, 'config.json'), 'utf8')) as {
    config: { data: string };
    fingerprint: { fields: { data: string; dataSha256: string } };
  };
  expect(record.config.data).toBe(photos);
  expect(record.fingerprint.fields.data).toBe('photos');
  expect(record.fingerprint.fields.dataSha256).toMatch(/^[0-9a-f]{64}$/);
  // Red or not red: learnt in a few steps.
  const measured = await thrive(['eval', join(out, 'last.safetensors'), '--json']);
  expect(measured.code, measured.stderr).toBe(0);
  const { top1, count } = JSON.parse(measured.stdout) as { top1: number; count: number };
  expect([top1, count]).toEqual([100, 4]);
  // Another image, another dataset; another place, the same one.
  const moved = join(root, 'elsewhere');
  cpSync(photos, moved, { recursive: true });
  const hash = (folder: string): string => listingHash(imageDataset(folder).listing);
  expect(hash(moved)).toBe(record.fingerprint.fields.dataSha256);
  cpSync(join(moved, 'dawn', '0.jpg'), join(moved, 'dawn', 'more.jpg'));
  expect(hash(moved)).not.toBe(record.fingerprint.fields.dataSha256);
  // A damaged photo stops the next run before it begins, by name; the check says so too.
  writeFileSync(join(photos, 'night', 'bad.jpg'), 'damaged');
  const stopped = await thrive(['train', ...args, '--out', join(root, 'third')]);
  expect(stopped.code).toBe(2);
  expect(stopped.stderr).toContain(join('night', 'bad.jpg'));
  const found = await thrive(['data', 'check', photos]);
  expect(found.code).toBe(1);
  expect(found.stdout).toContain('1 cannot be used:');
});

test('a folder that is not there is named', () => {
  expect(() => datasetInfo(join(root, 'phots'))).toThrow(
    `there is no folder or list of images at ${join(root, 'phots')}`,
  );
  expect(() => datasetInfo('phots')).toThrow('unknown dataset');
});
