import { describe, expect, test } from 'vitest';
import { agreement } from '../../test/onnx-models.ts';
import { modelNames } from '../models/index.ts';

/**
 * Every architecture with filled-in weights. onnxruntime multiplies in another order: differences are some rounding errors of
 * float32, a millionth of the largest logit. With these weights a deep VGG's logits hardly move from image to image, so that
 * the share of that movement is larger; it is there to show that nothing common to all images hides an error. Large networks
 * see fewer images here, and 64 in models.heavy.test.ts.
 */
const large = new Set([
  'wrn_28_10',
  'resnet32x4',
  'ResNet18',
  'ResNet50',
  'resnet18',
  'resnet34',
  'resnet50',
  'vgg16',
  'vgg19',
]);
const small = modelNames.filter((name) => !large.has(name));

describe('logits of the ONNX file are those of the network', () => {
  test.each(small)('%s', async (name) => {
    const found = await agreement(name, { count: 12, batches: [1, 3, 12], baked: true });
    expect(found.relative).toBeLessThan(1e-5);
    expect(found.toSpread).toBeLessThan(1e-3);
  });

  test.each([...large])('%s', async (name) => {
    const found = await agreement(name, { count: 3, batches: [1, 3], baked: false });
    expect(found.relative).toBeLessThan(1e-5);
    expect(found.toSpread).toBeLessThan(1e-3);
  });

  test.each(['resnet8x4', 'vgg8', 'MobileNetV2', 'ShuffleV1', 'ShuffleV2', 'wrn_16_1'])(
    '%s at 64 pixels',
    async (name) => {
      const found = await agreement(name, { count: 4, batches: [4], baked: true, imageSize: 64 });
      expect(found.toSpread).toBeLessThan(1e-3);
    },
  );
});
