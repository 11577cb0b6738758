import { type Normalization, renormalizer } from '../augment/index.ts';
import type { FeatureOptions, Features, ImageModel } from '../models/index.ts';
import { foldBatchNorm } from '../nn/index.ts';
import { type Precision, withPrecision } from '../nn/precision.ts';
import { compileForward, type Program } from '../nn/program.ts';
import { bf16Support } from '../torch/cpu.ts';
import { getNumThreads, noGrad, type Tensor, tidy } from '../torch/index.ts';

/**
 * Something to learn from: a network here (`Teacher`), or a model of another framework that gives logits and nothing else.
 * Frozen: its outputs are a function of the images alone.
 */
export interface TeacherModel {
  readonly classes: number;
  /** float32 logits [B, classes], without gradients, of images normalised as the data's are. */
  logits(images: Tensor): Tensor;
  /** Logits and feature taps in one pass; absent where only logits can be had. Taps are in the precision it runs in. */
  features?(images: Tensor, options?: FeatureOptions): Features;
  dispose(): void;
}

export interface TeacherOptions {
  /** The normalisation it was trained with. */
  normalization: Normalization;
  /** The normalisation of the images it will be given. */
  inputNormalization: Normalization;
  precision: Precision;
  device?: string;
}

/**
 * A frozen network to learn from: in eval mode, without gradients, with its own normalisation, in nobody's optimizer and in
 * no student's checkpoint. Takes ownership of the network and folds its batch norm into its convolutions.
 */
export class Teacher implements TeacherModel {
  readonly classes: number;
  readonly #network: ImageModel;
  readonly #precision: Precision;
  readonly #device: string;
  readonly #renormalize: ((images: Tensor) => Tensor) | null;
  /** By the shape of an image: the network as a program, null where it cannot be one. */
  readonly #programs = new Map<string, Program | null>();

  constructor(network: ImageModel, options: TeacherOptions) {
    this.classes = network.classes;
    // Batch norm in eval mode is a scale and a shift: inside the convolutions it costs nothing.
    this.#network = foldBatchNorm(network.freeze().eval());
    this.#device = options.device ?? 'cpu';
    // Where bfloat16 is not in the processor, float32 is both more exact and many times faster, and nothing is trained here.
    const slow = options.precision === 'bf16' && this.#device === 'cpu' && !bf16Support().fast;
    this.#precision = slow ? 'fp32' : options.precision;
    this.#renormalize = renormalizer(options.inputNormalization, options.normalization);
  }

  /** float32 logits [B, classes] of normalised images. */
  logits(images: Tensor): Tensor {
    return tidy(() => this.#run(images, (input) => this.#forward(input)).to('float32'));
  }

  /** The same with the feature taps, stages before their last ReLU if asked for. */
  features(images: Tensor, options: FeatureOptions = {}): Features {
    return tidy(() => {
      const { logits, taps } = this.#run(images, (input) => this.#network.features(input, options));
      return { logits: logits.to('float32'), taps };
    });
  }

  /** Several threads share the images of a batch where they can, instead of each layer's work. */
  #forward(images: Tensor): Tensor {
    if (this.#device !== 'cpu' || getNumThreads() === 1) return this.#network.forward(images);
    const shape = images.shape.slice(1);
    const key = shape.join();
    let program = this.#programs.get(key);
    if (program === undefined) {
      program = compileForward((input) => this.#network.forward(input), shape);
      this.#programs.set(key, program);
    }
    return program ? program.run(images) : this.#network.forward(images);
  }

  #run<T>(images: Tensor, pass: (input: Tensor) => T): T {
    return tidy(() =>
      noGrad(() => {
        const input = this.#renormalize ? this.#renormalize(images) : images;
        return withPrecision(this.#precision, this.#device, () => pass(input));
      }),
    );
  }

  dispose(): void {
    for (const program of this.#programs.values()) program?.dispose();
    this.#programs.clear();
    this.#network.dispose();
  }
}
