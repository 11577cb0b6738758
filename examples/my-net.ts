/**
 * A network of your own, as a student:
 *   thrive distill --data synthetic --teacher TEACHER --student ./examples/my-net.ts --method at+kd \
 *     --student-taps stem,stage1,stage2,stage3
 *
 * The file exports a class that takes the number of classes, or a function that returns a Module. Taps are named by path, so a
 * forward pass is all there is to write; `thrive models ./examples/my-net.ts --layers` lists the paths.
 */
import { Module, type Tensor, tidy } from 'thrive';
import { AdaptiveAvgPool2d, BatchNorm2d, Conv2d, Linear, Sequential } from 'thrive/nn';

/** Two 3×3 convolutions beside a shortcut, which is a 1×1 convolution where the shape changes. */
class Residual extends Module {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly shortcut: Conv2d | null;

  constructor(input: number, output: number, stride: number) {
    super();
    this.conv1 = new Conv2d(input, output, 3, { stride, padding: 1, bias: false });
    this.bn1 = new BatchNorm2d(output);
    this.conv2 = new Conv2d(output, output, 3, { padding: 1, bias: false });
    this.bn2 = new BatchNorm2d(output);
    this.shortcut = stride > 1 || input !== output ? new Conv2d(input, output, 1, { stride, bias: false }) : null;
  }

  forward(input: Tensor): Tensor {
    // tidy frees what is made on the way; autograd keeps what it needs.
    return tidy(() => {
      const hidden = this.bn1.forward(this.conv1.forward(input)).relu_();
      const shortcut = this.shortcut ? this.shortcut.forward(input) : input;
      return this.bn2.forward(this.conv2.forward(hidden)).add_(shortcut).relu_();
    });
  }
}

export default class MyNet extends Module {
  readonly stem = new Sequential(new Conv2d(3, 8, 3, { padding: 1, bias: false }), new BatchNorm2d(8));
  readonly stage1 = new Residual(8, 16, 1);
  readonly stage2 = new Residual(16, 32, 2);
  readonly stage3 = new Residual(32, 64, 2);
  readonly pool = new AdaptiveAvgPool2d(1);
  readonly fc: Linear;

  constructor({ classes }: { classes: number }) {
    super();
    this.fc = new Linear(64, classes);
  }

  forward(images: Tensor): Tensor {
    return tidy(() => {
      let map = this.stem.forward(images).relu_();
      for (const stage of [this.stage1, this.stage2, this.stage3]) map = stage.forward(map);
      return this.fc.forward(this.pool.forward(map).flatten(1));
    });
  }
}
