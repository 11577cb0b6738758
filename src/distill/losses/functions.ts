/** @file Small differentiable pieces that several losses share. float32 and float64 alike. */
import { ops, type Tensor } from '../../torch/index.ts';

/** libtorch's codes for how a loss is reduced. */
export const MEAN = 1;
export const SUM = 2;

/**
 * Vectors along `dim` scaled to length 1. One shorter than `eps` becomes 0 and gets no gradient; dividing it by `eps`, as
 * torch's normalize does, would give it a gradient of 1 / eps.
 */
export function unit(x: Tensor, dim: number, eps = 1e-12): Tensor {
  const norm = x.norm({ dim, keepdim: true });
  return x.div(norm.maskedFill(norm.detach().lt(eps), Number.POSITIVE_INFINITY));
}

/** Mean squared difference over all elements. */
export const meanSquare = (a: Tensor, b: Tensor): Tensor => ops.mseLoss(a, b, MEAN);

/** A term without pairs to compare, for a batch of one: 0, with a gradient of 0. */
export const noPairs = (x: Tensor): Tensor => x.mul(0).sum();

/**
 * `value`, with the given gradient with respect to each input: for terms whose gradient is worked out along with their value.
 * Exact to first order; it cannot be differentiated twice.
 */
export function withGradient(value: Tensor, inputs: readonly (readonly [input: Tensor, gradient: Tensor])[]): Tensor {
  let result = value.detach();
  for (const [input, gradient] of inputs) result = result.add(input.sub(input.detach()).mul(gradient).sum());
  return result;
}
