import { UserError } from '../base/errors.ts';
import { ops, type Tensor, zeros } from '../torch/index.ts';
import { native } from '../torch/native.ts';
import { checkPositive, Optimizer } from './optimizer.ts';

export interface AdamWOptions {
  /** Default 0.001. */
  lr?: number;
  /** How much of the running means of gradient and squared gradient is kept a step, each in [0, 1). Default 0.9 and 0.999. */
  betas?: readonly [number, number];
  /** Added to the denominator. Default 1e-8. */
  eps?: number;
  /** Default 0.01. Acts on every parameter given, batch norm and biases included, as in PyTorch. */
  weightDecay?: number;
}

/**
 * Adam with decoupled weight decay (Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019), with
 * torch.optim.AdamW's update rule and defaults, all parameters in one native pass a step. After t steps:
 *
 *     p -= lr * weightDecay * p;  m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g²
 *     p -= lr / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + eps)
 *
 * A parameter counts its own steps, those in which it had a gradient.
 */
export class AdamW extends Optimizer {
  readonly betas: readonly [number, number];
  readonly eps: number;
  readonly weightDecay: number;

  constructor(parameters: ReadonlyMap<string, Tensor>, options: AdamWOptions = {}) {
    const { lr = 0.001, betas = [0.9, 0.999], eps = 1e-8, weightDecay = 0.01 } = options;
    checkPositive('AdamW', { lr, eps, weightDecay });
    for (const beta of betas) {
      if (!(beta >= 0 && beta < 1)) throw new UserError(`AdamW: betas must be from 0 to below 1, got ${beta}`);
    }
    super(parameters, lr, {
      step: () => zeros([], { dtype: 'int64' }),
      exp_avg: (parameter) => ops.zerosLike(parameter),
      exp_avg_sq: (parameter) => ops.zerosLike(parameter),
    });
    this.betas = betas;
    this.eps = eps;
    this.weightDecay = weightDecay;
  }

  protected update(): void {
    const handles = (tensors: readonly Tensor[]): number[] => tensors.map(({ handle }) => handle);
    native().adamwStep(
      handles(this.parameters),
      handles(this.part('exp_avg')),
      handles(this.part('exp_avg_sq')),
      handles(this.part('step')),
      this.lr,
      ...this.betas,
      this.eps,
      this.weightDecay,
    );
  }
}
