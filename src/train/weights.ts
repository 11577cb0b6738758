/** @file Between tensors of the engine and tensors of a file. */
import type { StoredTensor, StoredTensors } from '../formats/index.ts';
import { type Tensor, tensorFromBytes } from '../torch/index.ts';

/** Copies of a state dict's values, ready to be written. */
export function toStored(state: ReadonlyMap<string, Tensor>, prefix = ''): StoredTensors {
  const stored = new Map<string, StoredTensor>();
  for (const [name, tensor] of state) {
    stored.set(prefix + name, { dtype: tensor.dtype, shape: tensor.shape, data: tensor.bytes() });
  }
  return stored;
}

/** Tensors made of a file's, those whose names begin with `prefix`, without it. The caller frees them (or a tidy does). */
export function fromStored(stored: ReadonlyMap<string, StoredTensor>, prefix = ''): Map<string, Tensor> {
  const state = new Map<string, Tensor>();
  for (const [name, { dtype, shape, data }] of stored) {
    if (name.startsWith(prefix)) state.set(name.slice(prefix.length), tensorFromBytes(data, dtype, shape));
  }
  return state;
}
