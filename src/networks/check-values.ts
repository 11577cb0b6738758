/** @file Weights whose names and shapes fit, and that still cannot be right: integers, variances below 0, NaN. */
import { UserError } from '../base/errors.ts';
import { type StoredTensor, type StoredTensors, scalarOf } from '../formats/index.ts';
import { tensorFromBytes, tidy } from '../torch/index.ts';

const floating = new Set(['float64', 'float32', 'float16', 'bfloat16']);

/**
 * Refuse stored values that a network cannot have: what is floating point in it must be so in the file, finite, and not
 * below 0 for a variance. Tensors of the file that the network does not have are not looked at.
 *
 * @throws UserError naming the tensor, its dtype and what is expected
 */
export function checkValues(
  stored: StoredTensors,
  own: ReadonlyMap<string, { dtype: string; shape: readonly number[] }>,
  path: string,
): void {
  for (const [name, { dtype }] of own) {
    const tensor = stored.get(name);
    if (!tensor) continue;
    if (floating.has(dtype)) checkFloats(tensor, name, path);
    else checkCount(tensor, name, path);
  }
}

function checkFloats(tensor: StoredTensor, name: string, path: string): void {
  const { dtype, shape, data } = tensor;
  const wrong = (what: string, hint: string): UserError => new UserError(`${path}: ${name} ${what}`, { hint });
  if (!floating.has(dtype)) {
    throw wrong(
      `is ${dtype} [${shape.join(', ')}]; weights are floating point: float32, float16, bfloat16 or float64`,
      'the file looks quantized or converted: save the floating-point weights instead',
    );
  }
  const damaged = 'the file is damaged, or the training that wrote it had diverged: take another';
  tidy(() => {
    const values = tensorFromBytes(data, dtype, shape).to('float32');
    if (!values.isfinite().all().item()) {
      throw wrong(`holds values that are not finite (${dtype})`, damaged);
    }
    if (/(^|\.)running_var$/.test(name) && values.lt(0).any().item()) {
      throw wrong(`holds a variance below 0 (${dtype}); a variance is 0 or more`, damaged);
    }
  });
}

/** Batch counters: whole numbers, though scripts that call `.float()` on everything make them floats. */
function checkCount(tensor: StoredTensor, name: string, path: string): void {
  const value = scalarOf(tensor);
  if (value === undefined || (tensor.dtype !== 'bool' && Number.isInteger(value) && (value as number) >= 0)) return;
  throw new UserError(`${path}: ${name} is ${tensor.dtype} ${value}; a count of batches is a whole number, 0 or more`, {
    hint: 'the file is damaged: copy or download it again',
  });
}
