/** @file What a network computes for one batch, operator by operator. */
import { UserError } from '../base/errors.ts';
import { type DType, Tensor } from '../torch/index.ts';
import { type OperatorCall, recordOperators } from '../torch/record.ts';

/** A tensor that does not depend on the images: a weight, or something made from weights alone. */
export interface TracedConstant {
  kind: 'constant';
  id: number;
  dtype: DType;
  shape: number[];
  /** Its values now; empty where they were not asked for. */
  bytes: Uint8Array;
  /** The tensor itself, by which a parameter is known; its values may have changed since. */
  tensor: Tensor;
}

/** The images, or something computed from them. */
export interface TracedResult {
  kind: 'computed';
  id: number;
  dtype: DType;
  shape: number[];
}

export type TracedValue = TracedConstant | TracedResult;

export interface TracedCall {
  operator: string;
  /** Values and lists of values for tensors; anything else as it was given. */
  arguments: Record<string, unknown>;
  results: TracedResult[];
}

export interface Trace {
  batch: number;
  input: TracedResult;
  calls: TracedCall[];
  output: TracedResult;
}

/** What is known of a live tensor: its value now, and which tensors share its memory. */
interface Entry {
  value: TracedResult;
  storage: symbol;
  /** The in-place operator that wrote over its memory through another tensor. */
  overwritten?: string;
}

const tensorsIn = (value: unknown): Tensor[] =>
  Tensor.is(value) ? [value] : Array.isArray(value) ? value.filter(Tensor.is) : [];

class Tracer {
  readonly calls: TracedCall[] = [];
  readonly #live = new Map<Tensor, Entry>();
  readonly #constants = new Map<Tensor, TracedConstant>();
  readonly #values: boolean;
  #count = 0;

  constructor(values: boolean) {
    this.#values = values;
  }

  result(tensor: Tensor, storage: symbol): TracedResult {
    const value: TracedResult = {
      kind: 'computed',
      id: this.#count++,
      dtype: tensor.dtype,
      shape: tensor.shape,
    };
    this.#live.set(tensor, { value, storage });
    return value;
  }

  find(tensor: Tensor): TracedResult | undefined {
    return this.#live.get(tensor)?.value;
  }

  #value(tensor: Tensor, operator: string): TracedValue {
    const entry = this.#live.get(tensor);
    if (entry?.overwritten) {
      throw new UserError(
        `cannot export this network: ${entry.overwritten} wrote into memory that another tensor shares, which ${operator} reads afterwards`,
        { hint: 'use the operator that makes a new tensor (relu for relu_, add for add_)' },
      );
    }
    if (entry) return entry.value;
    const known = this.#constants.get(tensor);
    if (known) return known;
    const { dtype, shape } = tensor;
    const bytes = this.#values ? tensor.bytes() : new Uint8Array();
    const made: TracedConstant = { kind: 'constant', id: this.#count++, dtype, shape, bytes, tensor };
    this.#constants.set(tensor, made);
    return made;
  }

  #argument(given: unknown, operator: string): unknown {
    if (Tensor.is(given)) return this.#value(given, operator);
    return Array.isArray(given) ? given.map((item) => this.#argument(item, operator)) : given;
  }

  observe(call: OperatorCall): unknown {
    const { operator, writes } = call;
    const inputs = Object.values(call.arguments).flatMap(tensorsIn);
    if (!inputs.some((tensor) => this.#live.has(tensor))) {
      const result = call.run();
      // Constants that were written into, or whose memory was: what was read of them so far no longer holds.
      if (writes.length > 0) this.#constants.clear();
      return result;
    }
    const names = Object.entries(call.arguments).map(([name, given]) => [name, this.#argument(given, operator)]);
    const result = call.run();
    const written = new Set(writes.flatMap((name) => tensorsIn(call.arguments[name])));
    const results = tensorsIn(result);
    if ([...written].some((tensor) => !results.includes(tensor))) {
      throw new UserError(`cannot export this network: ${operator} writes into tensors it does not return`, {
        hint: 'use an operator that returns its result',
      });
    }
    this.calls.push({
      operator,
      arguments: Object.fromEntries(names),
      results: results.map((tensor) => this.#store(tensor, written.has(tensor), inputs, operator)),
    });
    return result;
  }

  #store(tensor: Tensor, inPlace: boolean, inputs: readonly Tensor[], operator: string): TracedResult {
    if (!inPlace) {
      const shared = inputs.find((input) => this.#live.has(input) && input.sharesStorage(tensor));
      return this.result(tensor, shared ? this.#live.get(shared)!.storage : Symbol());
    }
    const storage = this.#live.get(tensor)?.storage ?? Symbol();
    for (const [other, entry] of this.#live) {
      if (other !== tensor && entry.storage === storage) entry.overwritten = operator;
    }
    return this.result(tensor, storage);
  }
}

/**
 * Run `forward` on a batch and write down the operators its output depends on. Runs neither `noGrad` nor `tidy`: the caller does.
 *
 * @throws UserError if the output is no tensor, does not depend on the images, or an in-place operator hides what it does
 */
export function traceForward(
  forward: (images: Tensor) => Tensor,
  images: Tensor,
  { values = true }: { values?: boolean } = {},
): Trace {
  const tracer = new Tracer(values);
  const input = tracer.result(images, Symbol());
  const output = recordOperators(
    (call) => tracer.observe(call),
    () => forward(images),
  );
  const found = Tensor.is(output) ? tracer.find(output) : undefined;
  if (!found) {
    throw new UserError(
      `cannot export this network: its output ${Tensor.is(output) ? 'is not computed from the images by operators that can be seen' : 'is no tensor'}`,
    );
  }
  return { batch: images.size(0), input, calls: needed(tracer.calls, found), output: found };
}

/** Only the calls that `output` depends on: feature taps and the like go. */
function needed(calls: readonly TracedCall[], output: TracedResult): TracedCall[] {
  const wanted = new Set([output.id]);
  const kept: TracedCall[] = [];
  const want = (value: unknown): void => {
    if (Array.isArray(value)) value.forEach(want);
    else if (isValue(value)) wanted.add(value.id);
  };
  for (const call of calls.toReversed()) {
    if (!call.results.some(({ id }) => wanted.has(id))) continue;
    kept.push(call);
    Object.values(call.arguments).forEach(want);
  }
  return kept.reverse();
}

export function isValue(value: unknown): value is TracedValue {
  return typeof value === 'object' && value !== null && 'kind' in value && 'id' in value;
}
