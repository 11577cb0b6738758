/** @file Helpers for tests of what is built on tensors. */
import { grad, liveTensors, memory, noGrad, type Tensor, tensor, tidy } from '../src/torch/index.ts';
import { allclose, type Tolerance } from './allclose.ts';

/**
 * Run `fn` once to warm caches, then `times` more, and fail if it left tensors or bytes behind.
 * Scopes must be `fn`'s own: nothing is freed for it.
 */
export function expectNoLeak(fn: () => void, times = 3): void {
  fn();
  const before = memory();
  for (let i = 0; i < times; i++) fn();
  const after = memory();
  if (after.tensors === before.tensors && after.bytes === before.bytes) return;
  const newest = liveTensors(after.tensors).slice(-10).join(', ');
  throw new Error(
    `${times} runs left ${after.tensors - before.tensors} tensors and ${after.bytes - before.bytes} bytes; some live ones: ${newest}`,
  );
}

/** Numbers of a tensor's shape whose sum against the output makes every output element count, and differently. */
const weightsFor = (output: Tensor): Tensor =>
  tensor(
    Float64Array.from({ length: output.numel }, (_, i) => 1 + 0.5 * Math.sin(i + 1)),
    { shape: output.shape, dtype: output.dtype },
  );

/**
 * Compare autograd's gradients of `fn` with central finite differences in float64. Inputs are float64 leaves; `fn` returns
 * one tensor (any shape) and must be a pure function of its inputs. Frees what it makes.
 */
export function gradcheck(
  fn: (...inputs: Tensor[]) => Tensor,
  inputs: readonly Tensor[],
  options: Tolerance & { step?: number } = {},
): void {
  const { step = 1e-5, rtol = 1e-5, atol = 1e-7 } = options;
  for (const [i, input] of inputs.entries()) {
    if (input.dtype !== 'float64') throw new TypeError(`gradcheck: input ${i} must be float64, it is ${input.dtype}`);
  }
  tidy(() => {
    const leaves = inputs.map((input) => input.detach().clone().requiresGrad_());
    const output = fn(...leaves);
    const weights = weightsFor(output);
    const analytic = grad([output], leaves, { gradients: [weights], allowUnused: true });
    const scalarAt = (values: readonly Tensor[]): number =>
      noGrad(() =>
        fn(...values)
          .mul(weights)
          .sum()
          .item(),
      );
    for (const [i, input] of inputs.entries()) {
      const base = input.toFloat64Array();
      const numeric = base.map((center, j) => {
        const at = (value: number): number =>
          tidy(() => {
            const moved = base.slice();
            moved[j] = value;
            return scalarAt(
              inputs.map((other, k) => (k === i ? tensor(moved, { shape: input.shape }) : other.detach())),
            );
          });
        return (at(center + step) - at(center - step)) / (2 * step);
      });
      const { pass, message } = allclose(analytic[i] ?? new Float64Array(base.length), numeric, { rtol, atol });
      if (!pass)
        throw new Error(`gradcheck: input ${i}: autograd (got) against finite differences (expected): ${message}`);
    }
  });
}
