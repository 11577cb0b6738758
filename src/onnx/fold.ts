/**
 * @file Batch norm folded into the convolution before it, in the graph: the network itself stays as it is, and it does not
 * have to say which belong together. w' = w s and b' = (b - mean) s + beta with s = gamma / sqrt(var + eps), in float64 and
 * rounded once.
 */
import type { Float, GraphBuilder, GraphNode, Initializer } from './builder.ts';

const floats = ({ bytes }: Initializer): Float32Array => new Float32Array(bytes.slice().buffer);
const stored = (values: Float32Array, shape: number[]): Initializer => ({
  type: 'float32',
  shape,
  bytes: new Uint8Array(values.buffer),
});

/** Fold every batch norm whose input is a convolution's and nobody else's. */
export function foldBatchNorms(graph: GraphBuilder, output: string): void {
  const readers = new Map<string, number>([[output, 1]]);
  for (const { inputs } of graph.nodes) for (const name of inputs) readers.set(name, (readers.get(name) ?? 0) + 1);
  const makers = new Map(graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  const gone = new Set<GraphNode>();
  for (const norm of graph.nodes) {
    if (norm.type !== 'BatchNormalization') continue;
    const [input = '', ...rest] = norm.inputs;
    const conv = makers.get(input);
    if (conv?.type !== 'Conv' || readers.get(input) !== 1) continue;
    const constants = [...conv.inputs.slice(1), ...rest].map((name) => graph.initializers.get(name));
    if (!constants.every((value) => value?.type === 'float32')) continue;
    fold(graph, conv, norm);
    // The convolution takes the place of the pair.
    conv.outputs = norm.outputs;
    gone.add(norm);
  }
  graph.nodes = graph.nodes.filter((node) => !gone.has(node));
}

function fold(graph: GraphBuilder, conv: GraphNode, norm: GraphNode): void {
  const [weightName, biasName] = [conv.inputs[1]!, conv.inputs[2]];
  const get = (name: string): Float32Array => floats(graph.initializers.get(name)!);
  const { shape } = graph.initializers.get(weightName)!;
  const [gamma, beta, mean, variance] = norm.inputs.slice(1).map(get) as [
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const eps = (norm.attributes.epsilon as Float).value;
  const weight = get(weightName);
  const bias = biasName === undefined ? null : get(biasName);
  const channels = gamma.length;
  const each = weight.length / channels;
  const newBias = new Float32Array(channels);
  for (let c = 0; c < channels; c++) {
    const scale = gamma[c]! / Math.sqrt(variance[c]! + eps);
    for (let k = c * each; k < (c + 1) * each; k++) weight[k] = weight[k]! * scale;
    newBias[c] = ((bias ? bias[c]! : 0) - mean[c]!) * scale + beta[c]!;
  }
  // Weights under names of their own: another layer may use the same ones.
  conv.inputs = [
    conv.inputs[0]!,
    graph.initializer(`${weightName}_folded`, stored(weight, shape)),
    graph.initializer(`${biasName ?? weightName.replace(/weight$/, 'bias')}_folded`, stored(newBias, [channels])),
  ];
}
