/** @file Looking at what modules compute, without the network knowing. */
import type { Tensor } from '../torch/index.ts';
import type { Module } from './module.ts';

/** One call of an observed module's `forward`. */
export interface Observation {
  path: string;
  module: Module;
  /** The very tensor the module was given; an in-place module has overwritten its values. Valid during the callback only. */
  input: Tensor;
  /** As the module returned it. Valid during the callback only, and often overwritten by an in-place ReLU after it: clone it. */
  output: Tensor;
}

/**
 * Run `fn`, calling `observer` after each `forward` of the modules at `paths`, in the order in which they run. While this
 * lasts, each of those modules has a `forward` of its own that hides its class's; before and after, observing costs nothing.
 * Observations nest.
 *
 * @throws UserError for an unknown path, naming the nearest
 */
export function observe<T>(
  root: Module,
  paths: Iterable<string>,
  observer: (observation: Observation) => void,
  fn: () => T,
): T {
  const targets = [...paths].map((path) => ({ path, module: root.getSubmodule(path) }));
  const restore: (() => void)[] = [];
  try {
    for (const { path, module } of targets) {
      const before = Object.getOwnPropertyDescriptor(module, 'forward');
      const forward = module.forward.bind(module);
      Object.defineProperty(module, 'forward', {
        configurable: true,
        value: (input: Tensor) => {
          const output = forward(input);
          observer({ path, module, input, output });
          return output;
        },
      });
      restore.push(() => {
        if (before) Object.defineProperty(module, 'forward', before);
        else Reflect.deleteProperty(module, 'forward');
      });
    }
    return fn();
  } finally {
    // Last first: a module observed under two paths is wrapped twice.
    for (const undo of restore.reverse()) undo();
  }
}
