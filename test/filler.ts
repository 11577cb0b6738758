/**
 * @file Weights and inputs by formula, so that a network or a loss can be compared with another implementation without shipping
 * its weights: element i of the array called `name` is a hash of the name and i. The same formula in Python:
 * test/fixtures/filler.py.
 */
import type { Module } from '../src/nn/index.ts';
import { noGrad, type Tensor, tensor, tidy } from '../src/torch/index.ts';

function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** N numbers in [-1, 1): 2 mulberry32(seed, i + 1) - 1, the seed being the FNV-1a hash of the name. */
export function uniformFiller(name: string, count: number): Float64Array {
  const seed = fnv1a(name);
  const values = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    let t = (seed + Math.imul(i + 1, 0x6d2b79f5)) | 0;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    values[i] = 2 * (((t ^ (t >>> 14)) >>> 0) / 2 ** 32) - 1;
  }
  return values;
}

export type FillerKind = 'weight' | 'bias' | 'bn.weight' | 'bn.mean' | 'bn.var' | 'data';

/** The kind of a parameter or buffer, from its state-dict name. */
export function fillerKind(name: string, shape: readonly number[]): FillerKind {
  if (name.endsWith('running_mean')) return 'bn.mean';
  if (name.endsWith('running_var')) return 'bn.var';
  if (shape.length >= 2) return 'weight';
  return name.endsWith('bias') ? 'bias' : 'bn.weight';
}

/** The array called `name`, in row-major order. */
export function filler(name: string, shape: readonly number[], kind: FillerKind = 'data'): Float32Array {
  const product = (sizes: readonly number[]): number => sizes.reduce((total, size) => total * size, 1);
  const values = uniformFiller(name, product(shape));
  const scale = { weight: Math.sqrt(3 / product(shape.slice(1))), data: Math.sqrt(3), 'bn.var': 0.5 };
  const factor = kind === 'weight' || kind === 'data' || kind === 'bn.var' ? scale[kind] : 0.1;
  const offset = kind === 'bn.weight' || kind === 'bn.var' ? 1 : 0;
  const result = new Float32Array(values.length);
  for (let i = 0; i < result.length; i++) result[i] = offset + factor * values[i]!;
  return result;
}

/** The input, feature or logits called `name`. */
export const fillerTensor = (name: string, shape: readonly number[]): Tensor => tensor(filler(name, shape), { shape });

/** Fill every parameter and buffer of a network by its state-dict name, after `prefix`. The batch counters become 0. */
export function fillModule<T extends Module>(module: T, prefix = ''): T {
  noGrad(() =>
    tidy(() => {
      for (const [name, target] of module.stateDict()) {
        const { shape } = target;
        if (name.endsWith('num_batches_tracked')) target.zero_();
        else target.copy_(tensor(filler(prefix + name, shape, fillerKind(name, shape)), { shape }));
      }
    }),
  );
  return module;
}
