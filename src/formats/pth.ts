import { UserError } from '../base/errors.ts';
import { readFileBytes } from '../base/file-bytes.ts';
import { readLegacyCheckpoint } from './pth-legacy.ts';
import { readZipCheckpoint } from './pth-zip.ts';
import { parseSafetensors } from './safetensors.ts';
import { type StateDict, scalarsIn, stateDictFrom, tensorsIn, withoutPrefix } from './state-dict.ts';
import type { StoredTensors } from './stored.ts';

/**
 * Read what `torch.save` wrote, in the zip form or the older one, without running any of its code. Dicts come back as
 * `Map`s, lists and tuples as arrays, tensors as `StoredTensor`s (row-major; views of the file's bytes where they can be),
 * objects of harmless other classes (`argparse.Namespace`) as `PickledObject`s. Parts may be shared or contain themselves.
 *
 * @throws UserError naming the file and what is wrong, also for any class or function that is not on the list
 */
export async function readPth(path: string): Promise<unknown> {
  return parsePth(readFileBytes(path).data, path);
}

/** `readPth` on bytes; `name` is how messages call them. The tensors are views of `bytes`. */
export async function parsePth(bytes: Uint8Array, name: string): Promise<unknown> {
  const kind = sniff(bytes);
  if (kind === 'zip') return readZipCheckpoint(bytes, name);
  if (kind === 'pickle') return readLegacyCheckpoint(bytes, name);
  if (kind === 'safetensors') {
    throw new UserError(`${name} is a safetensors file, not a PyTorch checkpoint`, {
      hint: 'read it as one: readWeights takes either',
    });
  }
  throw unknownKind(kind, name);
}

/** Weights of either format. */
export interface Weights extends StateDict {
  readonly format: 'safetensors' | 'pth';
}

/**
 * Read weights from a safetensors file or a PyTorch checkpoint, told apart by content. `extra` holds the metadata of the one
 * and the scalars beside the weights of the other.
 *
 * @param key where in a checkpoint the weights are, if not under a usual name
 * @throws UserError
 */
export async function readWeights(path: string, key?: string): Promise<Weights> {
  const { data } = readFileBytes(path);
  if (sniff(data) !== 'safetensors') return { ...stateDictFrom(await parsePth(data, path), path, key), format: 'pth' };
  const { tensors, metadata } = parseSafetensors(data, path);
  return { tensors, extra: metadata, format: 'safetensors' };
}

/** Everything in a file that may be weights. */
export interface FileTensors {
  /** By name; in a PyTorch checkpoint with the keys that lead there before it: `model_ema.conv1.weight`. */
  readonly tensors: StoredTensors;
  /** The metadata of a safetensors file, or the scalars at a checkpoint's top level. */
  readonly extra: Record<string, unknown>;
  readonly format: Weights['format'];
  /** The weights as `readWeights` finds them: without a look at any network. @throws UserError if there are none */
  usual(): StateDict;
}

/**
 * Every tensor of a safetensors file or a PyTorch checkpoint, for callers that know which network they look for.
 *
 * @throws UserError
 */
export async function readTensors(path: string, key?: string): Promise<FileTensors> {
  const { data } = readFileBytes(path);
  if (sniff(data) === 'safetensors') {
    const { tensors, metadata } = parseSafetensors(data, path);
    return {
      tensors,
      extra: metadata,
      format: 'safetensors',
      usual: () => ({ tensors: withoutPrefix(tensors), extra: {} }),
    };
  }
  const value = await parsePth(data, path);
  return {
    tensors: tensorsIn(value),
    extra: scalarsIn(value),
    format: 'pth',
    usual: () => stateDictFrom(value, path, key),
  };
}

function sniff(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 512)).toString('latin1');
  if (bytes.length === 0) return 'an empty file';
  if (text[8] === '{' && (bytes[6] ?? 1) === 0 && bytes[7] === 0) return 'safetensors';
  if (['PK\x03\x04', 'PK\x05\x06'].some((start) => text.startsWith(start))) return 'zip';
  if (text.slice(257, 262) === 'ustar') return 'tar';
  // Protocols 2 and later begin with their number, protocol 1 with the magic number in decimal.
  const protocol = text[0] === '\x80' ? bytes[1]! : 0;
  if ((protocol >= 2 && protocol <= 5) || text.startsWith('L119547037146038801333356L\n')) return 'pickle';
  if (text.startsWith('version https://git-lfs')) return 'a Git LFS pointer';
  if (/^\s*<(!doctype|html|\?xml)/i.test(text)) return 'a web page';
  if (text.startsWith('\x89HDF')) return 'an HDF5 file (Keras)';
  if (text.startsWith('\x93NUMPY')) return 'a NumPy array (.npy)';
  if (text.startsWith('GGUF')) return 'a GGUF file';
  if (text.startsWith('\x1f\x8b')) return 'a gzip file';
  if (isOnnx(bytes)) return 'an ONNX model';
  return '';
}

/** A protocol buffer that begins as ONNX models do: the IR version, then who made it, or the graph or the operator sets at once. */
const isOnnx = (bytes: Uint8Array): boolean =>
  bytes[0] === 0x08 && bytes[1]! >= 3 && bytes[1]! < 32 && [0x12, 0x1a, 0x22, 0x3a, 0x42].includes(bytes[2]!);

const hints: Readonly<Record<string, string>> = {
  'an empty file': 'copy or download it again',
  'a Git LFS pointer': 'the real file was not fetched: run git lfs pull',
  'a web page': 'the download saved an error or login page instead of the file',
  'an ONNX model': 'it holds a network that is ready to run, not a state dict: it can teach (thrive distill --teacher)',
  'a gzip file': 'unpack it first: gunzip, or tar xzf for an archive',
};

function unknownKind(kind: string, name: string): UserError {
  if (kind === 'tar') {
    return new UserError(
      `${name} is a tar file; PyTorch's checkpoints of that form (before version 0.1.10) are not supported`,
      {
        hint: 'load it with an old PyTorch and save it again, or unpack it if it is an archive of other files',
      },
    );
  }
  return new UserError(
    `${name} is ${kind || 'neither a PyTorch checkpoint nor a safetensors file'}${kind ? ', not weights' : ''}`,
    {
      hint: hints[kind] ?? 'give a .pth or .pt file that torch.save wrote, or a .safetensors file',
    },
  );
}

export { stateDictFrom };
