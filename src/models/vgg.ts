/**
 * @file VGG with batch norm and one linear layer: Simonyan and Zisserman, "Very Deep Convolutional Networks", 2015, as defined in
 * RepDistiller (its names; five blocks, the last ReLU of each outside it). The map is halved after blocks 0, 1 and 2, and after
 * block 3 for images of 64 pixels alone, as there: weights from elsewhere compute what they did. Taps: the five blocks after
 * ReLU, pooled vector; before activation: blocks 1 to 4 before it.
 */
import { UserError } from '../base/errors.ts';
import {
  AdaptiveAvgPool2d,
  BatchNorm2d,
  Conv2d,
  init,
  Linear,
  MaxPool2d,
  type Module,
  ReLU,
  Sequential,
} from '../nn/index.ts';
import type { Tensor } from '../torch/index.ts';
import { type Features, ImageModel, type ModelOptions } from './image-model.ts';

/** Number of 3x3 convolutions in each of the five blocks. */
const layouts = {
  8: [1, 1, 1, 1, 1],
  11: [1, 1, 2, 2, 2],
  13: [2, 2, 2, 2, 2],
  16: [2, 2, 3, 3, 3],
  19: [2, 2, 4, 4, 4],
} as const;
const widths = [64, 128, 256, 512, 512] as const;

function block(convolutions: number, inChannels: number, channels: number): Sequential {
  const layers: Module[] = [];
  for (let i = 0; i < convolutions; i++) {
    if (i > 0) layers.push(new ReLU({ inplace: true }));
    layers.push(
      new Conv2d(i === 0 ? inChannels : channels, channels, 3, { padding: 1, init: init.fanOutNormal }),
      new BatchNorm2d(channels),
    );
  }
  return new Sequential(...layers);
}

export interface VGGOptions extends ModelOptions {
  depth: keyof typeof layouts;
}

export class VGG extends ImageModel {
  readonly block0: Sequential;
  readonly block1: Sequential;
  readonly block2: Sequential;
  readonly block3: Sequential;
  readonly block4: Sequential;
  readonly pool = new MaxPool2d(2);
  readonly pool4 = new AdaptiveAvgPool2d(1);
  readonly classifier: Linear;

  constructor({ depth, classes }: VGGOptions) {
    super(classes);
    const layout = layouts[depth];
    this.block0 = block(layout[0], 3, widths[0]);
    this.block1 = block(layout[1], widths[0], widths[1]);
    this.block2 = block(layout[2], widths[1], widths[2]);
    this.block3 = block(layout[3], widths[2], widths[3]);
    this.block4 = block(layout[4], widths[3], widths[4]);
    this.classifier = new Linear(widths[4], classes, { init: init.smallNormal });
  }

  protected compute(images: Tensor, preact: boolean): Features {
    const [, , height, width] = images.shape as [number, number, number, number];
    if (Math.min(height, width) < 8) {
      throw new UserError(`VGG halves images three times; ${height} x ${width} pixels are too small for that`, {
        hint: 'it takes images from 8 x 8 pixels on; the other networks here take smaller ones',
      });
    }
    const halved = height === 64 ? 4 : 3;
    const taps: Tensor[] = [];
    let value = images;
    for (const [i, blocks] of [this.block0, this.block1, this.block2, this.block3, this.block4].entries()) {
      const before = blocks.forward(value);
      const keepBefore = preact && i > 0;
      const active = keepBefore ? before.relu() : before.relu_();
      taps.push(keepBefore ? before : active);
      value = i < halved ? this.pool.forward(active) : active;
    }
    const pooled = this.pool4.forward(value).flatten(1);
    return { logits: this.classifier.forward(pooled), taps: [...taps, pooled] };
  }
}
