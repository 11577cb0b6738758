import { type DType, dtypeCode } from './dtype.ts';
import { native } from './native.ts';
import { Tensor } from './tensor.ts';

function withGrad<T>(on: boolean, fn: () => T): T {
  const addon = native();
  const before = addon.setGradEnabled(on);
  try {
    return fn();
  } finally {
    addon.setGradEnabled(before);
  }
}

/** Run `fn` without recording operations for `backward`. */
export const noGrad = <T>(fn: () => T): T => withGrad(false, fn);
/** Record again inside `noGrad`. */
export const enableGrad = <T>(fn: () => T): T => withGrad(true, fn);
export const isGradEnabled = (): boolean => native().isGradEnabled();

interface AutocastState {
  on: boolean;
  dtype: DType;
}
const autocastStates = new Map<string, AutocastState>();

/**
 * Run `fn` with PyTorch's automatic mixed precision: convolutions and matrix products in `dtype`, what needs range or
 * accuracy (softmax, losses, sums) in float32. Weights cast inside the outermost scope are cast once.
 */
export function autocast<T>(options: { device?: string; dtype?: DType; enabled?: boolean }, fn: () => T): T {
  const { device = 'cpu', dtype = 'bfloat16', enabled = true } = options;
  const type = device.split(':')[0]!;
  const addon = native();
  const before = autocastStates.get(type) ?? { on: false, dtype };
  addon.autocast(type, enabled, dtypeCode(dtype));
  addon.autocastNest(1);
  autocastStates.set(type, { on: enabled, dtype });
  try {
    return fn();
  } finally {
    addon.autocastNest(-1);
    addon.autocast(type, before.on, dtypeCode(before.dtype));
    autocastStates.set(type, before);
  }
}

/** Is a cast scope active for this device? */
export const isAutocast = (device = 'cpu'): boolean => autocastStates.get(device.split(':')[0]!)?.on ?? false;

/**
 * The gradients of the sum of `outputs` with respect to `inputs`, without touching any `.grad`; null where an input was not
 * used (an error unless `allowUnused`).
 */
export function grad(
  outputs: readonly Tensor[],
  inputs: readonly Tensor[],
  options: {
    gradients?: readonly (Tensor | null)[];
    retainGraph?: boolean;
    createGraph?: boolean;
    allowUnused?: boolean;
  } = {},
): (Tensor | null)[] {
  const handles = native().grad(
    outputs.map((t) => t.handle),
    inputs.map((t) => t.handle),
    (options.gradients ?? []).map((t) => t?.handle ?? null),
    options.retainGraph ?? null,
    options.createGraph ?? false,
    options.allowUnused ?? false,
  );
  return handles.map((handle) => (handle === null ? null : new Tensor(handle)));
}
