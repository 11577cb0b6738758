import { expect, test } from 'vitest';
import { ortModel, relativeDifference } from '../../test/onnx.ts';
import { createModel, modelNames } from '../models/index.ts';
import { noGrad, tensor, tidy } from '../torch/index.ts';
import { exportOnnx } from './index.ts';

test.each([...modelNames])('%s', async (name) => {
  const network = createModel(name, { classes: 10, seed: 3 }).eval();
  const bytes = exportOnnx(network, { imageSize: 32 });
  const model = await ortModel(bytes);
  for (const batch of [1, 3]) {
    const values = Float32Array.from({ length: batch * 3 * 32 * 32 }, (_, i) => Math.cos(i * 0.7));
    const shape = [batch, 3, 32, 32];
    const got = await model.run(values, shape);
    const expected = tidy(() => noGrad(() => network.forward(tensor(values, { shape })).data() as Float32Array));
    console.log(name, batch, bytes.length, relativeDifference(got.values, expected));
  }
  await model.release();
  network.dispose();
});
