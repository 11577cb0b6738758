import { UserError } from '../base/errors.ts';
import { type Module, observe } from '../nn/index.ts';
import { keep, type Tensor, tidy } from '../torch/index.ts';
import type { Features } from './image-model.ts';

/**
 * The outputs of any modules beside the logits: feature taps by path, for any network and without changing it. The outputs are
 * as the modules returned them, even where the network goes on to overwrite them with an in-place ReLU; gradients flow through
 * them. Where a module runs more than once, its last output counts.
 *
 * @throws UserError at once for an unknown path, naming the nearest; on a pass, if a module did not run
 * @example
 * const run = tapModel(student, ['layer2', 'layer3.4.bn2']);
 * const { logits, taps } = run(images);
 */
export function tapModel(model: Module, paths: readonly string[]): (images: Tensor) => Features {
  for (const path of paths) model.getSubmodule(path);
  return (images) =>
    tidy(() => {
      const found = new Map<string, Tensor>();
      try {
        const logits = observe(
          model,
          new Set(paths),
          ({ path, output }) => {
            found.get(path)?.dispose();
            // The network may overwrite or free its output next; kept, because it may be inside a tidy of its own.
            found.set(path, keep(output.clone()));
          },
          () => model.forward(images),
        );
        const taps = paths.map((path) => {
          const tap = found.get(path);
          if (!tap) {
            throw new UserError(`${model.constructor.name}: the module '${path}' did not run`, {
              hint: 'tap a module that the forward pass calls',
            });
          }
          // A second tensor object on the same memory, which the caller's scope owns.
          return tap.view(tap.shape);
        });
        return { logits, taps };
      } finally {
        for (const tap of found.values()) tap.dispose();
      }
    });
}
