/** @file A dataset small enough for whole runs in tests: IDX files of stripes, whose angle and width tell the class. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stream } from '../src/torch/random.ts';

function idx(shape: number[], bytes: Uint8Array): Buffer {
  const head = Buffer.alloc(4 + 4 * shape.length);
  head[2] = 8; // unsigned bytes
  head[3] = shape.length;
  for (const [i, size] of shape.entries()) head.writeUInt32BE(size, 4 + 4 * i);
  return Buffer.concat([head, bytes]);
}

/** Write `fashion-mnist` under `folder`: ten classes: five angles, two widths, any phase, with noise. */
export function writeTinyData(folder: string, counts = { train: 192, test: 64 }): string {
  const target = join(folder, 'fashion-mnist');
  mkdirSync(target, { recursive: true });
  for (const [split, name] of [
    ['train', 'train'],
    ['test', 't10k'],
  ] as const) {
    const count = counts[split];
    const images = new Uint8Array(count * 784);
    const labels = new Uint8Array(count);
    const random = stream(5, `tiny-${split}`);
    for (let i = 0; i < count; i++) {
      const label = i % 10;
      labels[i] = label;
      const angle = (Math.PI * (label % 5)) / 5;
      const [dx, dy] = [Math.cos(angle), Math.sin(angle)].map((d) => d * (label < 5 ? 0.8 : 1.9)) as [number, number];
      const phase = random.uniform(0, 7);
      for (let p = 0; p < 784; p++) {
        images[i * 784 + p] = 90 + 70 * Math.sin((p % 28) * dx + Math.floor(p / 28) * dy + phase) + random.int(40);
      }
    }
    writeFileSync(join(target, `${name}-images-idx3-ubyte`), idx([count, 28, 28], images));
    writeFileSync(join(target, `${name}-labels-idx1-ubyte`), idx([count], labels));
  }
  return folder;
}
