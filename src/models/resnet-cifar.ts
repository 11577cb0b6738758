/**
 * @file ResNets for CIFAR: He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition", 2016, section 4.2, as defined in
 * RepDistiller (its names; shortcuts by 1x1 convolution; Kaiming fan-out). 6n + 2 layers; the x4 variants are wider from the
 * second layer on. Pools over the whole map, so other image sizes work. Taps: stem, three stages, pooled vector.
 */
import { AdaptiveAvgPool2d, BatchNorm2d, type Conv2d, Linear, type Sequential } from '../nn/index.ts';
import type { Tensor } from '../torch/index.ts';
import { convNormRelu, type Features, ImageModel, type ModelOptions } from './image-model.ts';
import { BasicBlock, conv, runStages, stage } from './stages.ts';

export interface ResNetOptions extends ModelOptions {
  depth: number;
  /** Channels of the stem and of the three stages. */
  widths: readonly [number, number, number, number];
}

export class ResNet extends ImageModel {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly layer1: Sequential;
  readonly layer2: Sequential;
  readonly layer3: Sequential;
  readonly avgpool = new AdaptiveAvgPool2d(1);
  readonly fc: Linear;

  constructor({ depth, widths, classes }: ResNetOptions) {
    super(classes);
    if ((depth - 2) % 6 !== 0) throw new TypeError(`a CIFAR ResNet has 6n + 2 layers, not ${depth}`);
    const blocks = (depth - 2) / 6;
    const [stem, first, second, third] = widths;
    this.conv1 = conv(3, stem, 3, { padding: 1 });
    this.bn1 = new BatchNorm2d(stem);
    this.layer1 = stage(BasicBlock, blocks, stem, first, 1);
    this.layer2 = stage(BasicBlock, blocks, first, second, 2);
    this.layer3 = stage(BasicBlock, blocks, second, third, 2);
    this.fc = new Linear(third, classes);
  }

  override *batchNormPairs(): Generator<[Conv2d, BatchNorm2d]> {
    yield [this.conv1, this.bn1];
  }

  protected compute(images: Tensor, preact: boolean): Features {
    const stem = convNormRelu(this.conv1, this.bn1, images);
    const { taps, output } = runStages([this.layer1, this.layer2, this.layer3], stem, preact);
    const pooled = this.avgpool.forward(output).flatten(1);
    return { logits: this.fc.forward(pooled), taps: [stem, ...taps, pooled] };
  }
}
