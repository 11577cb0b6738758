/**
 * @file The messages of the ONNX format that are written and read here, with the field numbers of the official onnx.proto3
 * (IR version 8), and what goes between them and protobuf's wire format. Fields that are not in the table are skipped when
 * reading. Nothing here nests without end: subgraphs, sequences and maps are left out.
 */
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

/** Element types of tensors (`TensorProto.DataType`). */
export const onnxTypes = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  string: 8,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
  bfloat16: 16,
} as const;

export type OnnxType = keyof typeof onnxTypes;

/** The name of an element type's number; `type 14` for those that have none here. */
export function onnxTypeName(code: number): string {
  return Object.entries(onnxTypes).find(([, known]) => known === code)?.[0] ?? `type ${code}`;
}

/** `AttributeProto.AttributeType`. */
export const attributeTypes = { FLOAT: 1, INT: 2, STRING: 3, TENSOR: 4, FLOATS: 6, INTS: 7 } as const;

export interface OnnxTensor {
  dims?: number[];
  data_type?: number;
  name?: string;
  raw_data?: Uint8Array;
  /** Where a tensor is kept in another file: keys `location`, `offset`, `length`. */
  external_data?: OnnxEntry[];
}

export interface OnnxEntry {
  key?: string;
  value?: string;
}

export interface OnnxAttribute {
  name?: string;
  f?: number;
  i?: number;
  s?: Uint8Array;
  t?: OnnxTensor;
  floats?: number[];
  ints?: number[];
  type?: number;
}

export interface OnnxNode {
  input?: string[];
  output?: string[];
  name?: string;
  op_type?: string;
  domain?: string;
  attribute?: OnnxAttribute[];
}

export interface OnnxDimension {
  dim_value?: number;
  dim_param?: string;
}

export interface OnnxValueInfo {
  name?: string;
  type?: { tensor_type?: { elem_type?: number; shape?: { dim?: OnnxDimension[] } }; denotation?: string };
}

export interface OnnxGraph {
  node?: OnnxNode[];
  name?: string;
  initializer?: OnnxTensor[];
  input?: OnnxValueInfo[];
  output?: OnnxValueInfo[];
}

export interface OnnxModel {
  ir_version?: number;
  producer_name?: string;
  producer_version?: string;
  doc_string?: string;
  graph?: OnnxGraph;
  opset_import?: { domain?: string; version?: number }[];
  metadata_props?: OnnxEntry[];
}

type Scalar = 'int64' | 'int32' | 'float' | 'string' | 'bytes';
type Field = readonly [number: number, type: Scalar | MessageName, repeated?: 'repeated'];

const messages = {
  Model: {
    ir_version: [1, 'int64'],
    producer_name: [2, 'string'],
    producer_version: [3, 'string'],
    doc_string: [6, 'string'],
    graph: [7, 'Graph'],
    opset_import: [8, 'OperatorSet', 'repeated'],
    metadata_props: [14, 'Entry', 'repeated'],
  },
  OperatorSet: { domain: [1, 'string'], version: [2, 'int64'] },
  Entry: { key: [1, 'string'], value: [2, 'string'] },
  Graph: {
    node: [1, 'Node', 'repeated'],
    name: [2, 'string'],
    initializer: [5, 'Tensor', 'repeated'],
    input: [11, 'ValueInfo', 'repeated'],
    output: [12, 'ValueInfo', 'repeated'],
  },
  Node: {
    input: [1, 'string', 'repeated'],
    output: [2, 'string', 'repeated'],
    name: [3, 'string'],
    op_type: [4, 'string'],
    attribute: [5, 'Attribute', 'repeated'],
    domain: [7, 'string'],
  },
  Attribute: {
    name: [1, 'string'],
    f: [2, 'float'],
    i: [3, 'int64'],
    s: [4, 'bytes'],
    t: [5, 'Tensor'],
    floats: [7, 'float', 'repeated'],
    ints: [8, 'int64', 'repeated'],
    type: [20, 'int32'],
  },
  Tensor: {
    dims: [1, 'int64', 'repeated'],
    data_type: [2, 'int32'],
    name: [8, 'string'],
    raw_data: [9, 'bytes'],
    external_data: [13, 'Entry', 'repeated'],
  },
  ValueInfo: { name: [1, 'string'], type: [2, 'Type'] },
  Type: { tensor_type: [1, 'TensorType'], denotation: [6, 'string'] },
  TensorType: { elem_type: [1, 'int32'], shape: [2, 'Shape'] },
  Shape: { dim: [1, 'Dimension', 'repeated'] },
  Dimension: { dim_value: [1, 'int64'], dim_param: [2, 'string'] },
} as const satisfies Record<string, Record<string, readonly [number, string, 'repeated'?]>>;

type MessageName = keyof typeof messages;
type Plain = Record<string, unknown>;

const fieldsOf = (message: MessageName): Record<string, Field> => messages[message] as Record<string, Field>;
const isMessage = (type: string): type is MessageName => Object.hasOwn(messages, type);
const wireTypes: Record<Scalar, WireType> = {
  int64: WireType.Varint,
  int32: WireType.Varint,
  float: WireType.Bit32,
  string: WireType.LengthDelimited,
  bytes: WireType.LengthDelimited,
};

function writeScalar(writer: BinaryWriter, type: Scalar, value: unknown): void {
  if (type === 'string') writer.string(value as string);
  else if (type === 'bytes') writer.bytes(value as Uint8Array);
  else if (type === 'float') writer.float(value as number);
  else if (type === 'int32') writer.int32(value as number);
  else writer.int64(value as number);
}

function writeMessage(writer: BinaryWriter, message: MessageName, value: Plain): void {
  for (const [name, [number, type, repeated]] of Object.entries(fieldsOf(message))) {
    const given = value[name];
    if (given === undefined) continue;
    const items = repeated ? (given as unknown[]) : [given];
    if (isMessage(type)) {
      for (const item of items) {
        writer.tag(number, WireType.LengthDelimited).fork();
        writeMessage(writer, type, item as Plain);
        writer.join();
      }
    } else if (repeated && wireTypes[type] !== WireType.LengthDelimited) {
      // Numbers come packed, as proto3 has it.
      writer.tag(number, WireType.LengthDelimited).fork();
      for (const item of items) writeScalar(writer, type, item);
      writer.join();
    } else {
      for (const item of items) {
        writer.tag(number, wireTypes[type]);
        writeScalar(writer, type, item);
      }
    }
  }
}

/** A model as the bytes of an .onnx file. */
export function encodeModel(model: OnnxModel): Uint8Array {
  const writer = new BinaryWriter();
  writeMessage(writer, 'Model', model as Plain);
  return writer.finish();
}

function readScalar(reader: BinaryReader, type: Scalar): unknown {
  if (type === 'string') return reader.string();
  if (type === 'bytes') return reader.bytes();
  if (type === 'float') return reader.float();
  if (type === 'int32') return reader.int32();
  return Number(reader.int64());
}

const numbered = Object.fromEntries(
  (Object.keys(messages) as MessageName[]).map((message) => [
    message,
    new Map(Object.entries(fieldsOf(message)).map(([name, field]) => [field[0], { name, field }])),
  ]),
) as Record<MessageName, Map<number, { name: string; field: Field }>>;

function readMessage(reader: BinaryReader, message: MessageName, length: number, skip: ReadonlySet<string>): Plain {
  const byNumber = numbered[message];
  const value: Plain = {};
  const end = reader.pos + length;
  if (end > reader.len) throw new RangeError(`a ${message} ends after its file`);
  while (reader.pos < end) {
    const [number, wireType] = reader.tag();
    const found = byNumber.get(number);
    if (!found || skip.has(`${message}.${found.name}`)) {
      reader.skip(wireType, number);
      continue;
    }
    const { name, field } = found;
    const [, type, repeated] = field;
    const items = readField(reader, type, wireType, repeated !== undefined, skip);
    if (repeated) {
      value[name] ??= [];
      for (const item of items) (value[name] as unknown[]).push(item);
    } else if (items.length > 0) value[name] = items.at(-1);
  }
  if (reader.pos !== end) throw new RangeError(`a ${message} is longer than it says`);
  return value;
}

function readField(
  reader: BinaryReader,
  type: Scalar | MessageName,
  wireType: WireType,
  repeated: boolean,
  skip: ReadonlySet<string>,
): unknown[] {
  if (isMessage(type)) {
    if (wireType !== WireType.LengthDelimited) throw new RangeError(`a ${type} is no message`);
    return [readMessage(reader, type, reader.uint32(), skip)];
  }
  if (wireType === wireTypes[type]) return [readScalar(reader, type)];
  if (!repeated || wireType !== WireType.LengthDelimited) throw new RangeError(`a field is not of type ${type}`);
  const items: unknown[] = [];
  const length = reader.uint32();
  const end = reader.pos + length;
  if (end > reader.len) throw new RangeError('a list ends after its file');
  while (reader.pos < end) items.push(readScalar(reader, type));
  return items;
}

/**
 * The bytes of an .onnx file as a model. Fields in `skip` (`Tensor.raw_data`) are passed over. Throws whatever the wire format's
 * reader does for bytes that are none.
 */
export function decodeModel(bytes: Uint8Array, skip: Iterable<string> = []): OnnxModel {
  return readMessage(new BinaryReader(bytes), 'Model', bytes.length, new Set(skip)) as OnnxModel;
}
