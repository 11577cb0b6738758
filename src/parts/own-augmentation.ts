/** @file An augmentation of the user's: what it draws and makes is checked, and what it throws says where. */
import type { DrawContext, Parameters, Scheme } from '../augment/index.ts';
import { Tensor } from '../torch/index.ts';
import { allFinite, described, guarded, misfit, type Origin } from './errors.ts';

const isPlain = (value: unknown): boolean =>
  typeof value === 'number' || [Int32Array, Float64Array, Uint8Array].some((array) => value instanceof array);

function checkParameters(origin: Origin, { mixes }: Scheme, { index }: DrawContext, drawn: unknown): Parameters {
  if (typeof drawn !== 'object' || drawn === null) {
    throw misfit(origin, 'draw', `returns ${described(drawn)}`, 'it returns an object of numbers and arrays');
  }
  for (const [name, value] of Object.entries(drawn)) {
    if (isPlain(value)) continue;
    throw misfit(
      origin,
      'draw',
      `returns ${described(value)} as ${name}`,
      'parameters are plain data: numbers, Int32Array, Float64Array or Uint8Array',
    );
  }
  const { partner, lambda } = drawn as Partial<Record<string, unknown>>;
  const count = index.length;
  const mix = partner instanceof Int32Array && lambda instanceof Float64Array;
  if (mixes && !(mix && partner.length === count && lambda.length === count)) {
    throw misfit(
      origin,
      'draw',
      'does not say how images are mixed',
      `with mixes: true it returns partner, an Int32Array, and lambda, a Float64Array, of one entry an image (${count})`,
    );
  }
  return drawn as Parameters;
}

/** The same scheme, with its functions guarded. */
export function ownAugmentation(scheme: Scheme, origin: Origin): Scheme {
  return {
    ...scheme,
    draw: (context, options) =>
      checkParameters(
        origin,
        scheme,
        context,
        guarded(origin, 'draw', () => scheme.draw(context, options)),
      ),
    apply(view, parameters) {
      const made: unknown = guarded(origin, 'apply', () => scheme.apply(view, parameters));
      const { shape } = view.x;
      if (!(made instanceof Tensor)) {
        throw misfit(origin, 'apply', `returns ${described(made)}`, `it returns a tensor [${shape.join(', ')}]`);
      }
      if (made.shape.join() !== shape.join() || made.dtype !== view.x.dtype) {
        throw misfit(
          origin,
          'apply',
          `makes ${made.dtype} [${made.shape.join(', ')}] of ${view.x.dtype} [${shape.join(', ')}]`,
          "x' has the shape and dtype of x",
        );
      }
      if (!allFinite(made)) {
        throw misfit(origin, 'apply', 'makes NaN or infinite pixels', 'look for a division by 0 or a logarithm of 0');
      }
      // The pool and x are freed apart.
      return made === view.x ? made.clone() : made;
    },
  };
}
