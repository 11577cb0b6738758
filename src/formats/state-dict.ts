import { UserError } from '../base/errors.ts';
import { isStoredTensor, printable, type StoredTensors, scalarOf, shown } from './stored.ts';

/** A plain value beside the weights: epoch, accuracy, a name. */
export type Scalar = number | string | boolean | null;

export interface StateDict {
  readonly tensors: StoredTensors;
  /** Scalars found beside the weights; without a prototype. One-element tensors are scalars too. */
  readonly extra: Record<string, Scalar>;
}

/** Keys under which training scripts keep the weights. */
const wrappers = ['model', 'state_dict', 'net', 'model_state_dict'];
/** What DataParallel and torch.compile put before every name. */
const prefixes = ['module.', '_orig_mod.'];

/**
 * Find the weights in what `readPth` returned: the value itself where it is a dict of tensors, or its `model`, `state_dict`,
 * `net` or `model_state_dict`. A `module.` before every name is taken off.
 *
 * @param name how messages call the file
 * @param key the key to take instead, `ema` say
 * @throws UserError if there are no weights, or something else among them
 */
export function stateDictFrom(value: unknown, name: string, key?: string): StateDict {
  if (!(value instanceof Map)) {
    throw new UserError(`${name} holds ${shown(value)}, not a dict of weights`, {
      hint: "save it as torch.save(model.state_dict(), 'weights.pth')",
    });
  }
  const wrapper = key ?? wrappers.find((candidate) => hasTensors(value.get(candidate)));
  const weights: unknown = wrapper === undefined ? value : value.get(wrapper);
  if (!(weights instanceof Map) || !hasTensors(weights)) throw noWeights(value, name, key);
  const tensors: StoredTensors = new Map();
  for (const [entry, item] of weights as Map<unknown, unknown>) {
    const bare = weights === value;
    if (typeof entry === 'string' && isStoredTensor(item)) tensors.set(entry, item);
    else if (!bare && !(typeof entry === 'string' && entry.endsWith('_extra_state'))) {
      throw new UserError(`${name}: ${shown(entry)} among the weights is ${shown(item)}, not a tensor`);
    }
  }
  return { tensors: withoutPrefix(tensors), extra: scalarsIn(value, tensors) };
}

/** How deep tensors are looked for in a checkpoint: `state.model_ema.module` and the like. */
const maxDepth = 6;
/** Longer lists are logs. */
const maxList = 100;

/**
 * Every tensor in what `readPth` returned, by its path: `model.conv1.weight` where `conv1.weight` is under `model`. What is
 * no tensor is left out.
 */
export function tensorsIn(value: unknown): StoredTensors {
  const tensors: StoredTensors = new Map();
  // Each dict once: a pickle may share them so that their paths are far more than its bytes.
  const seen = new Set<unknown>();
  const walk = (key: unknown, item: unknown, prefix: string, depth: number): void => {
    if (typeof key !== 'string') return;
    const path = prefix + key;
    if (isStoredTensor(item)) tensors.set(path, item);
    else if (depth < maxDepth && !seen.has(item)) entries(item, `${path}.`, depth + 1);
  };
  const entries = (group: unknown, prefix: string, depth: number): void => {
    if (group instanceof Map) {
      seen.add(group);
      for (const [key, item] of group) walk(key, item, prefix, depth);
    } else if (Array.isArray(group) && group.length <= maxList) {
      seen.add(group);
      group.forEach((item, i) => {
        walk(String(i), item, prefix, depth);
      });
    }
  };
  entries(value, '', 0);
  return tensors;
}

const hasTensors = (value: unknown): boolean => value instanceof Map && [...value.values()].some(isStoredTensor);

/** The plain values at a checkpoint's top level; without a prototype. Tensors of `weights` are not meant. */
export function scalarsIn(value: unknown, weights?: StoredTensors): Record<string, Scalar> {
  const extra: Record<string, Scalar> = Object.create(null);
  if (!(value instanceof Map)) return extra;
  for (const [entry, item] of value as Map<unknown, unknown>) {
    if (typeof entry !== 'string' || (weights && weights.get(entry) === item)) continue;
    const scalar = isStoredTensor(item) ? scalarOf(item) : item;
    if (typeof scalar === 'bigint') extra[entry] = String(scalar);
    else if (scalar === null || ['number', 'string', 'boolean'].includes(typeof scalar))
      extra[entry] = scalar as Scalar;
  }
  return extra;
}

/** Take a prefix off that every name has. */
export function withoutPrefix(tensors: StoredTensors): StoredTensors {
  for (const prefix of prefixes) {
    const names = [...tensors.keys()];
    if (names.every((name) => name.startsWith(prefix))) {
      return withoutPrefix(new Map([...tensors].map(([name, tensor]) => [name.slice(prefix.length), tensor])));
    }
  }
  return tensors;
}

function noWeights(value: Map<unknown, unknown>, name: string, key: string | undefined): UserError {
  const keys = [...value.keys()].map((entry) => shown(entry));
  const others = [...value].filter(([, item]) => hasTensors(item)).map(([entry]) => shown(entry));
  const looked =
    key === undefined ? `the top level, ${wrappers.map((wrapper) => `'${wrapper}'`).join(', ')}` : printable(key);
  return new UserError(`${name} has no weights where they were looked for (${looked})`, {
    hint:
      others.length > 0
        ? `there are tensors under ${others.slice(0, 10).join(', ')}: name the key to take (thrive import --key)`
        : `it holds ${keys.length > 0 ? keys.slice(0, 10).join(', ') : 'an empty dict'}${keys.length > 10 ? ', …' : ''}`,
  });
}
