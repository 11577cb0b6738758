/** @file A checkpoint for tests: a small network with drawn weights, for the classes of `writeTinyData`. */
import { createModel } from '../src/models/index.ts';
import { saveNetwork } from '../src/train/checkpoint.ts';

/** Write a network that says itself what it is. Returns the path. */
export function writeTinyNetwork(path: string, { model = 'resnet8', seed = 1, classes = 10 } = {}): string {
  const network = createModel(model, { classes, seed });
  const normalization = { mean: [0.286, 0.286, 0.286], std: [0.353, 0.353, 0.353] };
  const info = { model, classes, imageSize: 32, data: 'fashion-mnist', normalization, classNames: [] };
  saveNetwork(path, network, { network: info, metrics: {}, epoch: 1 });
  network.dispose();
  return path;
}
