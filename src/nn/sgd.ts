import { UserError } from '../base/errors.ts';
import { ops, type Tensor, tidy } from '../torch/index.ts';
import { native } from '../torch/native.ts';
import { checkPositive, Optimizer } from './optimizer.ts';

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
 * A parameter's first gradient gives m = d.
 */
export class SGD extends Optimizer {
  readonly momentum: number;
  readonly weightDecay: number;
  readonly dampening: number;
  readonly nesterov: boolean;
  /** Which parameters had a gradient before. Kept where dampening needs it. */
  readonly #started: boolean[] = [];

  constructor(parameters: ReadonlyMap<string, Tensor>, options: SGDOptions) {
    const { lr, momentum = 0, weightDecay = 0, dampening = 0, nesterov = false } = options;
    checkPositive('SGD', { lr, momentum, weightDecay });
    if (nesterov && (momentum === 0 || dampening !== 0)) {
      throw new UserError('SGD: Nesterov momentum needs a momentum and no dampening');
    }
    super(parameters, lr, momentum === 0 ? {} : { momentum: (parameter) => ops.zerosLike(parameter) });
    this.momentum = momentum;
    this.weightDecay = weightDecay;
    this.dampening = dampening;
    this.nesterov = nesterov;
  }

  protected update(): void {
    const all = [...this.parameters.keys()];
    // Where nothing is damped, the rule gives m = d by itself: the buffers start at zero.
    if (this.dampening === 0 || this.momentum === 0) {
      this.#pass(all, this.steps === 0);
      return;
    }
    const first = all.filter((i) => !this.#started[i] && tidy(() => this.parameters[i]!.grad !== null));
    for (const i of first) this.#started[i] = true;
    this.#pass(first, true);
    this.#pass(
      all.filter((i) => !first.includes(i)),
      false,
    );
  }

  #pass(which: readonly number[], first: boolean): void {
    const buffers = this.part('momentum');
    native().sgdStep(
      which.map((i) => this.parameters[i]!.handle),
      buffers.length === 0 ? [] : which.map((i) => buffers[i]!.handle),
      first,
      this.lr,
      this.momentum,
      this.dampening,
      this.weightDecay,
      this.nesterov,
    );
  }

  override loadStateDict(state: ReadonlyMap<string, Tensor>, steps: number): void {
    super.loadStateDict(state, steps);
    if (this.dampening === 0) return;
    for (const [i, buffer] of this.part('momentum').entries()) {
      this.#started[i] = tidy(() => buffer.abs().sum().item() > 0);
    }
  }

  override reset(): void {
    super.reset();
    this.#started.length = 0;
  }
}
