/// <reference lib="esnext.disposable" preserve="true" />
import { UserError } from '../base/errors.ts';
import { nearest } from '../base/suggest.ts';
import { type DType, isFloating, keep, type MemoryFormat, noGrad, Tensor, tidy } from '../torch/index.ts';
import type { Stream } from '../torch/random.ts';
import { describeReport, type LoadReport } from './load-report.ts';
import { printModule } from './print.ts';

/** A module's own tensors are parameters (trained) or buffers (state such as running statistics). */
type Role = 'parameter' | 'buffer';
const roles = new WeakMap<Tensor, Role>();

/** Mark a tensor as a trained parameter of the module whose field it becomes. */
export function parameter(tensor: Tensor): Tensor {
  roles.set(tensor, 'parameter');
  return keep(tensor.requiresGrad_());
}

/** Mark a tensor as a buffer: saved with the module, not trained. */
export function buffer(tensor: Tensor): Tensor {
  roles.set(tensor, 'buffer');
  return keep(tensor);
}

/**
 * Base of all networks and layers, after torch.nn.Module. There is nothing to register: a module consists of what its public
 * fields hold, in the order in which they are declared.
 *
 * - a tensor made with `parameter` or `buffer` is part of its state; any other tensor is not
 * - a module is a child, and so are the elements of an array of modules (PyTorch's ModuleList)
 * - the path of fields is the name in the state dict, as in PyTorch: `layer1.0.conv1.weight`
 *
 * Fields named with `#` cannot be seen and must not hold any of these. A module or tensor that is held twice has a name
 * under each in the state dict, but is trained and counted once.
 *
 * @example
 * class Net extends Module {
 *   readonly conv = new Conv2d(3, 8, 3);
 *   readonly fc = new Linear(8, 10);
 *   forward(input: Tensor): Tensor {
 *     return tidy(() => this.fc.forward(this.conv.forward(input).relu_().mean([2, 3])));
 *   }
 * }
 */
export abstract class Module {
  /** Whether batch norm uses the batch's statistics and dropout drops. Set by `train()` and `eval()`. */
  training = true;
  /** Set by `foldBatchNorm`: the weights are no longer those of the architecture, so it is neither trained nor saved. */
  folded = false;

  abstract forward(input: Tensor): Tensor;

  /** Fields that are modules, with array elements as `name.0`, `name.1`, …. */
  *children(): Generator<[string, Module]> {
    for (const [name, value] of Object.entries(this)) {
      if (value instanceof Module) yield [name, value];
      else if (Array.isArray(value)) {
        for (const [i, item] of value.entries()) if (item instanceof Module) yield [`${name}.${i}`, item];
      }
    }
  }

  /** Each Conv2d whose output goes into one BatchNorm2d and nowhere else, with it: what `foldBatchNorm` may merge. */
  *batchNormPairs(): Generator<[conv: Module, norm: Module]> {}

  /** Every path to every module; one that is held twice comes twice. */
  *#paths(prefix: string, above: readonly Module[]): Generator<[string, Module]> {
    if (above.includes(this)) throw new TypeError(`${this.constructor.name} at '${prefix}' contains itself`);
    yield [prefix, this];
    const chain = [...above, this];
    for (const [name, child] of this.children()) yield* child.#paths(prefix ? `${prefix}.${name}` : name, chain);
  }

  /** This module and all below it, each once, with their paths; its own is the prefix (''). */
  *namedModules(prefix = ''): Generator<[string, Module]> {
    const seen = new Set<Module>();
    for (const [path, module] of this.#paths(prefix, [])) {
      if (seen.has(module)) continue;
      seen.add(module);
      yield [path, module];
    }
  }

  /**
   * The module at a path such as `layer3.4.bn2`; '' is this one.
   *
   * @throws UserError naming the nearest path
   */
  getSubmodule(path: string): Module {
    const all = new Map(this.#paths('', []));
    const found = all.get(path);
    if (found) return found;
    const paths = [...all.keys()].filter((known) => known !== '');
    const guess = nearest(path, paths);
    let holder = path;
    while (holder && !all.has(holder)) holder = holder.slice(0, Math.max(0, holder.lastIndexOf('.')));
    const inside = [...all.get(holder)!.children()].map(([name]) => name);
    throw new UserError(
      `${this.constructor.name} has no module '${path}'${guess ? `; did you mean '${guess}'?` : ''}`,
      { hint: `${holder || 'it'} holds ${inside.join(', ') || 'no modules'}` },
    );
  }

  /** Call `fn` with every module below this one and then with this one, as in PyTorch. */
  apply(fn: (module: Module) => void): this {
    for (const [, child] of this.children()) child.apply(fn);
    fn(this);
    return this;
  }

  *#tensors(role: Role): Generator<[string, Tensor]> {
    for (const [name, value] of Object.entries(this)) {
      if (value instanceof Tensor && roles.get(value) === role) yield [name, value];
    }
  }

  #named(role: Role): Map<string, Tensor> {
    const found = new Map<string, Tensor>();
    const seen = new Set<Tensor>();
    for (const [path, module] of this.namedModules()) {
      for (const [name, tensor] of module.#tensors(role)) {
        if (seen.has(tensor)) continue;
        seen.add(tensor);
        found.set(path ? `${path}.${name}` : name, tensor);
      }
    }
    return found;
  }

  /** Trained tensors by name, each once. The tensors themselves, not copies. */
  namedParameters(): Map<string, Tensor> {
    return this.#named('parameter');
  }

  /** State that is not trained, such as running statistics, by name, each once. */
  namedBuffers(): Map<string, Tensor> {
    return this.#named('buffer');
  }

  parameters(): Tensor[] {
    return [...this.namedParameters().values()];
  }

  /** Number of trained values. */
  parameterCount(): number {
    return this.parameters().reduce((sum, tensor) => sum + tensor.numel, 0);
  }

  #state(): Map<string, Tensor> {
    const all = new Map<string, Tensor>();
    for (const [path, module] of this.#paths('', [])) {
      for (const role of ['parameter', 'buffer'] as const) {
        for (const [name, tensor] of module.#tensors(role)) all.set(path ? `${path}.${name}` : name, tensor);
      }
    }
    return all;
  }

  #refuseFolded(what: string): void {
    for (const [, module] of this.namedModules()) {
      if (!module.folded) continue;
      throw new UserError(
        `this ${this.constructor.name} had its batch norm folded into its convolutions and cannot be ${what}`,
        { hint: 'make the model anew and load its weights; foldBatchNorm is for a network that only predicts' },
      );
    }
  }

  /**
   * Parameters and buffers in PyTorch's order and names. The tensors themselves, not copies.
   *
   * @throws UserError for a network that went through `foldBatchNorm`: its values would not fit the architecture
   */
  stateDict(): Map<string, Tensor> {
    this.#refuseFolded('saved or loaded');
    return this.#state();
  }

  /** How a state dict differs from this module's own, without loading it. */
  compareStateDict(state: ReadonlyMap<string, { shape: readonly number[] }>): LoadReport {
    const own = this.stateDict();
    const report: LoadReport = { missing: [], unexpected: [], mismatched: [] };
    for (const [name, tensor] of own) {
      const found = state.get(name);
      // Files from before PyTorch 0.4.1 have no batch counter; it does not influence anything computed.
      if (!found) {
        if (!name.endsWith('num_batches_tracked')) report.missing.push(name);
      } else if (tensor.shape.join() !== found.shape.join()) {
        report.mismatched.push({ name, expected: tensor.shape, found: [...found.shape] });
      }
    }
    for (const name of state.keys()) if (!own.has(name)) report.unexpected.push(name);
    return report;
  }

  /**
   * Copy a state dict's values into this module, converting dtype and device. All or nothing: a name or shape that does not
   * fit is an error that lists them, and nothing was loaded. `strict: false` loads what fits and returns the report.
   */
  loadStateDict(state: ReadonlyMap<string, Tensor>, options: { strict?: boolean; from?: string } = {}): LoadReport {
    const report = this.compareStateDict(state);
    const wrong = report.missing.length + report.unexpected.length + report.mismatched.length;
    if (wrong > 0 && options.strict !== false) {
      throw new UserError(
        `the weights${options.from ? ` in ${options.from}` : ''} do not fit this ${this.constructor.name}:\n${describeReport(report)}`,
        { hint: 'is it another architecture, or another number of classes?' },
      );
    }
    const skip = new Set(report.mismatched.map((m) => m.name));
    noGrad(() =>
      tidy(() => {
        for (const [name, tensor] of this.#state()) {
          const source = state.get(name);
          if (source && !skip.has(name)) tensor.copy_(source);
        }
      }),
    );
    return report;
  }

  /** Training mode, or evaluation mode for `train(false)`, for this module and all below it. */
  train(mode = true): this {
    if (mode) this.#refuseFolded('trained');
    for (const [, module] of this.namedModules()) module.training = mode;
    return this;
  }

  eval(): this {
    return this.train(false);
  }

  /** Stop training all parameters: no gradients are computed for them. */
  freeze(): this {
    for (const tensor of this.parameters()) tensor.requiresGrad = false;
    return this;
  }

  /**
   * Move to a device, memory format or floating point dtype, as PyTorch's: tensors that are not floating point (the batch counters)
   * keep their dtype. Do this before making an optimizer.
   *
   * @throws UserError for a dtype that is not floating point
   */
  to(target: { device?: string; memoryFormat?: MemoryFormat; dtype?: DType }): this {
    const { memoryFormat, dtype, ...rest } = target;
    if (dtype !== undefined && !isFloating(dtype)) {
      throw new UserError(`a module's dtype must be floating point, not ${dtype}`);
    }
    const moved = new Map<Tensor, Tensor>();
    for (const [, module] of this.namedModules()) {
      for (const role of ['parameter', 'buffer'] as const) {
        for (const [name, old] of module.#tensors(role)) {
          let next = moved.get(old);
          if (!next) {
            // channels_last means something for four dimensions only.
            const format = memoryFormat && old.ndim === 4 ? { memoryFormat } : {};
            const cast = dtype !== undefined && isFloating(old.dtype) ? { dtype } : {};
            next = tidy(() => noGrad(() => old.to({ ...rest, ...format, ...cast })).detach());
            const trained = old.requiresGrad;
            next = role === 'parameter' ? parameter(next) : buffer(next);
            if (role === 'parameter' && !trained) next.requiresGrad = false;
            moved.set(old, next);
          }
          module.#replace(name, next);
        }
      }
    }
    for (const old of moved.keys()) old.dispose();
    return this;
  }

  #replace(name: string, tensor: Tensor): void {
    Object.assign(this, { [name]: tensor });
  }

  /** Draw this module's own initial weights; containers have none. `stream` is this module's alone. */
  resetParameters(_stream: Stream): void {}

  zeroGrad(): void {
    for (const tensor of this.parameters()) tensor.grad = null;
  }

  /** Free all parameters and buffers. The module cannot be used afterwards. */
  dispose(): void {
    for (const tensor of this.#state().values()) tensor.dispose();
  }
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** What stands between the brackets when a module is printed. */
  extraRepr(): string {
    return '';
  }

  toString(): string {
    return printModule(this);
  }
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }
}
