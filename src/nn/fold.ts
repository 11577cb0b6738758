/**
 * @file Batch norm folded into the convolution before it, for a network that only predicts: in evaluation mode batch norm is a
 * scale and a shift a channel, which the weights can carry (Jacob et al., "Quantization and Training of Neural Networks", 2018,
 * section 3.2). Saves a pass over every activation.
 */
import { UserError } from '../base/errors.ts';
import { noGrad, type Tensor, tidy } from '../torch/index.ts';
import { BatchNorm2d } from './batchnorm.ts';
import { Conv2d } from './conv.ts';
import { type Module, parameter } from './module.ts';

/** w' = w s and b' = (b - mean) s + beta with s = gamma / sqrt(var + eps), in float64 and rounded once. */
function fold(conv: Conv2d, norm: BatchNorm2d): void {
  const { weight, bias } = conv;
  const [newWeight, newBias] = noGrad(() =>
    tidy((): [Tensor, Tensor] => {
      const [gamma, beta, mean, variance] = [norm.weight, norm.bias, norm.running_mean, norm.running_var].map((t) =>
        t.to('float64'),
      ) as [Tensor, Tensor, Tensor, Tensor];
      const scale = gamma.div(variance.add(norm.eps).sqrt());
      const shift = bias ? bias.to('float64').sub(mean) : mean.neg();
      return [
        weight
          .to('float64')
          .mul(scale.view([-1, 1, 1, 1]))
          .to(weight.dtype),
        shift.mul(scale).add(beta).to(weight.dtype),
      ];
    }),
  );
  conv.weight = parameter(newWeight);
  conv.bias = parameter(newBias);
  weight.dispose();
  bias?.dispose();
  conv.folded = true;
  norm.folded = true;
}

/**
 * Fold every batch norm that follows a convolution directly (`Module.batchNormPairs`) into it, in place, and freeze the
 * network. Outputs stay equal up to rounding. A folded network predicts; it can no longer be trained, saved or loaded.
 *
 * @throws UserError if the network is in training mode: call `eval()` first
 * @throws TypeError for a pair that is not a convolution and a batch norm of its channels
 */
export function foldBatchNorm<T extends Module>(model: T): T {
  const modules = [...model.namedModules()];
  const training = modules.find(([, module]) => module.training);
  if (training) {
    const where = training[0] === '' ? '' : ` (its module '${training[0]}')`;
    throw new UserError(`foldBatchNorm: this ${model.constructor.name} is in training mode${where}`, {
      hint: 'call eval() first; a network that is still to be trained must not be folded',
    });
  }
  for (const [path, module] of modules) {
    for (const [conv, norm] of module.batchNormPairs()) {
      if (!(conv instanceof Conv2d && norm instanceof BatchNorm2d)) {
        throw new TypeError(
          `foldBatchNorm: '${path}' pairs a ${conv.constructor.name} with a ${norm.constructor.name}, not a Conv2d with a BatchNorm2d`,
        );
      }
      if (norm.folded || !conv.foldable) continue;
      if (conv.outChannels !== norm.features) {
        throw new TypeError(
          `foldBatchNorm: '${path}' pairs a convolution to ${conv.outChannels} channels with a batch norm of ${norm.features}`,
        );
      }
      fold(conv, norm);
    }
  }
  return model.freeze();
}
