/**
 * @file A network that only predicts, as a list of operator calls that run natively over slices of the batch: parallel over images
 * instead of inside each operator. A thread takes its slice through the whole network with no barrier on the way, where an
 * operator at a time has one a layer, at each of which a thread that waits for a busy processor holds up all others.
 */
import { UserError } from '../base/errors.ts';
import { getNumThreads, noGrad, Tensor, tensor, tidy } from '../torch/index.ts';
import { native } from '../torch/native.ts';
import { isValue, type Trace, traceForward } from './trace.ts';

/** Larger slices leave the second level of cache; smaller ones cost more in calls than they save. */
const LARGEST_SLICE = 16;

/** Equal but for the order in which sums are taken. */
const TOLERANCE = 1e-4;

/** A frozen network, ready to run. Holds its weights until it is disposed. */
export interface Program {
  /** The output for images [B, C, H, W], as the network gives it: its first dimension is B. */
  run(images: Tensor): Tensor;
  dispose(): void;
}

/** What a trace does, without what may differ from batch to batch. */
const structure = ({ calls }: Trace): string =>
  JSON.stringify(calls, (key, item: unknown) => {
    if (key === 'results') return undefined;
    return isValue(item) ? [item.kind, item.kind === 'constant' ? item.shape : 'value'] : item;
  });

function create({ input, calls, output }: Trace): number {
  const slots = new Map([[input.id, 0]]);
  const list = calls.map(({ operator, arguments: given, results }, i): [number, unknown[], number] => {
    const values = Object.values(given).map((value) => {
      if (!isValue(value)) return value;
      return value.kind === 'constant' ? value.tensor.handle : { slot: slots.get(value.id) };
    });
    slots.set(results[0]!.id, i + 1);
    return [native().findOperator(operator)!.id, values, i + 1];
  });
  return native().programCreate(list, slots.get(output.id)!);
}

/** Whether an operator takes or gives lists of tensors, for which a program has no form. */
const isPlain = ({ calls }: Trace): boolean =>
  calls.every(
    ({ arguments: given, results }) =>
      results.length === 1 && !Object.values(given).some((value) => Array.isArray(value) && value.some(isValue)),
  );

/**
 * A program that does what `forward` does to any batch of images [B, ...shape], or null where it cannot be one: its steps depend on
 * the size of the batch, an image's output depends on its neighbours, or an operator's results have no form here. Weights are read
 * as they are now, and are used as they are when it runs. Gradients are not recorded.
 */
export function compileForward(forward: (images: Tensor) => Tensor, shape: readonly number[]): Program | null {
  return tidy(() =>
    noGrad(() => {
      const batch = (count: number): Tensor => {
        const size = shape.reduce((product, n) => product * n, count);
        return tensor(
          Float32Array.from({ length: size }, (_, i) => Math.sin(i)),
          { shape: [count, ...shape] },
        );
      };
      let id: number;
      try {
        const [two, three] = [2, 3].map((count) => traceForward(forward, batch(count), { values: false })) as [
          Trace,
          Trace,
        ];
        if (structure(two) !== structure(three) || !isPlain(two)) return null;
        id = create(two);
      } catch (error) {
        // Not everything can be traced; it runs as it is.
        if (error instanceof UserError) return null;
        throw error;
      }
      const run = (images: Tensor, slice: number): Tensor =>
        noGrad(() => Tensor.wrap(native().programRun(id, images.handle, slice)));
      const images = batch(5);
      const [whole, sliced] = [forward(images), run(images, 2)];
      const scale = whole.abs().amax().item() as number;
      if (!(whole.sub(sliced).abs().amax().item() <= TOLERANCE * Math.max(scale, 1e-30))) {
        native().programFree(id);
        return null;
      }
      return {
        run: (input) => {
          const share = Math.ceil(input.size(0) / (2 * getNumThreads()));
          return run(input, Math.min(LARGEST_SLICE, Math.max(4, share)));
        },
        dispose: () => void native().programFree(id),
      };
    }),
  );
}
