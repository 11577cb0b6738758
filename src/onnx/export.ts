/**
 * @file A network as an ONNX file. What it computes is written down while it runs on two batches of different sizes, so any
 * module can be exported whose operators are known here, and no network has an exporter of its own.
 */
import { UserError } from '../base/errors.ts';
import { nearest } from '../base/suggest.ts';
import { encodeModel, type OnnxType, type OnnxValueInfo, onnxTypes } from '../formats/onnx-schema.ts';
import type { Module } from '../nn/index.ts';
import { traceForward } from '../nn/trace.ts';
import { noGrad, type Tensor, tensor, tidy } from '../torch/index.ts';
import { GraphBuilder, onnxAttributes, onnxTensor } from './builder.ts';
import { foldBatchNorms } from './fold.ts';
import { type Call, type Graph, mergeTraces, type Value } from './graph.ts';
import { layers } from './layers.ts';
import { type Lower, Lowering } from './lowering.ts';
import { pointwise } from './pointwise.ts';
import { reductions } from './reductions.ts';
import { shapes } from './shapes.ts';

/** Version of the standard operators that files here use. */
export const opset = 17;

const table: Readonly<Record<string, Lower>> = { ...pointwise, ...reductions, ...shapes, ...layers };

/** libtorch's operators that can be exported. In-place ones count as the others. */
export const exportedOperators: readonly string[] = Object.keys(table);

export interface OnnxOptions {
  /** Height and width of the images. */
  imageSize: number;
  /** Channels of the images. Default 3. */
  channels?: number;
  /**
   * Bake this normalisation in: the file then takes pixels from 0 to 255 (as float32), called `pixels`. Without it the file takes
   * images that are normalised already, called `images`.
   */
  normalize?: { mean: readonly number[]; std: readonly number[] } | undefined;
  /** What the file says of itself (`metadata_props`). */
  metadata?: Readonly<Record<string, string>>;
  producer?: { name: string; version: string };
}

/** `aten::add_.Tensor` is `aten::add.Tensor` to a graph that has no memory. */
const withoutInPlace = (name: string): string => name.replace(/([^_:])_(\.|$)/, '$1$2');

function lowerCall(builder: GraphBuilder, call: Call, names: Map<number, string>, nameOf: (v: Value) => string): void {
  const name = withoutInPlace(call.operator);
  const lower = Object.hasOwn(table, name) ? table[name] : undefined;
  if (!lower) {
    const guess = nearest(name, exportedOperators);
    throw new UserError(`cannot export this network: it uses ${call.operator}, which has no ONNX form here`, {
      hint: guess
        ? `${guess} has one; or write that part of the network another way`
        : 'write that part of the network another way',
    });
  }
  const made = lower(new Lowering(builder, call, nameOf));
  const outputs = typeof made === 'string' ? [made] : made;
  for (const [i, output] of outputs.entries()) names.set(call.results[i]!.id, output);
}

/** The ONNX graph of what was traced. Returns the name of its output. */
function lowerGraph(builder: GraphBuilder, graph: Graph, input: string, weights: Map<Tensor, string>): string {
  const names = new Map<number, string>([[graph.input.id, input]]);
  const nameOf = (value: Value): string => {
    const known = names.get(value.id);
    if (known !== undefined) return known;
    if (!value.constant) {
      throw new UserError('cannot export this network: it reads a second result of an operator that has one in ONNX');
    }
    const { tensor: source, bytes, shape } = value.constant;
    const stored = { type: value.dtype as OnnxType, shape, bytes };
    let name = builder.initializer(weights.get(source) ?? 'constant', stored);
    if (value.shape.some((size) => typeof size !== 'number')) {
      name = builder.node('Expand', [name, builder.shape(value.shape)]);
    }
    names.set(value.id, name);
    return name;
  };
  for (const call of graph.calls) lowerCall(builder, call, names, nameOf);
  return nameOf(graph.output);
}

/** Images that are all different, and different for each size of batch. */
function example(batch: number, channels: number, size: number, device: string): Tensor {
  const values = Float32Array.from({ length: batch * channels * size * size }, (_, i) =>
    Math.sin(1 + i * (batch + 0.37)),
  );
  return tensor(values, { shape: [batch, channels, size, size], device });
}

function traceTwice(network: Module, channels: number, size: number): Graph {
  const device = network.parameters()[0]?.device ?? 'cpu';
  const modes = [...network.namedModules()].map(([, module]): [Module, boolean] => [module, module.training]);
  network.eval();
  try {
    const [first, second] = [2, 5].map((batch) =>
      tidy(() => noGrad(() => traceForward((x) => network.forward(x), example(batch, channels, size, device)))),
    );
    return mergeTraces(first!, second!);
  } finally {
    for (const [module, training] of modes) module.training = training;
  }
}

const port = (name: string, sizes: readonly (number | string)[]): OnnxValueInfo => ({
  name,
  type: {
    tensor_type: {
      elem_type: onnxTypes.float32,
      shape: { dim: sizes.map((size) => (typeof size === 'number' ? { dim_value: size } : { dim_param: size })) },
    },
  },
});

/**
 * The bytes of an .onnx file that computes what `network` does in eval mode: float32 [batch, 3, size, size] in, float32
 * logits [batch, classes] out, for any batch. Batch norm after a convolution is folded into it. The network is left as it is.
 *
 * @example
 * writeFileSync('net.onnx', exportOnnx(network, { imageSize: 32, normalize: cifar10.normalization }));
 * @throws UserError naming the operator that has no ONNX form, or what does not follow from the operators alone
 */
export function exportOnnx(network: Module, options: OnnxOptions): Uint8Array {
  const { imageSize, channels = 3, normalize, metadata = {}, producer } = options;
  const graph = traceTwice(network, channels, imageSize);
  const [batch, classes] = graph.output.shape;
  if (graph.output.shape.length !== 2 || typeof batch === 'number' || typeof classes !== 'number') {
    const sizes = graph.output.shape.map((size) => (typeof size === 'number' ? size : 'batch')).join(', ');
    throw new UserError(`cannot export this network: its output is [${sizes}], not logits [batch, classes]`);
  }
  const inputName = normalize ? 'pixels' : 'images';
  const builder = new GraphBuilder(inputName);
  let input = inputName;
  if (normalize) {
    // The three steps of PyTorch's ToTensor and Normalize, each rounded: to the bit what the network was trained with.
    const perChannel = (values: readonly number[]): string =>
      builder.constant('float32', values, [1, values.length, 1, 1]);
    input = builder.node('Div', [input, builder.scalar('float32', 255)]);
    input = builder.node('Sub', [input, perChannel(normalize.mean)]);
    input = builder.node('Div', [input, perChannel(normalize.std)]);
  }
  const weights = new Map<Tensor, string>(
    [...network.namedBuffers(), ...network.namedParameters()].map(([name, value]) => [value, name]),
  );
  let output = lowerGraph(builder, graph, input, weights);
  if (output === inputName || builder.initializers.has(output)) output = builder.node('Identity', [output]);
  foldBatchNorms(builder, output);
  const logits = builder.name('logits');
  builder.rename(output, logits);
  builder.prune(logits);
  return encodeModel({
    ir_version: 8,
    producer_name: producer?.name ?? 'thrive',
    ...(producer ? { producer_version: producer.version } : {}),
    opset_import: [{ domain: '', version: opset }],
    metadata_props: Object.entries(metadata).map(([key, value]) => ({ key, value })),
    graph: {
      name: 'network',
      node: builder.nodes.map(({ type, inputs, outputs, attributes }, i) => ({
        name: `${type}_${i}`,
        op_type: type,
        input: inputs,
        output: outputs,
        attribute: onnxAttributes(attributes),
      })),
      initializer: [...builder.initializers].map(([name, value]) => onnxTensor(name, value)),
      input: [port(inputName, ['batch', channels, imageSize, imageSize])],
      output: [port(logits, ['batch', classes])],
    },
  });
}
