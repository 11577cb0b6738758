/** @file Layers without parameters, and Sequential. */
import { ops, type Tensor, tidy } from '../torch/index.ts';
import { BatchNorm2d } from './batchnorm.ts';
import { Conv2d } from './conv.ts';
import { Module } from './module.ts';

export class Identity extends Module {
  forward(input: Tensor): Tensor {
    return input;
  }
}

export class ReLU extends Module {
  readonly inplace: boolean;
  constructor(options: { inplace?: boolean } = {}) {
    super();
    this.inplace = options.inplace ?? false;
  }
  forward(input: Tensor): Tensor {
    return this.inplace ? input.relu_() : input.relu();
  }
  override extraRepr(): string {
    return this.inplace ? 'inplace=True' : '';
  }
}

export class LeakyReLU extends Module {
  readonly negativeSlope: number;
  constructor(negativeSlope = 0.01) {
    super();
    this.negativeSlope = negativeSlope;
  }
  forward(input: Tensor): Tensor {
    return ops.leakyRelu(input, this.negativeSlope);
  }
  override extraRepr(): string {
    return `negative_slope=${this.negativeSlope}`;
  }
}

export class MaxPool2d extends Module {
  readonly kernelSize: number;
  readonly stride: number;
  readonly padding: number;
  constructor(kernelSize: number, options: { stride?: number; padding?: number } = {}) {
    super();
    this.kernelSize = kernelSize;
    this.stride = options.stride ?? kernelSize;
    this.padding = options.padding ?? 0;
  }
  forward(input: Tensor): Tensor {
    return ops.maxPool2d(input, this.kernelSize, this.stride, this.padding);
  }
  override extraRepr(): string {
    return `kernel_size=${this.kernelSize}, stride=${this.stride}, padding=${this.padding}, dilation=1, ceil_mode=False`;
  }
}

export class AvgPool2d extends Module {
  readonly kernelSize: number;
  readonly stride: number;
  readonly padding: number;
  constructor(kernelSize: number, options: { stride?: number; padding?: number } = {}) {
    super();
    this.kernelSize = kernelSize;
    this.stride = options.stride ?? kernelSize;
    this.padding = options.padding ?? 0;
  }
  forward(input: Tensor): Tensor {
    return ops.avgPool2d(input, this.kernelSize, this.stride, this.padding);
  }
  override extraRepr(): string {
    return `kernel_size=${this.kernelSize}, stride=${this.stride}, padding=${this.padding}`;
  }
}

export class AdaptiveAvgPool2d extends Module {
  readonly outputSize: number;
  constructor(outputSize: number) {
    super();
    this.outputSize = outputSize;
  }
  forward(input: Tensor): Tensor {
    return ops.adaptiveAvgPool2d(input, [this.outputSize, this.outputSize]);
  }
  override extraRepr(): string {
    return `output_size=${this.outputSize}`;
  }
}

export class Flatten extends Module {
  forward(input: Tensor): Tensor {
    return input.flatten(1);
  }
  override extraRepr(): string {
    return 'start_dim=1, end_dim=-1';
  }
}

/** Modules one after the other; named 0, 1, … in the state dict. */
export class Sequential extends Module {
  readonly modules: Module[];

  constructor(...modules: Module[]) {
    super();
    this.modules = modules;
  }

  override *children(): Generator<[string, Module]> {
    for (const [i, module] of this.modules.entries()) yield [String(i), module];
  }

  override *batchNormPairs(): Generator<[Conv2d, BatchNorm2d]> {
    for (const [i, norm] of this.modules.entries()) {
      const conv = this.modules[i - 1];
      if (conv instanceof Conv2d && norm instanceof BatchNorm2d) yield [conv, norm];
    }
  }

  forward(input: Tensor): Tensor {
    return forwardAll(this.modules, input);
  }
}

/** Modules one after the other. Frees each intermediate as soon as the next is made; autograd keeps what it needs. */
export function forwardAll(modules: Iterable<Module>, input: Tensor): Tensor {
  return tidy(() => {
    let value = input;
    for (const module of modules) {
      const next = module.forward(value);
      if (value !== input && next !== value) value.dispose();
      value = next;
    }
    return value;
  });
}
