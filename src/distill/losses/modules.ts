/** @file The modules of a loss under one roof, and how their weights are drawn. */
import { Module, withoutDrawing } from '../../nn/index.ts';
import type { Tensor } from '../../torch/index.ts';
import { stream } from '../../torch/random.ts';

/** Modules by name; the names begin their paths in the state dict: `embed_s.linear.weight`. */
export class ModuleDict<
  Entries extends Readonly<Record<string, Module>> = Readonly<Record<string, Module>>,
> extends Module {
  readonly entries: Entries;

  constructor(entries: Entries) {
    super();
    this.entries = entries;
  }

  override *children(): Generator<[string, Module]> {
    yield* Object.entries(this.entries);
  }

  forward(): Tensor {
    throw new TypeError('a loss is called by its terms, not by forward');
  }
}

/**
 * Make a loss's modules, their weights drawn from streams of (seed, loss, path), so that they depend on no other loss in use
 * and on nothing made before.
 */
export function makeModules<Entries extends Readonly<Record<string, Module>>>(
  loss: string,
  seed: number,
  make: () => Entries,
): ModuleDict<Entries> {
  const modules = new ModuleDict(withoutDrawing(make));
  const root = stream(seed, 'distill.init').child(loss);
  for (const [path, module] of modules.namedModules()) if (path) module.resetParameters(root.child(path));
  return modules;
}
