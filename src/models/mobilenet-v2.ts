/**
 * @file MobileNetV2 for small images: Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", 2018, as
 * defined in RepDistiller (its names; width 0.5, expansion 6; ReLU, not ReLU6; the last convolution keeps its 1280 channels).
 * Taps: stem, blocks 1, 2, 4 and 6, pooled vector. A stage ends in no activation, so there is nothing before it to tap.
 */
import { AdaptiveAvgPool2d, BatchNorm2d, init, Linear, Module, ReLU, Sequential } from '../nn/index.ts';
import { type Tensor, tidy } from '../torch/index.ts';
import { type Features, ImageModel, type ModelOptions } from './image-model.ts';
import { conv } from './stages.ts';

class InvertedResidual extends Module {
  readonly conv: Sequential;
  readonly residual: boolean;

  constructor(inChannels: number, channels: number, stride: number, expansion: number) {
    super();
    const hidden = inChannels * expansion;
    this.residual = stride === 1 && inChannels === channels;
    this.conv = new Sequential(
      conv(inChannels, hidden, 1),
      new BatchNorm2d(hidden),
      new ReLU({ inplace: true }),
      conv(hidden, hidden, 3, { stride, padding: 1, groups: hidden }),
      new BatchNorm2d(hidden),
      new ReLU({ inplace: true }),
      conv(hidden, channels, 1),
      new BatchNorm2d(channels),
    );
  }

  forward(input: Tensor): Tensor {
    const output = this.conv.forward(input);
    return this.residual ? output.add_(input) : output;
  }
}

const convNormRelu = (inChannels: number, channels: number, kernelSize: number, stride: number): Sequential =>
  new Sequential(
    conv(inChannels, channels, kernelSize, { stride, padding: (kernelSize - 1) / 2 }),
    new BatchNorm2d(channels),
    new ReLU({ inplace: true }),
  );

/** Channels at width 1, number of blocks and stride of each of the seven stages; the first has no expansion. */
const settings = [
  [16, 1, 1],
  [24, 2, 1],
  [32, 3, 2],
  [64, 4, 2],
  [96, 3, 1],
  [160, 3, 2],
  [320, 1, 1],
] as const;

export interface MobileNetV2Options extends ModelOptions {
  /** Multiplies all channels but the last convolution's. Default 0.5. */
  width?: number;
  /** How many times wider a block is inside. Default 6. */
  expansion?: number;
}

export class MobileNetV2 extends ImageModel {
  readonly conv1: Sequential;
  readonly blocks: Sequential[];
  readonly conv2: Sequential;
  readonly avgpool = new AdaptiveAvgPool2d(1);
  readonly classifier: Sequential;

  constructor({ classes, width = 0.5, expansion = 6 }: MobileNetV2Options) {
    super(classes);
    let channels = Math.trunc(32 * width);
    this.conv1 = convNormRelu(3, channels, 3, 2);
    this.blocks = settings.map(([base, count, stride], stage) => {
      const width_ = Math.trunc(base * width);
      const blocks = Array.from({ length: count }, (_, i) => {
        const inChannels = i === 0 ? channels : width_;
        return new InvertedResidual(inChannels, width_, i === 0 ? stride : 1, stage === 0 ? 1 : expansion);
      });
      channels = width_;
      return new Sequential(...blocks);
    });
    this.conv2 = convNormRelu(channels, 1280, 1, 1);
    this.classifier = new Sequential(new Linear(1280, classes, { init: init.smallNormal }));
  }

  protected compute(images: Tensor): Features {
    const stem = this.conv1.forward(images);
    const taps = [stem];
    let value = stem;
    for (const [stage, blocks] of this.blocks.entries()) {
      value = blocks.forward(value);
      if ([1, 2, 4, 6].includes(stage)) taps.push(value);
    }
    const pooled = tidy(() => this.avgpool.forward(this.conv2.forward(value)).flatten(1));
    return { logits: this.classifier.forward(pooled), taps: [...taps, pooled] };
  }
}
