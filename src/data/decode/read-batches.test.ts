import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BadImages } from './bad-images.ts';
import { randomResizedCropDefaults } from './geometry.ts';
import { decodeDefaults } from './image.ts';
import { DecodePool } from './pool.ts';
import { readBatches } from './read-batches.ts';
import type { ImageRef } from './task.ts';

let root: string;
const count = 45;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'thrive-batches-'));
  mkdirSync(root, { recursive: true });
  for (let i = 0; i < count; i++) {
    const pixels = Uint8Array.from({ length: 40 * 30 * 3 }, (_, at) => (at * (i + 3)) % 251);
    await sharp(pixels, { raw: { width: 40, height: 30, channels: 3 } })
      .jpeg({ quality: 95 })
      .toFile(join(root, `${i}.jpg`));
  }
  writeFileSync(join(root, '17.jpg'), 'damaged');
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const ref = (i: number): ImageRef => ({ name: `${i}.jpg`, path: join(root, `${i}.jpg`) });
const view = { kind: 'train', size: 16, ...randomResizedCropDefaults } as const;
const order = Int32Array.from({ length: count }, (_, i) => (i * 7) % count);

/** Hash and members of each batch, from `firstStep` on. */
async function read(workers: number, firstStep = 0, epoch = 1): Promise<string[]> {
  const pool = new DecodePool(workers);
  const found: string[] = [];
  try {
    const plan = { order, batchSize: 10, firstStep, view, seed: 3, epoch };
    for await (const { step, images, index } of readBatches(pool, ref, plan, decodeDefaults, new BadImages('skip'))) {
      expect(images.length).toBe(index.length * 3 * 16 * 16);
      found.push(`${step} ${index.join(',')} ${createHash('sha256').update(images).digest('hex')}`);
    }
  } finally {
    await pool.close();
  }
  return found;
}

describe('batches', () => {
  test('are the same whatever the number of threads and wherever reading begins; another epoch has others', async () => {
    const whole = await read(0);
    expect(whole).toHaveLength(5);
    expect(await read(2)).toEqual(whole);
    expect(await read(1, 3)).toEqual(whole.slice(3));
    const other = await read(0, 0, 2);
    expect(other.map((batch) => batch.split(' ')[1])).toEqual(whole.map((batch) => batch.split(' ')[1]));
    expect(other.some((batch, i) => batch === whole[i])).toBe(false);
    // The damaged image is in none, the others are each in one.
    const members = whole.flatMap((batch) => batch.split(' ')[1]!.split(',').map(Number));
    expect(members.sort((a, b) => a - b)).toEqual([...Array(count).keys()].filter((i) => i !== 17));
  });

  test('a bad image is an error that names it, when its batch comes', async () => {
    const pool = new DecodePool(1);
    const plan = { order, batchSize: 10, view, seed: 3, epoch: 1 };
    const steps: number[] = [];
    const all = async (): Promise<void> => {
      for await (const { step } of readBatches(pool, ref, plan, decodeDefaults, new BadImages('error')))
        steps.push(step);
    };
    await expect(all()).rejects.toThrow(/cannot use the image 17\.jpg: .*unsupported image format/);
    expect(steps).toHaveLength(Math.floor(order.indexOf(17) / 10));
    await pool.close();
  });

  test('threads work ahead of a slow reader by three batches, no more', async () => {
    const asked: number[] = [];
    const pool = new DecodePool(0);
    const plan = { order, batchSize: 5, view, seed: 3, epoch: 1 };
    const counting = (i: number): ImageRef => {
      asked.push(i);
      return ref(i);
    };
    const batches = readBatches(pool, counting, plan, decodeDefaults, new BadImages('skip'));
    await batches.next();
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(asked).toHaveLength(15);
    await batches.return();
    await pool.close();
  });

  test('a pool that is closed answers with an error', async () => {
    const pool = new DecodePool(1);
    await pool.close();
    await expect(pool.run({ kind: 'check', images: [], options: decodeDefaults })).rejects.toThrow('stopped');
  });
});
