import { UserError } from '../base/errors.ts';
import { ones, ops, type Tensor, zeros } from '../torch/index.ts';
import type { Stream } from '../torch/random.ts';
import { constant } from './init.ts';
import { buffer, Module, parameter } from './module.ts';
import { pythonNumber } from './print.ts';

/**
 * Batch normalisation over [N, C, H, W] (Ioffe and Szegedy, 2015), after torch.nn.BatchNorm2d. In training mode: the batch's
 * mean and biased variance, and running statistics that move by `momentum` towards its mean and unbiased variance. In
 * evaluation mode: the running statistics. Once folded into the convolution before it, it returns its input itself.
 */
export class BatchNorm2d extends Module {
  readonly features: number;
  readonly eps: number;
  readonly momentum: number;
  weight: Tensor;
  bias: Tensor;
  running_mean: Tensor;
  running_var: Tensor;
  num_batches_tracked: Tensor;
  /** Whether training moves the running statistics. See `withoutStatistics`. */
  tracking = true;

  constructor(features: number, options: { eps?: number; momentum?: number } = {}) {
    super();
    this.features = features;
    this.eps = options.eps ?? 1e-5;
    this.momentum = options.momentum ?? 0.1;
    this.weight = parameter(ones([features]));
    this.bias = parameter(zeros([features]));
    this.running_mean = buffer(zeros([features]));
    this.running_var = buffer(ones([features]));
    this.num_batches_tracked = buffer(zeros([], { dtype: 'int64' }));
  }

  override resetParameters(_stream: Stream): void {
    constant(this.weight, 1);
    constant(this.bias, 0);
    constant(this.running_mean, 0);
    constant(this.running_var, 1);
    constant(this.num_batches_tracked, 0);
  }

  forward(input: Tensor): Tensor {
    if (this.folded) return input;
    const { weight, bias, running_mean, running_var, training, momentum, eps } = this;
    if (training) {
      checkBatch(input);
      if (!this.tracking) return ops.batchNorm(input, weight, bias, null, null, true, momentum, eps, true);
      this.num_batches_tracked.add_(1);
    }
    return ops.batchNorm(input, weight, bias, running_mean, running_var, training, momentum, eps, true);
  }

  /**
   * ReLU of this layer's output. One name for the pair, so that a fused kernel can take its place; it must not while this
   * layer is observed (observe.ts gives it a `forward` of its own), or the observer would hear of nothing.
   */
  forwardRelu(input: Tensor): Tensor {
    return this.forward(input).relu_();
  }

  /** This layer's output plus a residual. */
  forwardAdd(input: Tensor, residual: Tensor): Tensor {
    return this.forward(input).add_(residual);
  }

  override extraRepr(): string {
    return `${this.features}, eps=${pythonNumber(this.eps)}, momentum=${pythonNumber(this.momentum)}, affine=True, track_running_stats=True`;
  }
}

/**
 * Run `fn` with every batch norm of a network in training mode using the batch's own statistics, as ever, but leaving its
 * running ones alone: for passes that only look.
 */
export function withoutStatistics<T>(network: Module, fn: () => T): T {
  const norms = [...network.namedModules()].flatMap(([, module]) => (module instanceof BatchNorm2d ? [module] : []));
  for (const norm of norms) norm.tracking = false;
  try {
    return fn();
  } finally {
    for (const norm of norms) norm.tracking = true;
  }
}

/** Batch norm was asked to learn from one value a channel. */
export class OneValueError extends UserError {}

/** The variance of one value is not a number, and would stay in the running variance for good. */
function checkBatch(input: Tensor): void {
  const [samples = 0, , height = 1, width = 1] = input.shape;
  if (samples * height * width > 1) return;
  throw new OneValueError(
    `batch norm in training needs more than one value a channel, got an input [${input.shape.join(', ')}]`,
    {
      hint: 'use batches of two or more, or larger images',
    },
  );
}
