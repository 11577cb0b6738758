/*
 * Tensors in a torch.save pickle: `_rebuild_tensor_v2(storage, offset, size, stride, …)` on storages that are named by
 * persistent ids and lie elsewhere in the file. https://github.com/pytorch/pytorch torch/_utils.py, torch/serialization.py
 */

import { UserError } from '../base/errors.ts';
import { byteText } from '../base/quantity.ts';
import { canonicalPath, plainGlobals, refusedGlobal } from './pickle-globals.ts';
import { PickledObject, PickleGlobal, PickleProblem } from './pickle-values.ts';
import {
  bytesPerElement,
  elementCount,
  printable,
  type StoredDType,
  type StoredTensor,
  shapeProblem,
} from './stored.ts';
import { isRowMajor, rowMajor } from './strided.ts';

const storageDtypes: ReadonlyMap<string, StoredDType> = new Map([
  ['Double', 'float64'],
  ['Float', 'float32'],
  ['Half', 'float16'],
  ['BFloat16', 'bfloat16'],
  ['Long', 'int64'],
  ['Int', 'int32'],
  ['Short', 'int16'],
  ['Char', 'int8'],
  ['Byte', 'uint8'],
  ['Bool', 'bool'],
  ['Untyped', 'uint8'],
]);

/** A storage as a persistent id describes it, or a part of one (`start`, in elements). */
export class StorageRef extends PickledObject {
  readonly dtype: StoredDType;
  readonly key: string;
  /** Elements of the whole storage. */
  readonly count: number;
  readonly start: number;
  /** Elements of this part. */
  readonly length: number;

  constructor(dtype: StoredDType, key: string, count: number, start = 0, length = count) {
    super('torch storage');
    this.dtype = dtype;
    this.key = key;
    this.count = count;
    this.start = start;
    this.length = length;
  }
}

/** A tensor whose bytes are filled in once the storages have been found. */
class LoadedTensor implements StoredTensor {
  readonly dtype: StoredDType;
  readonly shape: readonly number[];
  data: Uint8Array = noBytes;

  constructor(dtype: StoredDType, shape: readonly number[]) {
    this.dtype = dtype;
    this.shape = shape;
  }
}
const noBytes = new Uint8Array(0);

interface Placement {
  readonly tensor: LoadedTensor;
  readonly storage: StorageRef;
  readonly offset: number;
  readonly stride: readonly number[];
}

/** Collects the tensors and storages of one file while its pickle is read. */
export class TensorBuilder {
  /** Every storage a tensor or the pickle itself refers to. */
  readonly storages: StorageRef[] = [];
  private readonly placements: Placement[] = [];
  private readonly globals: ReadonlyMap<string, PickleGlobal>;
  private readonly name: string;

  constructor(name: string) {
    this.name = name;
    this.globals = new Map(this.torchGlobals().map((global) => [global.path, global]));
  }

  findGlobal(path: string): PickleGlobal | UserError {
    const canonical = canonicalPath(path);
    const found = plainGlobals.get(canonical) ?? this.globals.get(canonical) ?? torchName(canonical);
    if (found) return found;
    const reason = unsupported(canonical);
    if (!reason) return refusedGlobal(this.name, path);
    return new UserError(
      `${this.name} was not loaded: it holds ${reason}, which are not supported (${printable(path)})`,
      {
        hint: 'convert them to ordinary dense tensors with PyTorch before saving',
      },
    );
  }

  /** `('storage', type, key, location, count)`, in old files with a sixth item `(view key, start, count)` or None. */
  persistentLoad(id: unknown): StorageRef {
    if (!Array.isArray(id)) throw new PickleProblem('a persistent id is not a tuple');
    const [kind, type, key, , count, view = null] = id as unknown[];
    if (kind === 'module')
      throw new PickleProblem('it holds a whole model with its code; save model.state_dict() instead');
    if (kind !== 'storage') throw new PickleProblem('a persistent id is not a storage');
    const dtype = type instanceof PickleGlobal ? storageDtype(type.path) : undefined;
    if (!dtype) throw new PickleProblem('a storage has an unknown type');
    if (typeof key !== 'string') throw new PickleProblem('a storage has no key');
    if (!isCount(count)) throw new PickleProblem(`storage ${printable(key)} has an impossible size`);
    let storage = new StorageRef(dtype, key, count);
    if (view !== null) {
      const [, start, length] = Array.isArray(view) ? (view as unknown[]) : [];
      if (!isCount(start) || !isCount(length) || start + length > count) {
        throw new PickleProblem(`a view of storage ${printable(key)} does not lie inside it`);
      }
      storage = new StorageRef(dtype, key, count, start, length);
    }
    this.storages.push(storage);
    return storage;
  }

  /**
   * Fill in every tensor's bytes: a view where the tensor is row-major in its storage, else a row-major copy.
   *
   * @param bytesOf the whole bytes of a storage
   * @param fileSize bounds what copies may take: a stride of 0 can make any size out of one element
   */
  finish(bytesOf: (storage: StorageRef) => Uint8Array, fileSize: number): void {
    let copies = 4 * fileSize + (1 << 20);
    for (const { tensor, storage, offset, stride } of this.placements) {
      const width = bytesPerElement[storage.dtype];
      const count = elementCount(tensor.shape);
      const whole = bytesOf(storage);
      if (count === 0) continue;
      const source = whole.subarray(storage.start * width, (storage.start + storage.length) * width);
      if (isRowMajor(tensor.shape, stride)) {
        tensor.data = source.subarray(offset * width, (offset + count) * width);
        continue;
      }
      copies -= count * width;
      if (copies < 0) {
        throw new UserError(
          `${this.name} was not loaded: its tensors repeat their data far beyond the file's ${byteText(fileSize)}`,
          {
            hint: 'a tensor made by expand() must be saved as .contiguous()',
          },
        );
      }
      tensor.data = rowMajor(source.subarray(offset * width), tensor.shape, stride, width);
    }
  }

  private torchGlobals(): PickleGlobal[] {
    const rebuild = (args: readonly unknown[]) => this.rebuild(args);
    const parameter = ([data]: readonly unknown[]) => {
      if (!(data instanceof LoadedTensor)) throw new PickleProblem('a parameter has no tensor');
      return data;
    };
    const tensors = [
      new PickleGlobal('torch._utils._rebuild_tensor', rebuild),
      new PickleGlobal('torch._utils._rebuild_tensor_v2', rebuild),
      new PickleGlobal('torch._utils._rebuild_parameter', parameter),
      new PickleGlobal('torch._utils._rebuild_parameter_with_state', parameter),
    ];
    return [
      ...tensors,
      // `(function, class, its arguments, attributes)`: a tensor with Python attributes, which are dropped.
      new PickleGlobal('torch._tensor._rebuild_from_type_v2', ([inner, , args], budget) => {
        if (!tensors.includes(inner as PickleGlobal) || !Array.isArray(args))
          throw new PickleProblem('a tensor subclass is rebuilt in an unknown way');
        return (inner as PickleGlobal).call!(args, budget);
      }),
      new PickleGlobal('torch.Size', ([size = []]) => size),
      new PickleGlobal('torch.device', ([type, index]) => {
        if (typeof type !== 'string' || type.length > 20) throw new PickleProblem('a device has no name');
        return typeof index === 'number' ? `${type}:${index}` : type;
      }),
      new PickleGlobal('torch.Tensor'),
      new PickleGlobal('torch.nn.parameter.Parameter'),
      new PickleGlobal('torch.nn.parameter.Buffer'),
    ];
  }

  /** `(storage, offset, size, stride, requires_grad, hooks, metadata)`; all but the first four are optional and dropped. */
  private rebuild([storage, offset, size, stride, , , metadata]: readonly unknown[]): StoredTensor {
    if (!(storage instanceof StorageRef)) throw new PickleProblem('a tensor has no storage');
    if (!isTuple(size) || !isTuple(stride)) throw new PickleProblem('a tensor has no shape');
    const problem = shapeProblem(size);
    if (problem) throw new PickleProblem(`a tensor's shape is impossible: ${problem}`);
    const shape = size as readonly number[];
    if (stride.length !== shape.length || !stride.every(isCount))
      throw new PickleProblem(`a tensor of shape [${shape.join(', ')}] has impossible strides`);
    if (!isCount(offset)) throw new PickleProblem('a tensor has an impossible offset');
    if (metadata instanceof Map && (metadata.get('neg') === true || metadata.get('conj') === true)) {
      throw new PickleProblem('a tensor is stored negated or conjugated, which is not supported');
    }
    // Doubles only round here where the sum is far beyond any storage, so the comparison holds.
    const last = shape.reduce((at, count, axis) => at + (count - 1) * stride[axis]!, offset);
    if (!shape.includes(0) && last >= storage.length) {
      throw new PickleProblem(
        `a tensor of shape [${shape.join(', ')}] at offset ${offset} ends at element ${last + 1} of a storage of ${storage.length}`,
      );
    }
    const tensor = new LoadedTensor(storage.dtype, shape);
    this.placements.push({ tensor, storage, offset, stride });
    return tensor;
  }
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

const isTuple = (value: unknown): value is readonly unknown[] => Array.isArray(value) && Object.isFrozen(value);

function storageDtype(path: string): StoredDType | undefined {
  const name = /^torch\.(?:cuda\.|storage\.)?(\w+)Storage$/.exec(path)?.[1];
  return name === undefined ? undefined : storageDtypes.get(name);
}

/** Storage classes and dtypes: harmless as names, so one table entry each would say nothing more. */
function torchName(path: string): PickleGlobal | undefined {
  if (storageDtype(path)) return new PickleGlobal(path);
  const name = /^torch\.(\w+)$/.exec(path)?.[1];
  if (name !== undefined && (Object.hasOwn(bytesPerElement, name) || otherDtypes.test(name)))
    return new PickleGlobal(path);
  return undefined;
}
const otherDtypes =
  /^(uint(16|32|64)|complex(32|64|128)|float8_\w{1,20}|strided|preserve_format|contiguous_format|channels_last)$/;

/** What a well-known PyTorch name stands for that cannot be read, in the plural. */
function unsupported(path: string): string | undefined {
  if (/^torch\.(cuda\.)?Complex\w+Storage$/.test(path)) return 'complex tensors';
  if (/^torch\.(cuda\.)?Q\w+Storage$/.test(path) || path === 'torch._utils._rebuild_qtensor')
    return 'quantized tensors';
  if (/^torch\._utils\._rebuild_sparse/.test(path)) return 'sparse tensors';
  if (path === 'torch._utils._rebuild_tensor_v3')
    return 'tensors of a dtype newer than this reader (float8, uint16, …)';
  if (/^torch\._utils\._rebuild_(meta|wrapper|device|xla|nested)/.test(path)) return 'tensors without ordinary storage';
  return undefined;
}
