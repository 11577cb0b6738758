/** @file Any network as one that can teach and be taught: its own weights and names, feature taps by module path. */
import { UserError } from '../base/errors.ts';
import { Conv2d, Linear, type LoadReport, type Module, observe } from '../nn/index.ts';
import { keep, type MemoryFormat, type Tensor, tidy } from '../torch/index.ts';
import type { Stream } from '../torch/random.ts';
import { type Features, ImageModel } from './image-model.ts';
import { tapModel } from './taps.ts';

export interface TappedOptions {
  /** Number of classes. */
  classes: number;
  /** Paths of the modules whose outputs are the taps, first the stem, then the stages: `['conv1', 'layer1', 'layer2']`. */
  taps?: readonly string[];
}

/**
 * A network around another that adds feature taps and nothing else: state dict, modules and parameters are the other's own,
 * without a name before theirs. Disposing it disposes the other.
 *
 * Taps are what the modules at `taps` return, in that order; a map of one pixel [N, C, 1, 1] counts as the vector [N, C].
 * Losses expect the pooled vector last. Where the last tap is no vector, what the classifier (the last linear layer to run)
 * is given is added.
 *
 * @throws UserError for an unknown path, naming the nearest
 */
export class TappedModel extends ImageModel {
  readonly #network: Module;
  readonly #taps: readonly string[];
  readonly #linear: readonly string[];

  constructor(network: Module, { classes, taps = [] }: TappedOptions) {
    super(classes);
    for (const path of taps) {
      const module = network.getSubmodule(path);
      // In a teacher batch norm is folded into the convolutions, whose output would be another.
      if (module instanceof Conv2d) module.foldable = false;
    }
    this.#network = network;
    this.#taps = taps;
    this.#linear = [...network.namedModules()].flatMap(([path, module]) => (module instanceof Linear ? [path] : []));
    // Fields of the base class, which would otherwise hide the network's own.
    for (const field of ['training', 'folded'] as const) {
      Object.defineProperty(this, field, {
        get: () => network[field],
        set: (value: boolean) => {
          network[field] = value;
        },
      });
    }
  }

  /** The network inside. */
  get network(): Module {
    return this.#network;
  }

  protected override compute(images: Tensor, preact: boolean): Features {
    if (preact) {
      throw new UserError(`${this.#network.constructor.name} has no taps before the last ReLU: its taps are paths`, {
        hint: 'leave the taps out if the network has its own, or choose a loss that does not read them there',
      });
    }
    let pooled: Tensor | undefined;
    const watch = ({ input }: { input: Tensor }): void => {
      pooled?.dispose();
      pooled = keep(input.clone());
    };
    try {
      const run = tapModel(this.#network, this.#taps);
      const found = observe(this.#network, this.#linear, watch, () => run(images));
      const taps = found.taps.map((tap) => (isPixel(tap) ? tap.flatten(1) : tap));
      if (taps.at(-1)?.ndim !== 2 && pooled?.ndim === 2) taps.push(pooled.view(pooled.shape));
      return { logits: found.logits, taps };
    } finally {
      pooled?.dispose();
    }
  }

  override forward(images: Tensor): Tensor {
    return tidy(() => this.#network.forward(images));
  }

  // Everything else is the network's own.
  override children(): Generator<[string, Module]> {
    return this.#network.children();
  }
  override batchNormPairs(): ReturnType<Module['batchNormPairs']> {
    return this.#network.batchNormPairs();
  }
  override namedModules(prefix?: string): Generator<[string, Module]> {
    return this.#network.namedModules(prefix);
  }
  override getSubmodule(path: string): Module {
    return this.#network.getSubmodule(path);
  }
  override apply(fn: (module: Module) => void): this {
    this.#network.apply(fn);
    return this;
  }
  override namedParameters(): Map<string, Tensor> {
    return this.#network.namedParameters();
  }
  override namedBuffers(): Map<string, Tensor> {
    return this.#network.namedBuffers();
  }
  override parameters(): Tensor[] {
    return this.#network.parameters();
  }
  override parameterCount(): number {
    return this.#network.parameterCount();
  }
  override stateDict(): Map<string, Tensor> {
    return this.#network.stateDict();
  }
  override compareStateDict(state: ReadonlyMap<string, { shape: readonly number[] }>): LoadReport {
    return this.#network.compareStateDict(state);
  }
  override loadStateDict(
    state: ReadonlyMap<string, Tensor>,
    options?: { strict?: boolean; from?: string },
  ): LoadReport {
    return this.#network.loadStateDict(state, options);
  }
  override train(mode?: boolean): this {
    this.#network.train(mode);
    return this;
  }
  override eval(): this {
    this.#network.eval();
    return this;
  }
  override freeze(): this {
    this.#network.freeze();
    return this;
  }
  override to(target: { device?: string; memoryFormat?: MemoryFormat }): this {
    this.#network.to(target);
    return this;
  }
  override resetParameters(stream: Stream): void {
    this.#network.resetParameters(stream);
  }
  override zeroGrad(): void {
    this.#network.zeroGrad();
  }
  override dispose(): void {
    this.#network.dispose();
  }
  override extraRepr(): string {
    return this.#network.extraRepr();
  }
  override toString(): string {
    return this.#network.toString();
  }
}

const isPixel = ({ shape }: Tensor): boolean => shape.length === 4 && shape[2] === 1 && shape[3] === 1;
