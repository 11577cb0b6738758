import { ops, type Tensor, zeros } from '../torch/index.ts';
import type { Stream } from '../torch/random.ts';
import { defaultInit, type LayerInit } from './init.ts';
import { Module, parameter } from './module.ts';
import { drawWeights } from './seed.ts';

/** x W^T + b over the last dimension, after torch.nn.Linear. */
export class Linear extends Module {
  readonly inFeatures: number;
  readonly outFeatures: number;
  readonly init: LayerInit;
  weight: Tensor;
  bias: Tensor | null;

  constructor(inFeatures: number, outFeatures: number, options: { bias?: boolean; init?: LayerInit } = {}) {
    super();
    this.inFeatures = inFeatures;
    this.outFeatures = outFeatures;
    this.init = options.init ?? defaultInit;
    this.weight = parameter(zeros([outFeatures, inFeatures]));
    this.bias = (options.bias ?? true) ? parameter(zeros([outFeatures])) : null;
    drawWeights(this);
  }

  override resetParameters(stream: Stream): void {
    this.init(this.weight, this.bias, stream);
  }

  forward(input: Tensor): Tensor {
    return ops.linear(input, this.weight, this.bias);
  }

  override extraRepr(): string {
    return `in_features=${this.inFeatures}, out_features=${this.outFeatures}, bias=${this.bias ? 'True' : 'False'}`;
  }
}
