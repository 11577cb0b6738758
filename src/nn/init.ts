/** @file Weight initialisation, after torch.nn.init. Draws come from a counter-based stream, so weights depend on seed and name alone. */
import { noGrad, type Tensor, tensor, tidy } from '../torch/index.ts';
import type { Stream } from '../torch/random.ts';

/** The number of inputs and outputs one weight connects: [out, in, ...kernel]. */
export function fans(weight: Tensor): { fanIn: number; fanOut: number } {
  const [out = 1, input = 1, ...kernel] = weight.shape;
  if (weight.ndim < 2) throw new TypeError('fan in and fan out need a tensor of at least two dimensions');
  const area = kernel.reduce((product, size) => product * size, 1);
  return { fanIn: input * area, fanOut: out * area };
}

function assign(target: Tensor, fill: (values: Float32Array) => void): Tensor {
  const shape = target.shape;
  const values = new Float32Array(target.numel);
  fill(values);
  noGrad(() => tidy(() => target.copy_(tensor(values, { shape }))));
  return target;
}

/** Uniform in [low, high). */
export function uniform(target: Tensor, low: number, high: number, stream: Stream): Tensor {
  return assign(target, (values) => stream.fillUniform(values, low, high));
}

/** Normal with the given mean and standard deviation. */
export function normal(target: Tensor, mean: number, std: number, stream: Stream): Tensor {
  return assign(target, (values) => stream.fillNormal(values, mean, std));
}

export function constant(target: Tensor, value: number): Tensor {
  noGrad(() => target.fill_(value));
  return target;
}

export type Nonlinearity = 'linear' | 'relu' | 'leaky_relu' | 'tanh';

/** The factor by which a nonlinearity shrinks a signal's standard deviation, inverted; `a` is leaky ReLU's slope. */
export function gain(nonlinearity: Nonlinearity, a = 0.01): number {
  if (nonlinearity === 'relu') return Math.SQRT2;
  if (nonlinearity === 'leaky_relu') return Math.sqrt(2 / (1 + a * a));
  return nonlinearity === 'tanh' ? 5 / 3 : 1;
}

export interface KaimingOptions {
  mode?: 'fanIn' | 'fanOut';
  nonlinearity?: Nonlinearity;
  /** Slope of leaky ReLU. */
  a?: number;
}

/** Kaiming He et al., "Delving Deep into Rectifiers", ICCV 2015: N(0, gain^2 / fan). */
export function kaimingNormal(target: Tensor, stream: Stream, options: KaimingOptions = {}): Tensor {
  const { mode = 'fanIn', nonlinearity = 'relu', a = 0 } = options;
  return normal(target, 0, gain(nonlinearity, a) / Math.sqrt(fans(target)[mode]), stream);
}

/** The uniform counterpart: U(-b, b), b = gain * sqrt(3 / fan). */
export function kaimingUniform(target: Tensor, stream: Stream, options: KaimingOptions = {}): Tensor {
  const { mode = 'fanIn', nonlinearity = 'leaky_relu', a = 0 } = options;
  const bound = gain(nonlinearity, a) * Math.sqrt(3 / fans(target)[mode]);
  return uniform(target, -bound, bound, stream);
}

/** Glorot and Bengio, AISTATS 2010: U(-b, b), b = sqrt(6 / (fan in + fan out)). */
export function xavierUniform(target: Tensor, stream: Stream): Tensor {
  const { fanIn, fanOut } = fans(target);
  const bound = Math.sqrt(6 / (fanIn + fanOut));
  return uniform(target, -bound, bound, stream);
}

/** What PyTorch does to a convolution or linear layer when it is made: weight and bias U(-b, b), b = 1 / sqrt(fan in). */
export function defaultInit(weight: Tensor, bias: Tensor | null, stream: Stream): void {
  kaimingUniform(weight, stream.child('weight'), { a: Math.sqrt(5) });
  if (!bias) return;
  const bound = 1 / Math.sqrt(fans(weight).fanIn);
  uniform(bias, -bound, bound, stream.child('bias'));
}

/** How a convolution or linear layer draws its weight and bias. `stream` is this layer's alone. */
export type LayerInit = (weight: Tensor, bias: Tensor | null, stream: Stream) => void;

/** Weight N(0, 2 / fan out) for layers followed by ReLU, bias 0. For a convolution fan out is kernel area times outputs. */
export function fanOutNormal(weight: Tensor, bias: Tensor | null, stream: Stream): void {
  kaimingNormal(weight, stream, { mode: 'fanOut' });
  if (bias) constant(bias, 0);
}

/** Weight N(0, 0.01^2), bias 0: the classifier of VGG and MobileNetV2. */
export function smallNormal(weight: Tensor, bias: Tensor | null, stream: Stream): void {
  normal(weight, 0, 0.01, stream);
  if (bias) constant(bias, 0);
}

/** PyTorch's default weight, bias 0: the classifier of the wide ResNets. */
export function zeroBias(weight: Tensor, bias: Tensor | null, stream: Stream): void {
  defaultInit(weight, null, stream);
  if (bias) constant(bias, 0);
}
