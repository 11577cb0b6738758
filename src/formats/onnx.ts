/** @file What an .onnx file says of itself: inputs, outputs, metadata. Reads no weights and needs no runtime. */
import { errorMessage, UserError } from '../base/errors.ts';
import { readFileBytes } from '../base/file-bytes.ts';
import { decodeModel, type OnnxModel, type OnnxValueInfo, onnxTypeName } from './onnx-schema.ts';

/** A size of a tensor: a number, the name of one that is open, or null where the file says neither. */
export type OnnxSize = number | string | null;

export interface OnnxPort {
  name: string;
  /** Element type: `float32`; null for what is no tensor. */
  type: string | null;
  /** Null where the file does not say. */
  shape: OnnxSize[] | null;
}

export interface OnnxInfo {
  irVersion: number;
  /** Version of the standard operators it uses. */
  opset: number | null;
  producer: string;
  /** What must be given: inputs without those that have a value of their own. */
  inputs: OnnxPort[];
  outputs: OnnxPort[];
  metadata: ReadonlyMap<string, string>;
  /** Other files that hold weights. */
  externalFiles: string[];
}

function port({ name = '', type }: OnnxValueInfo): OnnxPort {
  const tensor = type?.tensor_type;
  const dims = tensor?.shape?.dim ?? (tensor?.shape ? [] : null);
  // Some exporters write an open size as -1.
  const shape =
    dims?.map(({ dim_value = -1, dim_param }): OnnxSize => (dim_value >= 0 ? dim_value : dim_param || null)) ?? null;
  return { name, type: tensor ? onnxTypeName(tensor.elem_type ?? 0) : null, shape };
}

const notOnnx = (path: string, reason: string, cause?: unknown): UserError =>
  new UserError(`${path} is not an ONNX model, or is damaged: ${reason}`, {
    cause,
    hint: 'copy or download it again; weights of PyTorch are given by a name that ends in .pth or .safetensors',
  });

/**
 * Read what the bytes of an .onnx file say of it.
 *
 * @throws UserError naming `path` if they are not an ONNX model
 */
export function parseOnnxInfo(bytes: Uint8Array, path: string): OnnxInfo {
  if (bytes.length === 0) {
    throw new UserError(`${path} is an empty file, not an ONNX model`, { hint: 'copy or download it again' });
  }
  let model: OnnxModel;
  try {
    model = decodeModel(bytes, ['Tensor.raw_data', 'Graph.node']);
  } catch (error) {
    throw notOnnx(path, errorMessage(error), error);
  }
  const {
    graph,
    ir_version,
    opset_import = [],
    metadata_props = [],
    producer_name = '',
    producer_version = '',
  } = model;
  if (!graph || !ir_version) {
    throw notOnnx(path, `it holds no ${graph ? 'version' : 'graph'}`);
  }
  const initializers = graph.initializer ?? [];
  // Before IR version 4 weights are listed as inputs too.
  const own = new Set(initializers.map(({ name }) => name));
  const locations = initializers.flatMap(({ external_data = [] }) =>
    external_data.flatMap(({ key, value }) => (key === 'location' && value ? [value] : [])),
  );
  return {
    irVersion: ir_version,
    opset: opset_import.find(({ domain = '' }) => domain === '' || domain === 'ai.onnx')?.version ?? null,
    producer: `${producer_name} ${producer_version}`.trim(),
    inputs: (graph.input ?? []).filter(({ name }) => !own.has(name)).map(port),
    outputs: (graph.output ?? []).map(port),
    metadata: new Map(metadata_props.map(({ key = '', value = '' }) => [key, value])),
    externalFiles: [...new Set(locations)],
  };
}

/** The same of a file. @throws UserError naming it */
export function readOnnxInfo(path: string): OnnxInfo {
  return parseOnnxInfo(readFileBytes(path).data, path);
}

/** A tensor's description for people: `float32 [batch, 3, 32, 32]`. */
export function describePort({ type, shape }: OnnxPort): string {
  const sizes = shape ? `[${shape.map((size) => size ?? '?').join(', ')}]` : 'of unknown shape';
  return `${type ?? 'something that is no tensor'} ${sizes}`;
}
