/** @file What networks made of stages of residual blocks share. */
import { BatchNorm2d, Conv2d, type ConvOptions, forwardAll, init, Module, Sequential } from '../nn/index.ts';
import { type Tensor, tidy } from '../torch/index.ts';
import { convNormAdd, convNormRelu, freeing } from './image-model.ts';

/** A convolution without bias, weights N(0, 2 / fan out). */
export const conv = (inChannels: number, outChannels: number, kernelSize: number, options: ConvOptions = {}): Conv2d =>
  new Conv2d(inChannels, outChannels, kernelSize, { bias: false, init: init.fanOutNormal, ...options });

/** A block that ends in an activation and can show what it has before it. */
export abstract class Block extends Module {
  /** The value before the last activation. */
  abstract preact(input: Tensor): Tensor;

  /** The last activation, as a new tensor. */
  activate(value: Tensor): Tensor {
    return value.relu();
  }

  forward(input: Tensor): Tensor {
    return this.preact(input).relu_();
  }
}

/** He et al., 2016: two 3x3 convolutions around a shortcut, projected where the shape changes. */
export class BasicBlock extends Block {
  static readonly expansion = 1;
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly downsample: Sequential | null;

  constructor(inChannels: number, channels: number, stride: number) {
    super();
    this.conv1 = conv(inChannels, channels, 3, { stride, padding: 1 });
    this.bn1 = new BatchNorm2d(channels);
    this.conv2 = conv(channels, channels, 3, { padding: 1 });
    this.bn2 = new BatchNorm2d(channels);
    this.downsample = projection(inChannels, channels, stride);
  }

  override *batchNormPairs(): Generator<[Conv2d, BatchNorm2d]> {
    yield [this.conv1, this.bn1];
    yield [this.conv2, this.bn2];
  }

  preact(input: Tensor): Tensor {
    return tidy(() => {
      const hidden = convNormRelu(this.conv1, this.bn1, input);
      return convNormAdd(this.conv2, this.bn2, hidden, this.downsample?.forward(input) ?? input);
    });
  }
}

/** He et al., 2016: 1x1 to a quarter of the channels, 3x3 (with the stride), 1x1 back, around a shortcut. */
export class Bottleneck extends Block {
  static readonly expansion = 4;
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly conv3: Conv2d;
  readonly bn3: BatchNorm2d;
  readonly downsample: Sequential | null;

  constructor(inChannels: number, channels: number, stride: number) {
    super();
    const outChannels = channels * Bottleneck.expansion;
    this.conv1 = conv(inChannels, channels, 1);
    this.bn1 = new BatchNorm2d(channels);
    this.conv2 = conv(channels, channels, 3, { stride, padding: 1 });
    this.bn2 = new BatchNorm2d(channels);
    this.conv3 = conv(channels, outChannels, 1);
    this.bn3 = new BatchNorm2d(outChannels);
    this.downsample = projection(inChannels, outChannels, stride);
  }

  override *batchNormPairs(): Generator<[Conv2d, BatchNorm2d]> {
    yield [this.conv1, this.bn1];
    yield [this.conv2, this.bn2];
    yield [this.conv3, this.bn3];
  }

  preact(input: Tensor): Tensor {
    return tidy(() => {
      const narrow = convNormRelu(this.conv1, this.bn1, input);
      const hidden = freeing(narrow, (value) => convNormRelu(this.conv2, this.bn2, value));
      return convNormAdd(this.conv3, this.bn3, hidden, this.downsample?.forward(input) ?? input);
    });
  }
}

function projection(inChannels: number, outChannels: number, stride: number): Sequential | null {
  if (stride === 1 && inChannels === outChannels) return null;
  return new Sequential(conv(inChannels, outChannels, 1, { stride }), new BatchNorm2d(outChannels));
}

/** A kind of residual block: its constructor takes the channels coming in, its width, and the stride. */
export interface BlockType {
  new (inChannels: number, channels: number, stride: number): Block;
  /** Channels going out, as a multiple of the width. */
  readonly expansion: number;
}

/** `blocks` blocks of one width; the stride is in the first. */
export function stage(
  type: BlockType,
  blocks: number,
  inChannels: number,
  channels: number,
  stride: number,
): Sequential {
  const outChannels = channels * type.expansion;
  return new Sequential(
    ...Array.from({ length: blocks }, (_, i) =>
      i === 0 ? new type(inChannels, channels, stride) : new type(outChannels, channels, 1),
    ),
  );
}

/** Run stages of blocks one after the other: each one's tap, and the last one's output. */
export function runStages(
  stages: readonly Sequential[],
  input: Tensor,
  preact: boolean,
): { taps: Tensor[]; output: Tensor } {
  const taps: Tensor[] = [];
  let value = input;
  for (const blocks of stages) {
    if (!preact) {
      value = blocks.forward(value);
      taps.push(value);
      continue;
    }
    const last = blocks.modules.at(-1) as Block;
    const entry = forwardAll(blocks.modules.slice(0, -1), value);
    const before = last.preact(entry);
    taps.push(before);
    value = last.activate(before);
  }
  return { taps, output: value };
}
