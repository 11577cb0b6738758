import { autocast } from '../torch/index.ts';

/** fp32, or bfloat16 mixed precision by autocast. */
export type Precision = 'fp32' | 'bf16';

/** Run a forward pass in a precision. Losses belong outside: they are computed in float32. */
export function withPrecision<T>(precision: Precision, device: string, fn: () => T): T {
  return precision === 'bf16' ? autocast({ device, dtype: 'bfloat16' }, fn) : fn();
}
