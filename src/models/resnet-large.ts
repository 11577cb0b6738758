/**
 * @file ResNet18 and ResNet50 of ImageNet's widths for small images, as defined in RepDistiller (its names, with a capital R to
 * tell them from resnet18 and resnet50): a 3x3 stem of stride 1 and no max-pool. Taps: stem, four stages, pooled vector.
 */
import { AdaptiveAvgPool2d, BatchNorm2d, type Conv2d, Linear, type Module, type Sequential } from '../nn/index.ts';
import type { Tensor } from '../torch/index.ts';
import { convNormRelu, type Features, ImageModel, type ModelOptions } from './image-model.ts';
import { BasicBlock, type BlockType, Bottleneck, conv, runStages, stage } from './stages.ts';

/** The projection is called `shortcut` in these networks' state dicts. */
function* renamed(children: Iterable<[string, Module]>): Generator<[string, Module]> {
  for (const [name, child] of children) yield [name === 'downsample' ? 'shortcut' : name, child];
}

class BasicBlockShortcut extends BasicBlock {
  override *children(): Generator<[string, Module]> {
    yield* renamed(super.children());
  }
}

class BottleneckShortcut extends Bottleneck {
  override *children(): Generator<[string, Module]> {
    yield* renamed(super.children());
  }
}

const layouts: Record<18 | 50, { type: BlockType; blocks: readonly [number, number, number, number] }> = {
  18: { type: BasicBlockShortcut, blocks: [2, 2, 2, 2] },
  50: { type: BottleneckShortcut, blocks: [3, 4, 6, 3] },
};

export interface LargeResNetOptions extends ModelOptions {
  depth: keyof typeof layouts;
}

export class LargeResNet extends ImageModel {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly layer1: Sequential;
  readonly layer2: Sequential;
  readonly layer3: Sequential;
  readonly layer4: Sequential;
  readonly avgpool = new AdaptiveAvgPool2d(1);
  readonly linear: Linear;

  constructor({ depth, classes }: LargeResNetOptions) {
    super(classes);
    const { type, blocks } = layouts[depth];
    const wide = type.expansion;
    this.conv1 = conv(3, 64, 3, { padding: 1 });
    this.bn1 = new BatchNorm2d(64);
    this.layer1 = stage(type, blocks[0], 64, 64, 1);
    this.layer2 = stage(type, blocks[1], 64 * wide, 128, 2);
    this.layer3 = stage(type, blocks[2], 128 * wide, 256, 2);
    this.layer4 = stage(type, blocks[3], 256 * wide, 512, 2);
    this.linear = new Linear(512 * wide, classes);
  }

  override *batchNormPairs(): Generator<[Conv2d, BatchNorm2d]> {
    yield [this.conv1, this.bn1];
  }

  protected compute(images: Tensor, preact: boolean): Features {
    const stem = convNormRelu(this.conv1, this.bn1, images);
    const { taps, output } = runStages([this.layer1, this.layer2, this.layer3, this.layer4], stem, preact);
    const pooled = this.avgpool.forward(output).flatten(1);
    return { logits: this.linear.forward(pooled), taps: [stem, ...taps, pooled] };
  }
}
