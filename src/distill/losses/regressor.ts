/** @file The convolution that brings a student's map to the shape of the teacher's, for hint and ab (RepDistiller's ConvReg). */
import { UserError } from '../../base/errors.ts';
import { BatchNorm2d, Conv2d, ConvTranspose2d, Module } from '../../nn/index.ts';
import { type Tensor, tidy } from '../../torch/index.ts';

/**
 * conv, batch norm and ReLU: 3x3 with stride 2 where the student's map is twice as high, transposed 4x4 with stride 2 where it is
 * half as high, else of size 1 + student height - teacher height.
 */
export class ConvRegressor extends Module {
  readonly conv: Conv2d | ConvTranspose2d;
  readonly bn: BatchNorm2d;
  readonly relu: boolean;

  constructor(conv: Conv2d | ConvTranspose2d, relu: boolean) {
    super();
    this.conv = conv;
    this.bn = new BatchNorm2d(conv.outChannels);
    this.relu = relu;
  }

  forward(input: Tensor): Tensor {
    return tidy(() => {
      const mapped = this.conv.forward(input);
      return this.relu ? this.bn.forwardRelu(mapped) : this.bn.forward(mapped);
    });
  }
}

/** The regressor from a map of shape [C, H, W] to another. `from` and `to` name the taps in the error for sizes it cannot do. */
export function convRegressor(
  student: readonly number[],
  teacher: readonly number[],
  { relu, from, to }: { relu: boolean; from: string; to: string },
): ConvRegressor {
  const [sc = 0, sh = 0, sw = 0] = student;
  const [tc = 0, th = 0, tw = 0] = teacher;
  if (sh === 2 * th && sw === 2 * tw) {
    return new ConvRegressor(new Conv2d(sc, tc, 3, { stride: 2, padding: 1 }), relu);
  }
  if (2 * sh === th && 2 * sw === tw) {
    return new ConvRegressor(new ConvTranspose2d(sc, tc, 4, { stride: 2, padding: 1 }), relu);
  }
  if (sh >= th && sh - th === sw - tw) return new ConvRegressor(new Conv2d(sc, tc, 1 + sh - th), relu);
  throw new UserError(`no convolution brings ${from} to the size of ${to}`, {
    hint: 'the student’s map must be half as high as the teacher’s, or not smaller; try another tap, or at, nst, vid, which pool',
  });
}
