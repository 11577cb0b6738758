import { UserError } from '../base/errors.ts';
import { type BatchNorm2d, type Conv2d, Module } from '../nn/index.ts';
import { type Tensor, tidy } from '../torch/index.ts';

/** What a network computes on the way to its logits. */
export interface Features {
  /** [N, classes] */
  logits: Tensor;
  /** The feature taps in order: stem, the output of each stage, and last the pooled vector [N, channels]. */
  taps: Tensor[];
}

export interface FeatureOptions {
  /** Taps of the stages before their last ReLU, as margin-based losses want them. Stem and pooled vector stay as they are. */
  preact?: boolean;
}

export interface ModelOptions {
  /** Number of classes. */
  classes: number;
  /** Height and width of the images in pixels. Default 32. Every network here adapts to its input and needs no telling. */
  imageSize?: number;
}

/** A classifier of images [N, 3, H, W] that can return its feature taps. Every architecture here is one. */
export abstract class ImageModel extends Module {
  readonly classes: number;

  constructor(classes: number) {
    super();
    if (!Number.isInteger(classes) || classes < 1) {
      throw new UserError(`the number of classes must be a positive integer, got ${classes}`);
    }
    this.classes = classes;
  }

  /** What `features` returns, for normalised images. Runs inside a `tidy`. */
  protected abstract compute(images: Tensor, preact: boolean): Features;

  /**
   * Logits and taps of normalised images [N, 3, H, W]. Everything else that was made on the way is freed.
   *
   * @throws UserError if the input is not floating point images with three channels
   */
  features(images: Tensor, { preact = false }: FeatureOptions = {}): Features {
    checkImages(images);
    return tidy(() => this.compute(images, preact));
  }

  /** Logits [N, classes]. */
  forward(images: Tensor): Tensor {
    return tidy(() => this.features(images).logits);
  }
}

function checkImages(images: Tensor): void {
  const { shape, dtype } = images;
  if (shape.length !== 4 || shape[1] !== 3) {
    throw new UserError(`a model takes images [N, 3, H, W], got [${shape.join(', ')}]`, {
      hint: 'one image needs a batch dimension, and a grey one its channel three times',
    });
  }
  if (!/float/.test(dtype)) {
    throw new UserError(`a model takes normalised floating point images, got ${dtype}`, {
      hint: 'convert to float32, subtract the mean and divide by the standard deviation of the dataset',
    });
  }
}

/** norm(conv(input)). Frees the convolution's output at once; autograd keeps what it needs. */
export function convNorm(conv: Conv2d, norm: BatchNorm2d, input: Tensor): Tensor {
  return freeing(conv.forward(input), (value) => norm.forward(value));
}

/** ReLU(norm(conv(input))). */
export function convNormRelu(conv: Conv2d, norm: BatchNorm2d, input: Tensor): Tensor {
  return freeing(conv.forward(input), (value) => norm.forwardRelu(value));
}

/** norm(conv(input)) + residual. */
export function convNormAdd(conv: Conv2d, norm: BatchNorm2d, input: Tensor, residual: Tensor): Tensor {
  return freeing(conv.forward(input), (value) => norm.forwardAdd(value, residual));
}

/** `fn(value)`, and `value` freed unless it was handed back, as by a batch norm that is folded away. */
export function freeing(value: Tensor, fn: (value: Tensor) => Tensor): Tensor {
  const result = fn(value);
  if (result !== value) value.dispose();
  return result;
}
