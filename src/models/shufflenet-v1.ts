/**
 * @file ShuffleNet for small images: Zhang et al., "ShuffleNet: An Extremely Efficient CNN", 2018, as defined in RepDistiller
 * (its names; 3 groups; a 1x1 stem of stride 1; a ReLU after the depthwise convolution too, which the paper does not have).
 * Pools over the whole map, so other sizes than 32 pixels work. Taps: stem, three stages, pooled vector.
 */
import { AdaptiveAvgPool2d, AvgPool2d, BatchNorm2d, Conv2d, Linear, Sequential } from '../nn/index.ts';
import { cat, type Tensor, tidy } from '../torch/index.ts';
import { channelShuffle } from './channel-shuffle.ts';
import {
  convNorm,
  convNormAdd,
  convNormRelu,
  type Features,
  freeing,
  ImageModel,
  type ModelOptions,
} from './image-model.ts';
import { Block, runStages } from './stages.ts';

const stemChannels = 24;

class ShuffleBlock extends Block {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly conv3: Conv2d;
  readonly bn3: BatchNorm2d;
  /** Of stride 2: the pooled input is put beside the output instead of being added to it. */
  readonly shortcut: AvgPool2d | null;

  constructor(inChannels: number, channels: number, stride: number, groups: number) {
    super();
    const hidden = Math.trunc(channels / 4);
    this.conv1 = new Conv2d(inChannels, hidden, 1, { groups: inChannels === stemChannels ? 1 : groups, bias: false });
    this.bn1 = new BatchNorm2d(hidden);
    this.conv2 = new Conv2d(hidden, hidden, 3, { stride, padding: 1, groups: hidden, bias: false });
    this.bn2 = new BatchNorm2d(hidden);
    this.conv3 = new Conv2d(hidden, channels, 1, { groups, bias: false });
    this.bn3 = new BatchNorm2d(channels);
    this.shortcut = stride === 2 ? new AvgPool2d(3, { stride: 2, padding: 1 }) : null;
  }

  override *batchNormPairs(): Generator<[Conv2d, BatchNorm2d]> {
    yield [this.conv1, this.bn1];
    yield [this.conv2, this.bn2];
    yield [this.conv3, this.bn3];
  }

  preact(input: Tensor): Tensor {
    return tidy(() => {
      const narrow = freeing(convNormRelu(this.conv1, this.bn1, input), (v) => channelShuffle(v, this.conv1.groups));
      const hidden = freeing(narrow, (value) => convNormRelu(this.conv2, this.bn2, value));
      if (!this.shortcut) return convNormAdd(this.conv3, this.bn3, hidden, input);
      return cat([convNorm(this.conv3, this.bn3, hidden), this.shortcut.forward(input)], 1);
    });
  }
}

export interface ShuffleNetV1Options extends ModelOptions {
  /** Channels of the three stages. Default 240, 480, 960. */
  widths?: readonly [number, number, number];
  /** Default 3. */
  groups?: number;
}

export class ShuffleNetV1 extends ImageModel {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly layer1: Sequential;
  readonly layer2: Sequential;
  readonly layer3: Sequential;
  readonly avgpool = new AdaptiveAvgPool2d(1);
  readonly linear: Linear;

  constructor({ classes, widths = [240, 480, 960], groups = 3 }: ShuffleNetV1Options) {
    super(classes);
    const stage = (blocks: number, inChannels: number, channels: number): Sequential =>
      new Sequential(
        ...Array.from({ length: blocks }, (_, i) =>
          i === 0
            ? new ShuffleBlock(inChannels, channels - inChannels, 2, groups)
            : new ShuffleBlock(channels, channels, 1, groups),
        ),
      );
    this.conv1 = new Conv2d(3, stemChannels, 1, { bias: false });
    this.bn1 = new BatchNorm2d(stemChannels);
    this.layer1 = stage(4, stemChannels, widths[0]);
    this.layer2 = stage(8, widths[0], widths[1]);
    this.layer3 = stage(4, widths[1], widths[2]);
    this.linear = new Linear(widths[2], classes);
  }

  override *batchNormPairs(): Generator<[Conv2d, BatchNorm2d]> {
    yield [this.conv1, this.bn1];
  }

  protected compute(images: Tensor, preact: boolean): Features {
    const stem = convNormRelu(this.conv1, this.bn1, images);
    const { taps, output } = runStages([this.layer1, this.layer2, this.layer3], stem, preact);
    const pooled = this.avgpool.forward(output).flatten(1);
    return { logits: this.linear.forward(pooled), taps: [stem, ...taps, pooled] };
  }
}
