/** @file What optimizers share: parameters by name, what is remembered of each, saving and loading it. */
import { UserError } from '../base/errors.ts';
import { keep, noGrad, type Tensor, tidy } from '../torch/index.ts';
import { native } from '../torch/native.ts';

/** What an optimizer remembers of each parameter, by PyTorch's name, and how it begins. */
export type StateParts = Readonly<Record<string, (parameter: Tensor) => Tensor>>;

/** Updates parameters from their gradients. Owns what it remembers of them: dispose it. */
export abstract class Optimizer {
  lr: number;
  readonly parameters: readonly Tensor[];
  readonly #names: readonly string[];
  readonly #parts: ReadonlyMap<string, readonly Tensor[]>;
  #steps = 0;

  constructor(parameters: ReadonlyMap<string, Tensor>, lr: number, parts: StateParts) {
    this.lr = lr;
    this.#names = [...parameters.keys()];
    this.parameters = [...parameters.values()];
    this.#parts = new Map(
      Object.entries(parts).map(([part, begin]) => [
        part,
        this.parameters.map((parameter) => keep(tidy(() => noGrad(() => begin(parameter))))),
      ]),
    );
  }

  /** Updates taken so far. */
  get steps(): number {
    return this.#steps;
  }

  /** One update. A parameter without a gradient is left alone, weight decay included. */
  step(): void {
    this.update();
    this.#steps++;
  }

  protected abstract update(): void;

  /** What is remembered under a name, parameter by parameter; empty where there is no such part. */
  protected part(name: string): readonly Tensor[] {
    return this.#parts.get(name) ?? [];
  }

  zeroGrad(): void {
    native().clearGrads(this.parameters.map((parameter) => parameter.handle));
  }

  *#state(): Generator<[part: string, name: string, tensor: Tensor]> {
    for (const [part, tensors] of this.#parts) {
      for (const [i, tensor] of tensors.entries()) yield [part, this.#names[i]!, tensor];
    }
  }

  /** What is remembered, as `momentum.conv1.weight`. The tensors themselves, not copies. */
  stateDict(): Map<string, Tensor> {
    return new Map([...this.#state()].map(([part, name, tensor]) => [`${part}.${name}`, tensor]));
  }

  /**
   * Continue where another optimizer of the same kind and parameters stopped after `steps` updates. All or nothing.
   *
   * @throws UserError naming the parameter of which something is missing or of another shape
   */
  loadStateDict(state: ReadonlyMap<string, Tensor>, steps: number): void {
    const pairs = [...this.#state()].map(([part, name, target]) => {
      const source = state.get(`${part}.${name}`);
      if (!source) throw new UserError(`the checkpoint has no ${part} for ${name}`);
      const [expected, found] = [target.shape.join(', '), source.shape.join(', ')];
      if (expected !== found) {
        throw new UserError(`the ${part} of ${name} is [${found}], the parameter is [${expected}]`);
      }
      return { target, source };
    });
    noGrad(() => tidy(() => pairs.forEach(({ target, source }) => void target.copy_(source))));
    this.#steps = steps;
  }

  /** Forget everything: as a new optimizer of the same parameters. */
  reset(): void {
    noGrad(() => tidy(() => [...this.#state()].forEach(([, , tensor]) => void tensor.zero_())));
    this.#steps = 0;
  }

  dispose(): void {
    for (const [, , tensor] of this.#state()) tensor.dispose();
  }
}

/** @throws UserError naming the option that is not a number >= 0 */
export function checkPositive(optimizer: string, options: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(options)) {
    if (!(value >= 0 && Number.isFinite(value))) {
      throw new UserError(`${optimizer}: ${name} must be a number >= 0, got ${value}`);
    }
  }
}
