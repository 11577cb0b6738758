/** @file What turning one operator call into ONNX nodes works with. */
import { UserError } from '../base/errors.ts';
import type { OnnxType } from '../formats/onnx-schema.ts';
import type { DType } from '../torch/index.ts';
import type { Attributes, GraphBuilder } from './builder.ts';
import { type Call, isGraphValue, type Size, sameSize, type Value, Varying } from './graph.ts';

/** Adds the nodes of one call; returns the names of its results. */
export type Lower = (call: Lowering) => string | string[];

/** Finds names of values made before, and makes weights known to the graph. */
export type NameOf = (value: Value) => string;

export class Lowering {
  readonly graph: GraphBuilder;
  readonly operator: string;
  readonly results: Value[];
  readonly #arguments: Record<string, unknown>;
  readonly #nameOf: NameOf;

  constructor(graph: GraphBuilder, call: Call, nameOf: NameOf) {
    this.graph = graph;
    this.operator = call.operator;
    this.results = call.results;
    this.#arguments = call.arguments;
    this.#nameOf = nameOf;
  }

  /** An error that this call cannot be exported. */
  cannot(why: string, hint = 'write that part of the network another way'): UserError {
    return new UserError(`cannot export ${this.operator} to ONNX: ${why}`, { hint });
  }

  node(type: string, inputs: readonly string[], attributes?: Attributes): string {
    return this.graph.node(type, inputs, attributes);
  }

  // Tensors

  optional(argument: string): Value | null {
    const given = this.#arguments[argument];
    return isGraphValue(given) ? given : null;
  }
  value(argument: string): Value {
    const given = this.optional(argument);
    if (!given) throw this.cannot(`it has no '${argument}'`);
    return given;
  }
  list(argument: string): Value[] {
    return (this.#arguments[argument] as unknown[]).filter(isGraphValue);
  }
  /** The graph's name of a value. */
  name(value: Value): string {
    return this.#nameOf(value);
  }
  /** The name of a tensor argument. */
  input(argument = 'self'): string {
    return this.name(this.value(argument));
  }
  /** The name of a tensor argument as another type of element. */
  cast(value: Value, dtype: DType): string {
    const name = this.name(value);
    return value.dtype === dtype ? name : this.node('Cast', [name], { to: typeCode(dtype) });
  }
  /** The result's type of element, which operands are brought to. */
  get dtype(): DType {
    return this.result.dtype;
  }
  get result(): Value {
    return this.results[0]!;
  }
  /** A constant number of the result's type. */
  scalar(value: number, dtype: DType = this.dtype): string {
    return this.graph.scalar(dtype as OnnxType, value);
  }

  // Plain arguments

  #plain(argument: string): unknown {
    const given = this.#arguments[argument];
    const varies = given instanceof Varying ? given : Array.isArray(given) && given.find((x) => x instanceof Varying);
    if (varies) {
      throw this.cannot(`its '${argument}' depends on the images or on the batch (${varies.first}, ${varies.second})`);
    }
    return given;
  }
  given(argument: string): boolean {
    const value = this.#plain(argument);
    return value !== null && value !== undefined && !(Array.isArray(value) && value.length === 0);
  }
  number(argument: string): number {
    const value = this.#plain(argument);
    if (typeof value !== 'number' && typeof value !== 'boolean') throw this.cannot(`its '${argument}' is no number`);
    return Number(value);
  }
  bool(argument: string): boolean {
    return this.number(argument) !== 0;
  }
  text(argument: string): string {
    return String(this.#plain(argument) ?? '');
  }
  /** A list of integers; a single one stands for `count` equal ones. */
  ints(argument: string, count = 1): number[] {
    const value = this.#plain(argument);
    if (typeof value === 'number') return Array.from({ length: count }, () => value);
    const list = value as number[];
    return list.length === 1 ? Array.from({ length: count }, () => list[0]!) : [...list];
  }
  /** A dimension, counted from the front. */
  dim(argument: string, value: Value = this.value('self'), extra = 0): number {
    return this.axis(this.number(argument), value.shape.length + extra);
  }
  axis(dim: number, rank: number): number {
    return dim < 0 ? dim + rank : dim;
  }
  /** Dimensions, counted from the front; all of them where none are given. */
  dims(argument: string, value: Value = this.value('self')): number[] {
    const rank = value.shape.length;
    if (!this.given(argument)) return Array.from({ length: rank }, (_, i) => i);
    return this.ints(argument).map((dim) => this.axis(dim, rank));
  }

  // Shapes

  /** A size that must not follow the batch. */
  fixed(size: Size | undefined, what: string): number {
    if (typeof size !== 'number') throw this.cannot(`${what} follows the size of the batch`);
    return size;
  }

  /** The same elements in another shape, for any batch. */
  reshape(name: string, from: readonly Size[], to: readonly Size[]): string {
    if (from.length === to.length && to.every((size, i) => sameSize(size, from[i]))) return name;
    let open = false;
    const target = to.map((size, i) => {
      if (typeof size === 'number') return size;
      // 0 keeps the input's size at this place, -1 is what is left over.
      if (sameSize(size, from[i])) return 0;
      if (open) return null;
      open = true;
      return -1;
    });
    const shape = target.includes(null) ? this.graph.shape(to) : this.graph.ints(target as number[]);
    return this.node('Reshape', [name, shape]);
  }
}

const codes: Record<DType, number> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int16: 5,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  bfloat16: 16,
};
/** ONNX's number of an element type. */
export const typeCode = (dtype: DType): number => codes[dtype];
