import { ops, type Tensor, zeros } from '../torch/index.ts';
import type { Stream } from '../torch/random.ts';
import { defaultInit, type LayerInit } from './init.ts';
import { Module, parameter } from './module.ts';
import { drawWeights } from './seed.ts';

export interface ConvOptions {
  stride?: number;
  padding?: number;
  groups?: number;
  bias?: boolean;
  /** How weight and bias are drawn. Default: as PyTorch does. */
  init?: LayerInit;
}

function describe(conv: Conv2d | ConvTranspose2d): string {
  const pair = (n: number): string => `(${n}, ${n})`;
  let text = `${conv.inChannels}, ${conv.outChannels}, kernel_size=${pair(conv.kernelSize)}, stride=${pair(conv.stride)}`;
  if (conv.padding) text += `, padding=${pair(conv.padding)}`;
  if (conv instanceof Conv2d && conv.groups > 1) text += `, groups=${conv.groups}`;
  return conv.bias ? text : `${text}, bias=False`;
}

/** 2-D convolution, after torch.nn.Conv2d with a square kernel: [N, in, H, W] to [N, out, H', W']. */
export class Conv2d extends Module {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly kernelSize: number;
  readonly stride: number;
  readonly padding: number;
  readonly groups: number;
  readonly init: LayerInit;
  weight: Tensor;
  bias: Tensor | null;
  /** Set to false where somebody looks at this layer's own output: `foldBatchNorm` then leaves it as it is. */
  foldable = true;

  constructor(inChannels: number, outChannels: number, kernelSize: number, options: ConvOptions = {}) {
    super();
    const { stride = 1, padding = 0, groups = 1, bias = true, init = defaultInit } = options;
    if (inChannels % groups !== 0 || outChannels % groups !== 0) {
      throw new TypeError(
        `Conv2d: ${groups} groups do not divide ${inChannels} input and ${outChannels} output channels`,
      );
    }
    this.inChannels = inChannels;
    this.outChannels = outChannels;
    this.kernelSize = kernelSize;
    this.stride = stride;
    this.padding = padding;
    this.groups = groups;
    this.init = init;
    this.weight = parameter(zeros([outChannels, inChannels / groups, kernelSize, kernelSize]));
    this.bias = bias ? parameter(zeros([outChannels])) : null;
    drawWeights(this);
  }

  override resetParameters(stream: Stream): void {
    this.init(this.weight, this.bias, stream);
  }

  forward(input: Tensor): Tensor {
    return ops.conv2d(input, this.weight, this.bias, this.stride, this.padding, 1, this.groups);
  }

  override extraRepr(): string {
    return describe(this);
  }
}

/** Transposed 2-D convolution, after torch.nn.ConvTranspose2d with a square kernel; weight [in, out, k, k]. */
export class ConvTranspose2d extends Module {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly kernelSize: number;
  readonly stride: number;
  readonly padding: number;
  weight: Tensor;
  bias: Tensor | null;

  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: number,
    options: Omit<ConvOptions, 'groups' | 'init'> = {},
  ) {
    super();
    const { stride = 1, padding = 0, bias = true } = options;
    this.inChannels = inChannels;
    this.outChannels = outChannels;
    this.kernelSize = kernelSize;
    this.stride = stride;
    this.padding = padding;
    this.weight = parameter(zeros([inChannels, outChannels, kernelSize, kernelSize]));
    this.bias = bias ? parameter(zeros([outChannels])) : null;
    drawWeights(this);
  }

  override resetParameters(stream: Stream): void {
    defaultInit(this.weight, this.bias, stream);
  }

  forward(input: Tensor): Tensor {
    return ops.convTranspose2d(input, this.weight, this.bias, this.stride, this.padding);
  }

  override extraRepr(): string {
    return describe(this);
  }
}
