/**
 * @file ResNets for ImageNet: He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition", 2016, table 1, with
 * torchvision's names and layout (the stride of a bottleneck is in its 3x3 convolution), so that its weights load. Taps: stem
 * before the max-pool, four stages, pooled vector.
 */
import { AdaptiveAvgPool2d, BatchNorm2d, type Conv2d, Linear, MaxPool2d, type Sequential } from '../nn/index.ts';
import type { Tensor } from '../torch/index.ts';
import { convNormRelu, type Features, ImageModel, type ModelOptions } from './image-model.ts';
import { BasicBlock, type BlockType, Bottleneck, conv, runStages, stage } from './stages.ts';

const layouts: Record<18 | 34 | 50, { type: BlockType; blocks: readonly [number, number, number, number] }> = {
  18: { type: BasicBlock, blocks: [2, 2, 2, 2] },
  34: { type: BasicBlock, blocks: [3, 4, 6, 3] },
  50: { type: Bottleneck, blocks: [3, 4, 6, 3] },
};

export interface ImageNetResNetOptions extends ModelOptions {
  depth: keyof typeof layouts;
}

export class ImageNetResNet extends ImageModel {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly maxpool = new MaxPool2d(3, { stride: 2, padding: 1 });
  readonly layer1: Sequential;
  readonly layer2: Sequential;
  readonly layer3: Sequential;
  readonly layer4: Sequential;
  readonly avgpool = new AdaptiveAvgPool2d(1);
  readonly fc: Linear;

  constructor({ depth, classes }: ImageNetResNetOptions) {
    super(classes);
    const { type, blocks } = layouts[depth];
    const wide = type.expansion;
    this.conv1 = conv(3, 64, 7, { stride: 2, padding: 3 });
    this.bn1 = new BatchNorm2d(64);
    this.layer1 = stage(type, blocks[0], 64, 64, 1);
    this.layer2 = stage(type, blocks[1], 64 * wide, 128, 2);
    this.layer3 = stage(type, blocks[2], 128 * wide, 256, 2);
    this.layer4 = stage(type, blocks[3], 256 * wide, 512, 2);
    this.fc = new Linear(512 * wide, classes);
  }

  override *batchNormPairs(): Generator<[Conv2d, BatchNorm2d]> {
    yield [this.conv1, this.bn1];
  }

  protected compute(images: Tensor, preact: boolean): Features {
    const stem = convNormRelu(this.conv1, this.bn1, images);
    const entry = this.maxpool.forward(stem);
    const { taps, output } = runStages([this.layer1, this.layer2, this.layer3, this.layer4], entry, preact);
    const pooled = this.avgpool.forward(output).flatten(1);
    return { logits: this.fc.forward(pooled), taps: [stem, ...taps, pooled] };
  }
}
