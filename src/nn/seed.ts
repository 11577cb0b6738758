import { stream } from '../torch/random.ts';
import type { Module } from './module.ts';

let seed = 0;
let made = 0;

/** Seed the layers made from here on, like torch.manual_seed: layer n of the program draws from stream (seed, n). */
export function seedLayers(value: number): void {
  seed = value;
  made = 0;
}

let drawing = true;

/**
 * Make modules without drawing their weights, which are then zero: for networks about to be initialised or loaded, and for
 * looking at their shapes.
 */
export function withoutDrawing<T>(make: () => T): T {
  const before = drawing;
  drawing = false;
  try {
    return make();
  } finally {
    drawing = before;
  }
}

/** Called by a layer's constructor: its first weights. */
export function drawWeights(layer: Module): void {
  if (drawing) layer.resetParameters(stream(seed, 'layer', made++));
}

/**
 * Draw all weights of a network afresh: each layer from a stream of (seed, its path), so that a layer's weights do not depend
 * on what else the network holds or what was made before.
 */
export function initialize<T extends Module>(network: T, seedValue: number): T {
  const root = stream(seedValue, 'init');
  for (const [path, module] of network.namedModules()) module.resetParameters(root.child(path || '.'));
  return network;
}
