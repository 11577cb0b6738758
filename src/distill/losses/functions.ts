/** @file Small differentiable pieces that several losses share. float32 and float64 alike. */
import { ops, type Tensor } from '../../torch/index.ts';

/** libtorch's codes for how a loss is reduced. */
export const MEAN = 1;
export const SUM = 2;

/**
 * Vectors along `dim` divided by their length, or by `eps` where they are shorter, as torch's normalize. A vector of zeros gets no
 * gradient; torch gives it one of 1 / eps.
 */
export function unit(x: Tensor, dim: number, eps = 1e-12): Tensor {
  const norm = x.norm({ dim, keepdim: true });
  return x.div(norm.clamp(eps).maskedFill(norm.detach().eq(0), Number.POSITIVE_INFINITY));
}

/**
 * Rows of [B, n] without their mean. Rows of equal numbers become exactly 0 and get no gradient: what the rounding of the mean
 * leaves of them would be scaled up by whoever divides by its length.
 */
export function centred(x: Tensor): Tensor {
  const result = x.sub(x.mean(1, true));
  const rounding = x.dtype === 'float64' ? 2 ** -50 : 2 ** -21;
  const largest = (y: Tensor): Tensor => y.detach().abs().amax([1], true);
  return result.maskedFill(largest(result).le(largest(x).mul(rounding)), 0);
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
