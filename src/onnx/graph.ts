/**
 * @file A network's computation for any batch size, from what it does with two of them. A size that is the same for both is
 * fixed; one that grows with the batch is a multiple of it; anything else has no place in a file.
 */
import { UserError } from '../base/errors.ts';
import { isValue, type Trace, type TracedCall, type TracedConstant, type TracedValue } from '../nn/trace.ts';
import { type DType, dtypeBytes, type Tensor } from '../torch/index.ts';

/** A number, or so many times the batch size. */
export type Size = number | { batch: number };

export interface Value {
  id: number;
  dtype: DType;
  shape: Size[];
  /**
   * For what does not depend on the images. `shape` has a 1 where the value's follows the batch: there all elements are the
   * same, as after `expand` or `zeros`.
   */
  constant?: { bytes: Uint8Array; shape: number[]; tensor: Tensor };
}

/** A plain argument that was not the same for both batches. */
export class Varying {
  readonly first: unknown;
  readonly second: unknown;
  constructor(first: unknown, second: unknown) {
    this.first = first;
    this.second = second;
  }
}

export interface Call {
  operator: string;
  arguments: Record<string, unknown>;
  results: Value[];
}

export interface Graph {
  input: Value;
  calls: Call[];
  output: Value;
}

const cannot = (why: string, hint?: string): UserError =>
  new UserError(`cannot export this network: ${why}`, hint === undefined ? {} : { hint });

export function isGraphValue(value: unknown): value is Value {
  return typeof value === 'object' && value !== null && 'id' in value && 'shape' in value;
}

export const sameSize = (a: Size | undefined, b: Size | undefined): boolean =>
  typeof a === 'object' && typeof b === 'object' ? a.batch === b.batch : a === b && a !== undefined;

/** The bytes of a constant with only the first element along the given dimensions; null if the others there are not the same. */
function collapse({ bytes, shape, dtype }: TracedConstant, dims: readonly number[]): Uint8Array | null {
  const width = dtypeBytes[dtype];
  const small = shape.map((n, i) => (dims.includes(i) ? 1 : n));
  const count = small.reduce((product, n) => product * n, 1);
  const result = new Uint8Array(count * width);
  const seen = new Uint8Array(count);
  const index = shape.map(() => 0);
  for (let at = 0; at < bytes.length; at += width) {
    const place = small.reduce((offset, n, i) => offset * n + (n === 1 ? 0 : index[i]!), 0);
    for (let k = 0; k < width; k++) {
      if (seen[place] && result[place * width + k] !== bytes[at + k]) return null;
      result[place * width + k] = bytes[at + k]!;
    }
    seen[place] = 1;
    for (let i = shape.length - 1; i >= 0 && ++index[i]! === shape[i]; i--) index[i] = 0;
  }
  return result;
}

/** What two batches' constants have in common; null if they are not the same. */
function commonConstant(a: TracedConstant, b: TracedConstant): NonNullable<Value['constant']> | null {
  const dims = a.shape.flatMap((n, i) => (n === b.shape[i] ? [] : [i]));
  const [first, second] = dims.length === 0 ? [a.bytes, b.bytes] : [collapse(a, dims), collapse(b, dims)];
  if (!first || !second || Buffer.compare(first, second) !== 0) return null;
  return { bytes: first, shape: a.shape.map((n, i) => (dims.includes(i) ? 1 : n)), tensor: a.tensor };
}

/**
 * Lay two traces of one network over each other.
 *
 * @throws UserError if its steps, its constants or its sizes follow from the images or from the batch in a way that a fixed
 * graph cannot
 */
export function mergeTraces(first: Trace, second: Trace): Graph {
  const values = new Map<number, Value>();

  const size = (a: number, b: number, where: string): Size => {
    if (a === b) return a;
    const factor = a / first.batch;
    if (Number.isInteger(factor) && b === factor * second.batch) return { batch: factor };
    throw cannot(
      `${where} has a size of ${a} for ${first.batch} images and ${b} for ${second.batch}; it must be fixed or a multiple of the batch`,
    );
  };

  const value = (a: TracedValue, b: TracedValue, operator: string, name: string): Value => {
    if (a.id !== b.id || a.kind !== b.kind || a.dtype !== b.dtype || a.shape.length !== b.shape.length) {
      throw cannot(`what ${operator} is given as '${name}' depends on the images or on the size of the batch`);
    }
    const known = values.get(a.id);
    if (known) return known;
    const sizes = a.shape.map((n, i) => size(n, b.shape[i]!, `'${name}' of ${operator}`));
    const constant = a.kind === 'constant' && b.kind === 'constant' ? commonConstant(a, b) : undefined;
    if (constant === null) {
      throw cannot(
        `${operator} is given as '${name}' a tensor [${a.shape.join(', ')}] that is another for another batch, and that no operator makes from the images`,
        'values read into JavaScript (item, data) must not go into new tensors',
      );
    }
    const made: Value = {
      id: a.id,
      dtype: a.dtype,
      shape: sizes,
      ...(constant ? { constant } : {}),
    };
    values.set(a.id, made);
    return made;
  };

  const argument = (a: unknown, b: unknown, operator: string, name: string): unknown => {
    if (isValue(a) && isValue(b)) return value(a, b, operator, name);
    if (Array.isArray(a) && Array.isArray(b) && a.length === b.length) {
      return a.map((item, i) => argument(item, b[i], operator, name));
    }
    return Object.is(a, b) ? a : new Varying(a, b);
  };

  const call = (a: TracedCall, b: TracedCall): Call => ({
    operator: a.operator,
    arguments: Object.fromEntries(
      Object.entries(a.arguments).map(([name, given]) => [name, argument(given, b.arguments[name], a.operator, name)]),
    ),
    results: a.results.map((result, i) => value(result, b.results[i]!, a.operator, 'result')),
  });

  const input = value(first.input, second.input, 'the network', 'input');
  const calls = first.calls.map((one, i) => {
    const other = second.calls[i];
    if (other?.operator !== one.operator || other.results.length !== one.results.length) {
      throw cannot(
        `its steps depend on the images or on the size of the batch: ${one.operator} for one batch, ${other?.operator ?? 'nothing'} for another`,
      );
    }
    return call(one, other);
  });
  if (second.calls.length !== first.calls.length) {
    throw cannot('its steps depend on the images or on the size of the batch');
  }
  return { input, calls, output: value(first.output, second.output, 'the network', 'output') };
}
