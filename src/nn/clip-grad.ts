import { UserError } from '../base/errors.ts';
import { noGrad, ops, stack, type Tensor, tidy } from '../torch/index.ts';

/**
 * Scale the gradients of all parameters together so that their norm, as of one long vector, is at most `maxNorm`: PyTorch's
 * torch.nn.utils.clip_grad_norm_ (Pascanu et al., "On the difficulty of training recurrent neural networks", 2013), its 1e-6 in
 * the denominator included. Parameters without a gradient do not count. A norm that is not finite leaves the gradients alone.
 *
 * @returns the norm before clipping
 * @throws UserError for a `maxNorm` that is not a positive number
 */
export function clipGradNorm(parameters: Iterable<Tensor>, maxNorm: number, { normType = 2 } = {}): number {
  if (!(maxNorm > 0)) throw new UserError(`the norm to clip gradients to must be above 0, got ${maxNorm}`);
  return noGrad(() =>
    tidy(() => {
      const gradients = [...parameters].flatMap(({ grad }) => (grad ? [grad] : []));
      if (gradients.length === 0) return 0;
      const norm = stack(ops.foreachNorm(gradients, normType)).norm({ p: normType }).item();
      const scale = maxNorm / (norm + 1e-6);
      if (scale < 1 && Number.isFinite(norm)) ops.foreachMul_(gradients, scale);
      return norm;
    }),
  );
}
