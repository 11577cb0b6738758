/*
 * The form of torch.save before PyTorch 1.6: five pickles (magic number, protocol version, system, the object, the storage
 * keys), then each storage: a 64-bit element count and its bytes. https://github.com/pytorch/pytorch _legacy_load
 */

import { UserError } from '../base/errors.ts';
import { byteText } from '../base/quantity.ts';
import { unpickle } from './pickle.ts';
import type { PickleGlobal } from './pickle-values.ts';
import { type StorageRef, TensorBuilder } from './pth-tensors.ts';
import { bytesPerElement, printable, shown } from './stored.ts';

const magic = 0x1950a86a20f9469cfc6cn;
const protocol = 1001;

/** Read a file of torch.save's older form. @throws UserError */
export function readLegacyCheckpoint(bytes: Uint8Array, name: string): unknown {
  const damaged = (what: string, hint = 'copy or download it again') =>
    new UserError(`${name} is damaged: ${what}`, { hint });
  const tensors = new TensorBuilder(name);
  const findGlobal = (path: string): PickleGlobal | UserError => tensors.findGlobal(path);
  let at = 0;
  const next = (): unknown => {
    const { value, end } = unpickle(bytes, { name, start: at, findGlobal });
    at = end;
    return value;
  };
  if (next() !== magic) {
    throw new UserError(`${name} is a Python pickle, but not one that torch.save wrote`, {
      hint: "in the Python that made it: torch.save(model.state_dict(), 'weights.pth')",
    });
  }
  const version = next();
  if (version !== protocol)
    throw damaged(
      `its protocol is ${shown(version)}, not ${protocol}`,
      'it may come from a much older or newer PyTorch',
    );
  const system = next();
  if (system instanceof Map && system.get('little_endian') === false) {
    throw new UserError(`${name} was not loaded: it was written on a big-endian machine`, {
      hint: 'load and save it with PyTorch on an ordinary little-endian machine (x86 or ARM)',
    });
  }
  const { value, end } = unpickle(bytes, {
    name,
    start: at,
    findGlobal,
    persistentLoad: (id) => tensors.persistentLoad(id),
  });
  at = end;
  const found = readStorages(next(), () => at);
  tensors.finish((storage) => {
    const data = found.get(storage.key);
    if (!data) throw damaged(`the data of storage ${printable(storage.key)} is missing`);
    return data;
  }, bytes.length);
  return value;

  function readStorages(keys: unknown, start: () => number): Map<string, Uint8Array> {
    const described = describe(tensors.storages);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const result = new Map<string, Uint8Array>();
    let from = start();
    if (!Array.isArray(keys)) throw damaged('it has no list of storages');
    for (const key of keys as unknown[]) {
      const storage = typeof key === 'string' ? described.get(key) : undefined;
      if (!storage) throw damaged(`no tensor uses storage ${shown(key)}`);
      if (result.has(storage.key)) throw damaged(`storage ${printable(storage.key)} is there twice`);
      if (bytes.length - from < 8) throw damaged(`it ends before storage ${printable(storage.key)}`);
      const count = view.getBigInt64(from, true);
      if (count !== BigInt(storage.count)) {
        throw damaged(`storage ${printable(storage.key)} should have ${storage.count} elements, it says ${count}`);
      }
      const size = storage.count * bytesPerElement[storage.dtype];
      from += 8;
      if (size > bytes.length - from) {
        throw damaged(
          `storage ${printable(storage.key)} should have ${byteText(size)}, but the file has only ${byteText(bytes.length - from)} left`,
        );
      }
      result.set(storage.key, bytes.subarray(from, from + size));
      from += size;
    }
    return result;
  }

  /** The storages by key; two descriptions of one must agree. */
  function describe(storages: readonly StorageRef[]): Map<string, StorageRef> {
    const byKey = new Map<string, StorageRef>();
    for (const storage of storages) {
      const known = byKey.get(storage.key);
      if (known && (known.count !== storage.count || known.dtype !== storage.dtype)) {
        throw damaged(`storage ${printable(storage.key)} is described in two ways`);
      }
      byKey.set(storage.key, storage);
    }
    return byKey;
  }
}
