/** @file The networks here against their ONNX files, run by onnxruntime. */

import { normalizeImages } from '../src/augment/index.ts';
import { loadCifar } from '../src/data/cifar.ts';
import { CIFAR100 } from '../src/data/datasets/cifar100.ts';
import { generateSynthetic } from '../src/data/index.ts';
import { createModel } from '../src/models/index.ts';
import { exportOnnx } from '../src/onnx/index.ts';
import { noGrad, type Tensor, tensor, tidy } from '../src/torch/index.ts';
import { fillModule } from './filler.ts';
import { ortModel } from './onnx.ts';
import { dataDir } from './shared.ts';

export const cifar100 = { mean: [0.5071, 0.4867, 0.4408], std: [0.2675, 0.2565, 0.2761] };

/** Pixels of the first `count` test images of CIFAR-100, or of made-up ones where it is absent. */
export function testPixels(count: number): { pixels: Uint8Array; real: boolean } {
  const dir = dataDir();
  const set = dir ? loadCifar(CIFAR100, 'test', dir) : generateSynthetic('test', count);
  return { pixels: set.images.slice(0, count * 3 * 32 * 32), real: dir !== undefined };
}

/** Nearest-neighbour enlargement of [count, 3, 32, 32] by a whole number. */
export function enlarge(pixels: Uint8Array, times: number): Uint8Array {
  const side = 32 * times;
  return Uint8Array.from({ length: pixels.length * times * times }, (_, i) => {
    const [x, y, plane] = [i % side, Math.floor(i / side) % side, Math.floor(i / (side * side))];
    return pixels[(plane * 32 + Math.floor(y / times)) * 32 + Math.floor(x / times)]!;
  });
}

export interface Agreement {
  /** The largest difference of any logit, as a share of the largest logit. */
  relative: number;
  /** The same as a share of how far a logit moves from image to image: what is common to all of them hides nothing. */
  toSpread: number;
  bytes: number;
}

/**
 * Export a network with filled-in weights and batch norm statistics, and compare logits of the same file at several batch sizes
 * with those of the network, unfolded, in one batch.
 */
export async function agreement(
  name: string,
  options: { count: number; batches: readonly number[]; baked: boolean; imageSize?: number; fill?: boolean },
): Promise<Agreement> {
  const { count, batches, baked, imageSize = 32 } = options;
  const network = fillModule(createModel(name, { classes: 100, seed: 1 })).eval();
  const pixels = enlarge(testPixels(count).pixels, imageSize / 32);
  const images: Tensor = normalizeImages(tensor(pixels, { shape: [count, 3, imageSize, imageSize] }), cifar100);
  try {
    const expected = tidy(() => noGrad(() => network.forward(images).data() as Float32Array));
    const values = baked ? Float32Array.from(pixels) : (images.data() as Float32Array);
    const file = exportOnnx(network, { imageSize, normalize: baked ? cifar100 : undefined });
    const model = await ortModel(file);
    let difference = 0;
    let largest = 0;
    for (const batch of batches) {
      for (let first = 0; first + batch <= count; first += batch) {
        const one = 3 * imageSize * imageSize;
        const part = values.slice(first * one, (first + batch) * one);
        const got = await model.run(part, [batch, 3, imageSize, imageSize]);
        for (const [i, value] of got.values.entries()) {
          const off = Math.abs(value - expected[first * 100 + i]!);
          if (!(off <= difference)) difference = off;
        }
      }
    }
    await model.release();
    for (const value of expected) largest = Math.max(largest, Math.abs(value));
    return { relative: difference / largest, toSpread: difference / spread(expected, 100), bytes: file.length };
  } finally {
    images.dispose();
    network.dispose();
  }
}

/** The largest distance between two images' logits of one class. */
function spread(logits: Float32Array, classes: number): number {
  return Math.max(
    ...Array.from({ length: classes }, (_, c) => {
      const column = logits.filter((_, i) => i % classes === c);
      return Math.max(...column) - Math.min(...column);
    }),
  );
}
