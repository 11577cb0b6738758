/// <reference lib="esnext.disposable" preserve="true" />
/**
 * @file Who frees a tensor. JavaScript's collector cannot see native memory, and finalizers do not run during a synchronous
 * loop: a step that waits for them grows to gigabytes. So tensors made inside `tidy` are freed when it ends, all but what it
 * returns and what was kept; outside any `tidy` they live until `dispose`, with the collector as a backstop.
 */
import { native } from './native.ts';
import type { Handle } from './native-types.ts';

let scope: NativeTensor[] | undefined;
let scratch = new Float64Array(1024);

/** The last resort for tensors dropped outside any scope: frees them some time after the collector noticed. */
const backstop = new FinalizationRegistry<number>((handle) => {
  native().release(handle);
});

/** The life of a tensor, and nothing else of it: what is below tensor.ts knows tensors as this. */
export class NativeTensor {
  /** The addon's number for this tensor. */
  readonly handle: Handle;
  /** Set by `keep`: no scope frees it. */
  kept = false;
  #disposed = false;

  constructor(handle: Handle) {
    this.handle = handle;
    if (scope) scope.push(this);
    else backstop.register(this, handle);
  }

  get isDisposed(): boolean {
    return this.#disposed;
  }
  /** Free the native tensor now. Further use throws; disposing again does nothing. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    native().release(this.handle);
  }
  /** For `tidy`, which frees many at once. */
  markDisposed(): void {
    this.#disposed = true;
  }
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** The tensors in a scope's result: itself, or inside arrays, maps, sets and plain objects. */
function collect(value: unknown, found: Set<NativeTensor>, seen: Set<object>): void {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return;
  if (value instanceof NativeTensor) {
    found.add(value);
    return;
  }
  if (seen.has(value)) return;
  seen.add(value);
  if (Array.isArray(value) || value instanceof Map || value instanceof Set) {
    // A map's items are pairs, so that its keys are looked at too.
    for (const item of value) collect(item, found, seen);
    return;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  // Only plain containers are looked into; a module or optimizer owns its tensors by itself.
  if (prototype !== Object.prototype && prototype !== null) return;
  for (const item of Object.values(value)) collect(item, found, seen);
}

const none: ReadonlySet<NativeTensor> = new Set();

function survivorsOf(result: unknown): ReadonlySet<NativeTensor> {
  if (typeof result !== 'object' || result === null) return none;
  if ('then' in result && typeof result.then === 'function') {
    // Its own failure would come as an unhandled rejection, and hide this one.
    if (result instanceof Promise) result.catch(() => {});
    throw new TypeError(
      'tidy() is synchronous: its function returned a promise, whose tensors would be freed under it',
    );
  }
  const found = new Set<NativeTensor>();
  collect(result, found, new Set());
  return found;
}

function free(
  tensors: readonly NativeTensor[],
  survivors: ReadonlySet<NativeTensor>,
  outer: NativeTensor[] | undefined,
): void {
  if (scratch.length < tensors.length) scratch = new Float64Array(tensors.length * 2);
  let count = 0;
  for (const tensor of tensors) {
    if (tensor.kept || tensor.isDisposed) continue;
    if (survivors.has(tensor)) {
      if (outer) outer.push(tensor);
      else backstop.register(tensor, tensor.handle);
    } else {
      tensor.markDisposed();
      scratch[count++] = tensor.handle;
    }
  }
  if (count > 0) native().releaseMany(scratch, count);
}

/**
 * Run `fn` and free every tensor it made, except those it returns (alone or inside arrays, maps, sets and plain objects) and
 * those passed to `keep`; if it throws, all of them. Nests. Synchronous only: a promise would outlive the scope.
 *
 * @example
 * const norm = tidy(() => x.mul(x).sum().sqrt()); // one tensor left, not three
 */
export function tidy<T>(fn: () => T): T {
  const outer = scope;
  const mine: NativeTensor[] = [];
  scope = mine;
  let survivors = none;
  try {
    const result = fn();
    survivors = survivorsOf(result);
    return result;
  } finally {
    scope = outer;
    if (mine.length > 0) free(mine, survivors, outer);
  }
}

/** Take a tensor out of every scope: it lives until `dispose`. For state that outlives a step. Returns it. */
export function keep<T extends NativeTensor>(tensor: T): T {
  if (!tensor.kept) {
    tensor.kept = true;
    backstop.register(tensor, tensor.handle);
  }
  return tensor;
}

/** Live tensors with a handle in JavaScript, and the bytes of their distinct storages. */
export function memory(): { tensors: number; bytes: number } {
  const addon = native();
  return { tensors: addon.liveTensors(), bytes: addon.liveTensorBytes() };
}

/** The shapes and dtypes of up to `most` live tensors, to find out what leaks. */
export function liveTensors(most = 100): string[] {
  return native().liveTensorList(most);
}
