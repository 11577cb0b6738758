/**
 * @file Wide ResNets: Zagoruyko and Komodakis, "Wide Residual Networks", 2016, as defined in RepDistiller (its names, no dropout).
 * 6n + 4 layers; batch norm and ReLU come before each convolution. Taps: raw stem, three raw stages (before any batch norm or
 * ReLU), pooled vector; before activation: each stage after the batch norm that follows it. RepDistiller runs that batch norm
 * once more for the tap, which moves its running statistics twice in training; here it runs once.
 */
import {
  AdaptiveAvgPool2d,
  BatchNorm2d,
  type Conv2d,
  forwardAll,
  init,
  Linear,
  Module,
  Sequential,
} from '../nn/index.ts';
import { type Tensor, tidy } from '../torch/index.ts';
import { convNormRelu, type Features, freeing, ImageModel, type ModelOptions } from './image-model.ts';
import { conv } from './stages.ts';

class WideBlock extends Module {
  readonly bn1: BatchNorm2d;
  readonly conv1: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly convShortcut: Conv2d | null;

  constructor(inChannels: number, channels: number, stride: number) {
    super();
    this.bn1 = new BatchNorm2d(inChannels);
    this.conv1 = conv(inChannels, channels, 3, { stride, padding: 1 });
    this.bn2 = new BatchNorm2d(channels);
    this.conv2 = conv(channels, channels, 3, { padding: 1 });
    this.convShortcut = inChannels === channels ? null : conv(inChannels, channels, 1, { stride });
  }

  override *batchNormPairs(): Generator<[Conv2d, BatchNorm2d]> {
    yield [this.conv1, this.bn2];
  }

  /** The rest of the block, from its input and that input after `bn1` and ReLU. */
  finish(input: Tensor, active: Tensor): Tensor {
    return tidy(() => {
      const hidden = convNormRelu(this.conv1, this.bn2, active);
      return this.conv2.forward(hidden).add_(this.convShortcut?.forward(active) ?? input);
    });
  }

  forward(input: Tensor): Tensor {
    return freeing(this.bn1.forwardRelu(input), (active) => this.finish(input, active));
  }
}

class WideStage extends Module {
  readonly layer: Sequential;

  constructor(blocks: number, inChannels: number, channels: number, stride: number) {
    super();
    this.layer = new Sequential(
      ...Array.from({ length: blocks }, (_, i) =>
        i === 0 ? new WideBlock(inChannels, channels, stride) : new WideBlock(channels, channels, 1),
      ),
    );
  }

  forward(input: Tensor): Tensor {
    return this.layer.forward(input);
  }

  /** The output, and the input after the first block's batch norm. */
  forwardNormed(input: Tensor): { normed: Tensor; output: Tensor } {
    const first = this.layer.modules[0] as WideBlock;
    const normed = first.bn1.forward(input);
    const output = tidy(() => forwardAll(this.layer.modules.slice(1), first.finish(input, normed.relu())));
    return { normed, output };
  }
}

export interface WideResNetOptions extends ModelOptions {
  depth: number;
  /** How many times wider than 16, 32, 64 the stages are. */
  widen: number;
}

export class WideResNet extends ImageModel {
  readonly conv1: Conv2d;
  readonly block1: WideStage;
  readonly block2: WideStage;
  readonly block3: WideStage;
  readonly bn1: BatchNorm2d;
  readonly avgpool = new AdaptiveAvgPool2d(1);
  readonly fc: Linear;

  constructor({ depth, widen, classes }: WideResNetOptions) {
    super(classes);
    if ((depth - 4) % 6 !== 0) throw new TypeError(`a wide ResNet has 6n + 4 layers, not ${depth}`);
    const blocks = (depth - 4) / 6;
    const [first, second, third] = [16 * widen, 32 * widen, 64 * widen];
    this.conv1 = conv(3, 16, 3, { padding: 1 });
    this.block1 = new WideStage(blocks, 16, first, 1);
    this.block2 = new WideStage(blocks, first, second, 2);
    this.block3 = new WideStage(blocks, second, third, 2);
    this.bn1 = new BatchNorm2d(third);
    this.fc = new Linear(third, classes, { init: init.zeroBias });
  }

  protected compute(images: Tensor, preact: boolean): Features {
    const stem = this.conv1.forward(images);
    const first = this.block1.forward(stem);
    if (!preact) {
      const second = this.block2.forward(first);
      const third = this.block3.forward(second);
      return this.#head([stem, first, second, third], this.bn1.forwardRelu(third));
    }
    const second = this.block2.forwardNormed(first);
    const third = this.block3.forwardNormed(second.output);
    const last = this.bn1.forward(third.output);
    return this.#head([stem, second.normed, third.normed, last], last.relu());
  }

  #head(taps: Tensor[], output: Tensor): Features {
    const pooled = this.avgpool.forward(output).flatten(1);
    return { logits: this.fc.forward(pooled), taps: [...taps, pooled] };
  }
}
