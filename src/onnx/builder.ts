/** @file An ONNX graph while it is being made. */
import {
  attributeTypes,
  type OnnxAttribute,
  type OnnxTensor,
  type OnnxType,
  onnxTypes,
} from '../formats/onnx-schema.ts';
import type { Size } from './graph.ts';

/** A floating point attribute: a plain number is an integer one. */
export class Float {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
}
export const float = (value: number): Float => new Float(value);

export type Attributes = Readonly<Record<string, number | readonly number[] | string | Float>>;

export interface GraphNode {
  type: string;
  inputs: string[];
  outputs: string[];
  attributes: Attributes;
}

export interface Initializer {
  type: OnnxType;
  shape: number[];
  bytes: Uint8Array;
}

type Data = Float32Array | Float64Array | BigInt64Array | Int32Array | Int16Array | Int8Array | Uint8Array;

/** Plain numbers as elements of a type. float16 and bfloat16 are not made here. */
function elements(type: OnnxType, values: readonly number[]): Data {
  switch (type) {
    case 'float32':
      return Float32Array.from(values);
    case 'float64':
      return Float64Array.from(values);
    case 'int64':
      return BigInt64Array.from(values, (value) => BigInt(Math.trunc(value)));
    case 'int32':
      return Int32Array.from(values);
    case 'int16':
      return Int16Array.from(values);
    case 'int8':
      return Int8Array.from(values);
    case 'uint8':
    case 'bool':
      return Uint8Array.from(values);
    default:
      throw new TypeError(`no constants of type ${type}`);
  }
}

export class GraphBuilder {
  nodes: GraphNode[] = [];
  readonly initializers = new Map<string, Initializer>();
  readonly #input: string;
  readonly #taken = new Set<string>();
  readonly #small = new Map<string, string>();
  #batch: string | undefined;

  constructor(input: string) {
    this.#input = input;
    this.#taken.add(input);
  }

  /** A name that nothing has yet: the wish itself, or the wish with a number. */
  name(wish: string): string {
    let name = wish;
    for (let i = 1; this.#taken.has(name); i++) name = `${wish}_${i}`;
    this.#taken.add(name);
    return name;
  }

  /** Add a node with one output; returns the output's name. */
  node(type: string, inputs: readonly string[], attributes: Attributes = {}): string {
    return this.nodes_(type, inputs, attributes, 1)[0]!;
  }

  /** Add a node with several outputs. */
  nodes_(type: string, inputs: readonly string[], attributes: Attributes, count: number): string[] {
    const outputs = Array.from({ length: count }, () => this.name(type.toLowerCase()));
    this.nodes.push({ type, inputs: [...inputs], outputs, attributes });
    return outputs;
  }

  initializer(wish: string, value: Initializer): string {
    const name = this.name(wish);
    this.initializers.set(name, value);
    return name;
  }

  /** A constant made of numbers; the same one is stored once. */
  constant(type: OnnxType, values: readonly number[], shape: readonly number[]): string {
    const key = `${type} ${shape.join()} ${values.map((value) => (Object.is(value, -0) ? '-0' : value)).join()}`;
    const known = this.#small.get(key);
    if (known) return known;
    const data = elements(type, values);
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const name = this.initializer('constant', { type, shape: [...shape], bytes });
    this.#small.set(key, name);
    return name;
  }

  scalar(type: OnnxType, value: number): string {
    return this.constant(type, [value], []);
  }

  /** A list of integers, as shapes and axes are given. */
  ints(values: readonly number[]): string {
    return this.constant('int64', values, [values.length]);
  }

  /** A shape as a tensor; what follows the batch is asked of the graph's input. */
  shape(sizes: readonly Size[]): string {
    if (sizes.every((size) => typeof size === 'number')) return this.ints(sizes);
    this.#batch ??= this.node('Shape', [this.#input], { start: 0, end: 1 });
    const parts = sizes.map((size) => {
      if (typeof size === 'number') return this.ints([size]);
      return size.batch === 1 ? this.#batch! : this.node('Mul', [this.#batch!, this.ints([size.batch])]);
    });
    return this.node('Concat', parts, { axis: 0 });
  }

  /** Replace a value's name wherever it is read or made. */
  rename(from: string, to: string): void {
    const change = (names: string[]): string[] => names.map((name) => (name === from ? to : name));
    for (const node of this.nodes) {
      node.inputs = change(node.inputs);
      node.outputs = change(node.outputs);
    }
  }

  /** Drop nodes and constants that `output` does not need. */
  prune(output: string): void {
    const wanted = new Set([output]);
    const kept: GraphNode[] = [];
    for (const node of this.nodes.toReversed()) {
      if (!node.outputs.some((name) => wanted.has(name))) continue;
      kept.push(node);
      for (const name of node.inputs) wanted.add(name);
    }
    this.nodes = kept.reverse();
    for (const name of this.initializers.keys()) if (!wanted.has(name)) this.initializers.delete(name);
  }
}

export function onnxAttributes(attributes: Attributes): OnnxAttribute[] {
  return Object.entries(attributes).map(([name, value]): OnnxAttribute => {
    if (value instanceof Float) return { name, f: value.value, type: attributeTypes.FLOAT };
    if (typeof value === 'string') return { name, s: new TextEncoder().encode(value), type: attributeTypes.STRING };
    if (typeof value === 'number') return { name, i: value, type: attributeTypes.INT };
    return { name, ints: [...value], type: attributeTypes.INTS };
  });
}

export function onnxTensor(name: string, { type, shape, bytes }: Initializer): OnnxTensor {
  return { name, dims: shape, data_type: onnxTypes[type], raw_data: bytes };
}
