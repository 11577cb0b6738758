/*
 * The zip form of torch.save (PyTorch 1.6 and later): NAME/data.pkl, NAME/data/KEY, NAME/version, NAME/byteorder, all
 * stored without compression. https://github.com/pytorch/pytorch caffe2/serialize/inline_container.h
 */

import { crc32 } from 'node:zlib';
import yauzl, { type Entry, type ZipFile } from 'yauzl';
import { errorMessage, UserError } from '../base/errors.ts';
import { byteText } from '../base/quantity.ts';
import { unpickle } from './pickle.ts';
import { TensorBuilder } from './pth-tensors.ts';
import { bytesPerElement, printable } from './stored.ts';

/** PyTorch's kMaxSupportedFileFormatVersion. */
const newestVersion = 10;

interface Stored {
  readonly data: Uint8Array;
  readonly crc: number;
  /** Why its bytes cannot be taken as they are: `encrypted` or `compressed`. */
  readonly packing: string | undefined;
}

/** Read a torch.save zip. @throws UserError */
export async function readZipCheckpoint(bytes: Uint8Array, name: string): Promise<unknown> {
  const entries = await zipEntries(bytes, name);
  const prefix = archivePrefix(entries, name);
  refusePacked(entries, name);
  const checked = new Set<string>();
  const record = (path: string): Uint8Array | undefined => {
    const entry = entries.get(prefix + path);
    if (!entry) return undefined;
    // A CRC of 0 means that PyTorch was told not to compute any.
    if (entry.crc !== 0 && !checked.has(path) && crc32(entry.data) !== entry.crc) {
      throw damaged(name, `the checksum of ${printable(prefix + path)} is wrong`);
    }
    checked.add(path);
    return entry.data;
  };
  checkRecords(record, name);
  const tensors = new TensorBuilder(name);
  const { value } = unpickle(record('data.pkl')!, {
    name,
    findGlobal: (path) => tensors.findGlobal(path),
    persistentLoad: (id) => tensors.persistentLoad(id),
  });
  tensors.finish((storage) => {
    const data = record(`data/${storage.key}`);
    if (!data) throw damaged(name, `the data of storage ${printable(storage.key)} is missing`);
    const expected = storage.count * bytesPerElement[storage.dtype];
    if (data.length !== expected) {
      throw damaged(
        name,
        `storage ${printable(storage.key)} should have ${byteText(expected)}, it has ${byteText(data.length)}`,
      );
    }
    return data;
  }, bytes.length);
  return value;
}

/** What comes before `data.pkl` in every name; refuses zips that are something else. */
function archivePrefix(entries: ReadonlyMap<string, Stored>, name: string): string {
  const names = [...entries.keys()];
  const pickle = names.find((path) => /^[^/]*\/data\.pkl$/.test(path)) ?? names.find((path) => path === 'data.pkl');
  const prefix = pickle?.slice(0, -'data.pkl'.length);
  const has = (path: string) => names.some((entry) => entry.endsWith(`/${path}`));
  if (prefix === undefined ? has('model.json') : entries.has(`${prefix}constants.pkl`)) {
    throw new UserError(`${name} is a TorchScript archive (torch.jit.save), which holds a program, not only weights`, {
      hint: `save the weights with PyTorch: torch.save(torch.jit.load(${JSON.stringify(name)}).state_dict(), 'weights.pth')`,
    });
  }
  if (prefix !== undefined) return prefix;
  const kind = names.some((path) => path.endsWith('.npy')) ? 'a NumPy archive (.npz)' : 'a zip file';
  throw new UserError(`${name} is ${kind}, but not a PyTorch checkpoint: it has no data.pkl`, {
    hint: names.length > 0 ? `it holds ${names.slice(0, 5).map(printable).join(', ')}` : 'it is empty',
  });
}

function checkRecords(record: (path: string) => Uint8Array | undefined, name: string): void {
  const text = (path: string) => {
    const data = record(path);
    return data && Buffer.from(data.subarray(0, 100)).toString('latin1').trim();
  };
  const order = text('byteorder');
  if (order !== undefined && order !== 'little') {
    throw new UserError(`${name} was not loaded: its numbers are stored in the byte order ${printable(order)}`, {
      hint: 'load and save it with PyTorch on an ordinary little-endian machine (x86 or ARM)',
    });
  }
  const version = text('version');
  if (version !== undefined && (!/^\d{1,9}$/.test(version) || Number(version) > newestVersion)) {
    throw new UserError(
      `${name} was not loaded: its format version is ${printable(version)}, known are 1 to ${newestVersion}`,
    );
  }
}

const damaged = (name: string, what: string): UserError =>
  new UserError(`${name} is damaged: ${what}`, { hint: 'copy or download it again' });

/** Every entry as a view of `bytes`. Nothing is decompressed, and together they cannot be larger than the file. */
async function zipEntries(bytes: Uint8Array, name: string): Promise<Map<string, Stored>> {
  const entries = new Map<string, Stored>();
  let total = 0;
  const broken = (error: unknown) => {
    const detail = errorMessage(error).slice(0, 300);
    const cut = /End of central directory|Invalid comment length|unexpected EOF|overflows file/.test(detail);
    return damaged(
      name,
      cut
        ? 'the zip file was cut short or has extra bytes'
        : `its zip directory is wrong: ${printable(detail).slice(1, -1)}`,
    );
  };
  let zip: ZipFile;
  try {
    zip = await yauzl.fromBufferPromise(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), {
      strictFileNames: true,
    });
  } catch (error) {
    throw broken(error);
  }
  try {
    for await (const entry of zip.eachEntry()) {
      if (entries.has(entry.fileName)) throw damaged(name, `it holds ${printable(entry.fileName)} twice`);
      total += entry.compressedSize;
      if (total > bytes.length)
        throw damaged(name, `its entries claim more than the ${byteText(bytes.length)} of the file`);
      const { fileDataStart: start } = await zip.readLocalFileHeaderPromise(entry, { minimal: true });
      entries.set(entry.fileName, {
        data: bytes.subarray(start, start + entry.compressedSize),
        crc: entry.crc32,
        packing: packingOf(entry),
      });
    }
  } catch (error) {
    throw error instanceof UserError ? error : broken(error);
  }
  return entries;
}

function packingOf(entry: Entry): string | undefined {
  if (entry.isEncrypted()) return 'encrypted';
  return entry.compressionMethod === 0 ? undefined : 'compressed';
}

function refusePacked(entries: ReadonlyMap<string, Stored>, name: string): void {
  for (const [path, { packing }] of entries) {
    if (packing === undefined) continue;
    throw new UserError(`${name} was not loaded: ${printable(path)} in it is ${packing}, which PyTorch never does`, {
      hint: 'if it was zipped again by hand, unzip it and zip it without compression (zip -0)',
    });
  }
}
