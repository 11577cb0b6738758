/**
 * @file ShuffleNetV2 for small images: Ma et al., "ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture Design",
 * 2018, as defined in RepDistiller (its names; a 1x1 stem of stride 1). Taps: stem, three stages, pooled vector; before
 * activation: the untouched half beside the other half before its ReLU, not shuffled.
 */
import { AdaptiveAvgPool2d, BatchNorm2d, Conv2d, Linear, Sequential } from '../nn/index.ts';
import { cat, type Tensor, tidy } from '../torch/index.ts';
import { channelShuffle } from './channel-shuffle.ts';
import { convNorm, convNormRelu, type Features, freeing, ImageModel, type ModelOptions } from './image-model.ts';
import { Block, runStages } from './stages.ts';

const pointwise = (inChannels: number, channels: number): Conv2d =>
  new Conv2d(inChannels, channels, 1, { bias: false });
const depthwise = (channels: number, stride: number): Conv2d =>
  new Conv2d(channels, channels, 3, { stride, padding: 1, groups: channels, bias: false });

/** Works on half of the channels and leaves the others alone. */
class SplitBlock extends Block {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly conv3: Conv2d;
  readonly bn3: BatchNorm2d;
  readonly half: number;

  constructor(channels: number) {
    super();
    this.half = Math.trunc(channels / 2);
    this.conv1 = pointwise(this.half, this.half);
    this.bn1 = new BatchNorm2d(this.half);
    this.conv2 = depthwise(this.half, 1);
    this.bn2 = new BatchNorm2d(this.half);
    this.conv3 = pointwise(this.half, this.half);
    this.bn3 = new BatchNorm2d(this.half);
  }

  override *batchNormPairs(): Generator<[Conv2d, BatchNorm2d]> {
    yield [this.conv1, this.bn1];
    yield [this.conv2, this.bn2];
    yield [this.conv3, this.bn3];
  }

  #halves(input: Tensor): [untouched: Tensor, other: Tensor] {
    return [input.narrow(1, 0, this.half), input.narrow(1, this.half, this.half)];
  }

  /** The other half up to its last convolution's input. */
  #branch(other: Tensor): Tensor {
    return freeing(convNormRelu(this.conv1, this.bn1, other), (value) => convNorm(this.conv2, this.bn2, value));
  }

  preact(input: Tensor): Tensor {
    return tidy(() => {
      const [untouched, other] = this.#halves(input);
      return cat([untouched, convNorm(this.conv3, this.bn3, this.#branch(other))], 1);
    });
  }

  override activate(value: Tensor): Tensor {
    return tidy(() => {
      const [untouched, other] = this.#halves(value);
      return channelShuffle(cat([untouched, other.relu()], 1), 2);
    });
  }

  override forward(input: Tensor): Tensor {
    return tidy(() => {
      const [untouched, other] = this.#halves(input);
      const changed = convNormRelu(this.conv3, this.bn3, this.#branch(other));
      return channelShuffle(cat([untouched, changed], 1), 2);
    });
  }
}

/** Halves the map: two branches on all channels, side by side. */
class DownBlock extends Block {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly conv3: Conv2d;
  readonly bn3: BatchNorm2d;
  readonly conv4: Conv2d;
  readonly bn4: BatchNorm2d;
  readonly conv5: Conv2d;
  readonly bn5: BatchNorm2d;

  constructor(inChannels: number, channels: number) {
    super();
    const half = Math.trunc(channels / 2);
    this.conv1 = depthwise(inChannels, 2);
    this.bn1 = new BatchNorm2d(inChannels);
    this.conv2 = pointwise(inChannels, half);
    this.bn2 = new BatchNorm2d(half);
    this.conv3 = pointwise(inChannels, half);
    this.bn3 = new BatchNorm2d(half);
    this.conv4 = depthwise(half, 2);
    this.bn4 = new BatchNorm2d(half);
    this.conv5 = pointwise(half, half);
    this.bn5 = new BatchNorm2d(half);
  }

  override *batchNormPairs(): Generator<[Conv2d, BatchNorm2d]> {
    yield [this.conv1, this.bn1];
    yield [this.conv2, this.bn2];
    yield [this.conv3, this.bn3];
    yield [this.conv4, this.bn4];
    yield [this.conv5, this.bn5];
  }

  preact(input: Tensor): Tensor {
    return tidy(() => {
      const left = freeing(convNorm(this.conv1, this.bn1, input), (value) => convNorm(this.conv2, this.bn2, value));
      const wide = convNormRelu(this.conv3, this.bn3, input);
      const small = freeing(wide, (value) => convNorm(this.conv4, this.bn4, value));
      return cat([left, convNorm(this.conv5, this.bn5, small)], 1);
    });
  }

  override activate(value: Tensor): Tensor {
    return tidy(() => channelShuffle(value.relu(), 2));
  }

  override forward(input: Tensor): Tensor {
    return tidy(() => channelShuffle(this.preact(input).relu_(), 2));
  }
}

export interface ShuffleNetV2Options extends ModelOptions {
  /** Channels of the three stages and of the last convolution. Default 116, 232, 464, 1024: width 1. */
  widths?: readonly [number, number, number, number];
}

export class ShuffleNetV2 extends ImageModel {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly layer1: Sequential;
  readonly layer2: Sequential;
  readonly layer3: Sequential;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly avgpool = new AdaptiveAvgPool2d(1);
  readonly linear: Linear;

  constructor({ classes, widths = [116, 232, 464, 1024] }: ShuffleNetV2Options) {
    super(classes);
    const stage = (blocks: number, inChannels: number, channels: number): Sequential =>
      new Sequential(
        new DownBlock(inChannels, channels),
        ...Array.from({ length: blocks }, () => new SplitBlock(channels)),
      );
    const [first, second, third, last] = widths;
    this.conv1 = pointwise(3, 24);
    this.bn1 = new BatchNorm2d(24);
    this.layer1 = stage(3, 24, first);
    this.layer2 = stage(7, first, second);
    this.layer3 = stage(3, second, third);
    this.conv2 = pointwise(third, last);
    this.bn2 = new BatchNorm2d(last);
    this.linear = new Linear(last, classes);
  }

  override *batchNormPairs(): Generator<[Conv2d, BatchNorm2d]> {
    yield [this.conv1, this.bn1];
    yield [this.conv2, this.bn2];
  }

  protected compute(images: Tensor, preact: boolean): Features {
    const stem = convNormRelu(this.conv1, this.bn1, images);
    const { taps, output } = runStages([this.layer1, this.layer2, this.layer3], stem, preact);
    const pooled = tidy(() => this.avgpool.forward(convNormRelu(this.conv2, this.bn2, output)).flatten(1));
    return { logits: this.linear.forward(pooled), taps: [stem, ...taps, pooled] };
  }
}
