import { Linear, Module } from '../../nn/index.ts';
import { type Tensor, tidy } from '../../torch/index.ts';
import { unit } from './functions.ts';

/** A linear embedding of [B, n] (flattened), of length 1 if asked (RepDistiller's LinearEmbed and Embed). */
export class Embed extends Module {
  readonly linear: Linear;
  readonly normalize: boolean;

  constructor(inFeatures: number, outFeatures: number, options: { normalize?: boolean } = {}) {
    super();
    this.linear = new Linear(inFeatures, outFeatures);
    this.normalize = options.normalize ?? false;
  }

  forward(input: Tensor): Tensor {
    return tidy(() => {
      const embedded = this.linear.forward(input.flatten(1));
      return this.normalize ? unit(embedded, 1) : embedded;
    });
  }
}
