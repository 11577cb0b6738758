import { describe, expect, test } from 'vitest';
import { agreement, testPixels } from '../../test/onnx-models.ts';
import { modelNames } from '../models/index.ts';

/** 64 images, alone, by threes and all at once, from the same file; with THRIVE_ONNX_MODELS=name,name only those. */
const wanted = process.env.THRIVE_ONNX_MODELS?.split(',') ?? modelNames;

describe('64 images through every architecture, as ONNX and here', () => {
  test.each([...wanted])(
    '%s',
    async (name) => {
      const { real } = testPixels(1);
      const plain = await agreement(name, { count: 64, batches: [1, 3, 64], baked: false });
      const baked = await agreement(name, { count: 64, batches: [64], baked: true });
      const wide = await agreement(name, { count: 4, batches: [1, 4], baked: true, imageSize: 64 });
      const text = [plain, baked, wide].map(
        ({ relative, toSpread }) => `${relative.toExponential(1)} (${toSpread.toExponential(1)})`,
      );
      console.info(`${name}: ${text.join(', ')}${real ? '' : ', made-up images'}`);
      for (const found of [plain, baked, wide]) {
        expect(found.relative).toBeLessThan(1e-5);
        expect(found.toSpread).toBeLessThan(1e-3);
      }
    },
    600_000,
  );
});
