import { UserError } from '../base/errors.ts';
import { keep, noGrad, ops, type Tensor, tidy } from '../torch/index.ts';
import { native } from '../torch/native.ts';

export interface SGDOptions {
  lr: number;
  /** Default 0. */
  momentum?: number;
  /** Default 0. Acts on every parameter given, batch norm and biases included, as in the papers here. */
  weightDecay?: number;
  /** Default 0. */
  dampening?: number;
  nesterov?: boolean;
}

/**
 * Stochastic gradient descent with torch.optim.SGD's update rule, all parameters in one native pass a step:
 *
 *     d = gradient + weightDecay * p;  m = momentum * m + (1 - dampening) * d;  p -= lr * (nesterov ? d + momentum * m : m)
 *
 * A parameter's first gradient gives m = d. A parameter without a gradient is left alone, weight decay included. Owns its
 * momentum buffers: dispose it.
 */
export class SGD {
  lr: number;
  readonly momentum: number;
  readonly weightDecay: number;
  readonly dampening: number;
  readonly nesterov: boolean;
  #steps = 0;
  readonly #names: string[];
  readonly #parameters: Tensor[];
  readonly #buffers: Tensor[];
  /** Which parameters had a gradient before. Kept where dampening needs it. */
  readonly #started: boolean[] = [];

  constructor(parameters: ReadonlyMap<string, Tensor>, options: SGDOptions) {
    const { lr, momentum = 0, weightDecay = 0, dampening = 0, nesterov = false } = options;
    const positive = { lr, momentum, weightDecay };
    for (const [name, value] of Object.entries(positive)) {
      if (!(value >= 0 && Number.isFinite(value)))
        throw new UserError(`SGD: ${name} must be a number >= 0, got ${value}`);
    }
    if (nesterov && (momentum === 0 || dampening !== 0)) {
      throw new UserError('SGD: Nesterov momentum needs a momentum and no dampening');
    }
    this.lr = lr;
    this.momentum = momentum;
    this.weightDecay = weightDecay;
    this.dampening = dampening;
    this.nesterov = nesterov;
    this.#names = [...parameters.keys()];
    this.#parameters = [...parameters.values()];
    this.#buffers = momentum === 0 ? [] : this.#parameters.map((p) => keep(noGrad(() => ops.zerosLike(p))));
  }

  /** Updates taken so far. */
  get steps(): number {
    return this.#steps;
  }

  step(): void {
    const all = [...this.#parameters.keys()];
    // Where nothing is damped, the rule gives m = d by itself: the buffers start at zero.
    if (this.dampening === 0 || this.momentum === 0) {
      this.#update(all, this.#steps === 0);
    } else {
      const first = all.filter((i) => !this.#started[i] && tidy(() => this.#parameters[i]!.grad !== null));
      for (const i of first) this.#started[i] = true;
      this.#update(first, true);
      this.#update(
        all.filter((i) => !first.includes(i)),
        false,
      );
    }
    this.#steps++;
  }

  #update(which: readonly number[], first: boolean): void {
    native().sgdStep(
      which.map((i) => this.#parameters[i]!.handle),
      this.#buffers.length === 0 ? [] : which.map((i) => this.#buffers[i]!.handle),
      first,
      this.lr,
      this.momentum,
      this.dampening,
      this.weightDecay,
      this.nesterov,
    );
  }

  zeroGrad(): void {
    native().clearGrads(this.#parameters.map((p) => p.handle));
  }

  /** The momentum buffers by parameter name. The tensors themselves, not copies. */
  stateDict(): Map<string, Tensor> {
    return new Map(this.#buffers.map((buffer, i) => [this.#names[i]!, buffer]));
  }

  /**
   * Continue where another optimizer of the same parameters stopped after `steps` updates. All or nothing.
   *
   * @throws UserError naming the parameter whose momentum is missing or of another shape
   */
  loadStateDict(state: ReadonlyMap<string, Tensor>, steps: number): void {
    const sources = this.#buffers.map((buffer, i) => {
      const name = this.#names[i]!;
      const source = state.get(name);
      if (!source) throw new UserError(`the checkpoint has no momentum for ${name}`);
      const [expected, found] = [buffer.shape.join(', '), source.shape.join(', ')];
      if (expected !== found)
        throw new UserError(`the momentum of ${name} is [${found}], the parameter is [${expected}]`);
      return source;
    });
    for (const [i, buffer] of this.#buffers.entries()) {
      noGrad(() => tidy(() => buffer.copy_(sources[i]!)));
      if (this.dampening !== 0) this.#started[i] = tidy(() => buffer.abs().sum().item() > 0);
    }
    this.#steps = steps;
  }

  /** Forget all momentum: as a new optimizer of the same parameters. */
  reset(): void {
    noGrad(() => tidy(() => this.#buffers.forEach((buffer) => void buffer.zero_())));
    this.#started.length = 0;
    this.#steps = 0;
  }

  dispose(): void {
    for (const buffer of this.#buffers) buffer.dispose();
  }
}
