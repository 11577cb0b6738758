/**
 * @file Where in a file the weights of a network are. Wrappers put something before every name (`module.` of DataParallel,
 * `_orig_mod.` of torch.compile, `model.` of a trainer, nested too) and trainers keep other things beside: losses, a teacher,
 * averaged weights. So the names of the network itself are looked for, under whatever comes before them.
 */
import { UserError } from '../base/errors.ts';
import { elementCount, type StoredTensors } from '../formats/index.ts';
import { networkTensors } from '../train/checkpoint.ts';

/** Weights found in a file, under their network's own names. */
export interface FoundWeights {
  tensors: StoredTensors;
  /** What the person should know: what was taken off the names, what was left aside. */
  notes: string[];
}

/** Names and shapes of a network, and whether weights are of it. */
export interface Candidate {
  /** First parts of its names: `conv1`, `layer1`, `fc`. */
  roots: ReadonlySet<string>;
  /** How many tensors it cannot do without. */
  required: number;
  fits(tensors: StoredTensors): boolean;
}

/** What profilers (thop) and averaged models leave among the weights; none of it is computed with. */
const counters = /(^|\.)(total_ops|total_params|n_averaged|_extra_state)$/;

/** What training leaves beside a network, as far as its name says so. Anything else might be a part of the network. */
const training =
  /^_?(n_averaged|epoch|steps?|global_step|num_updates|decay|initted|iter\w*|loss\w*|crit\w*|centers?|queue\w*|memory\w*|optim\w*|sched\w*|scaler\w*|metrics?|best_\w+|(train|val|valid|test)_\w+|teachers?|students?|ema\w*|\w*_ema|regress\w*|projectors?|distill\w*|contrast\w*|connectors?)(\.|$)/i;

/** Copies of the weights' shapes that are none: momentum by name, gradients. */
const optimizers = /(^|\.)(optim\w*|momentum\w*|exp_avg\w*|grads?|sched\w*|scaler)\./i;

/** Keys under which training scripts keep the weights. */
const usualKeys = /^(model|state_dict|net|model_state_dict)\./;

const first = (name: string): string => name.slice(0, name.indexOf('.') + 1 || undefined);

/** Those below a prefix, without it. */
function below(tensors: StoredTensors, prefix: string): StoredTensors {
  if (prefix === '') return tensors;
  return new Map(
    [...tensors].flatMap(([name, tensor]) => (name.startsWith(prefix) ? [[name.slice(prefix.length), tensor]] : [])),
  );
}

/** Every beginning of a name that ends with a dot, and none; the shortest first. */
function prefixesOf(tensors: StoredTensors): string[] {
  const prefixes = new Set(['']);
  for (const name of tensors.keys()) {
    for (let dot = name.indexOf('.'); dot >= 0; dot = name.indexOf('.', dot + 1)) prefixes.add(name.slice(0, dot + 1));
  }
  return [...prefixes].sort((a, b) => a.length - b.length);
}

/** The network's own among `tensors`, where they are those of the candidate and of training. */
function ownOf(tensors: StoredTensors, { roots, fits }: Candidate): StoredTensors | null {
  const own: StoredTensors = new Map();
  for (const [name, tensor] of tensors) {
    if (counters.test(name) || optimizers.test(name)) continue;
    const root = first(name).replace(/\.$/, '');
    const foreign = !roots.has(root) && (training.test(name) || isLoneScalar(name, tensor.shape));
    if (!foreign) own.set(name, tensor);
  }
  return own.size > 0 && fits(own) ? own : null;
}

/** `epoch: tensor(3)` at the top of a checkpoint. */
const isLoneScalar = (name: string, shape: readonly number[]): boolean =>
  shape.length === 0 && elementCount(shape) === 1 && !name.includes('.');

/** Which networks' weights are where. Once a prefix fits, what is below it is a part of that. */
function places(tensors: StoredTensors, candidates: readonly Candidate[], named: boolean) {
  const found: { prefix: string; tensors: StoredTensors }[] = [];
  for (const prefix of prefixesOf(tensors)) {
    // Where everything at the top is one network, `teacher.` beside it may still be another.
    if (found.some((place) => place.prefix !== '' && prefix.startsWith(place.prefix))) continue;
    const top = found.find((place) => place.prefix === '');
    if (top && candidates.some(({ roots }) => roots.has(first(prefix).replace(/\.$/, '')))) continue;
    if (!named && optimizers.test(prefix)) continue;
    const group = below(tensors, prefix);
    for (const candidate of candidates) {
      if (group.size < candidate.required) continue;
      const own = ownOf(group, candidate);
      if (!own) continue;
      found.push({ prefix, tensors: own });
      break;
    }
  }
  return found;
}

/** The shortest key for each prefix that leads to no other. */
function keysOf(prefixes: readonly string[]): string[] {
  return prefixes.map((prefix) => {
    const parts = prefix.split('.').slice(0, -1);
    const lengths = parts.map((_, i) => i + 1);
    const length = lengths.find((n) => {
      const short = `${parts.slice(0, n).join('.')}.`;
      return prefixes.every((other) => other === prefix || !other.startsWith(short));
    });
    return length === undefined ? '.' : parts.slice(0, length).join('.');
  });
}

/**
 * The weights of the one network in a file that is one of the candidates; null where there is none.
 *
 * @param key look below this only: a key of a checkpoint, the beginning of the names, or `.` for those without any
 * @param flag how the key is given, for the error: `--key`
 * @throws UserError if several are inside, listing them; or if nothing is below the key
 */
export function findWeights(
  path: string,
  stored: StoredTensors,
  candidates: readonly Candidate[],
  { key, flag, format }: { key?: string | undefined; flag: string; format: 'pth' | 'safetensors' },
): FoundWeights | null {
  const all = networkTensors(stored);
  const start = key === undefined || key === '.' ? '' : `${key.replace(/\.$/, '')}.`;
  const tensors = below(all, start);
  if (tensors.size === 0 && key !== undefined) return null;
  const found = places(tensors, candidates, key !== undefined).filter(({ prefix }) => key !== '.' || prefix === '');
  const [only] = found;
  if (!only) return null;
  if (found.length > 1) {
    const keys = keysOf(found.map(({ prefix }) => start + prefix));
    const shown = keys.map((name) => `'${name}'`).join(', ');
    throw new UserError(`${path} holds the weights of ${found.length} networks: ${shown}`, {
      hint: `say which with ${flag} ${keys.at(-1)}`,
    });
  }
  const notes: string[] = [];
  const { prefix, tensors: own } = only;
  // A checkpoint's usual key is no wrapper of names.
  const shown = key === undefined && format === 'pth' ? prefix.replace(usualKeys, '') : prefix;
  if (shown !== '') notes.push(`note: '${shown}' was taken off the names of the weights in ${path}`);
  const aside = [...tensors].filter(
    ([name, { shape }]) =>
      !(name.startsWith(prefix) && own.has(name.slice(prefix.length))) &&
      !counters.test(name) &&
      !optimizers.test(name) &&
      !isLoneScalar(name, shape),
  );
  const groups = [...new Set(aside.map(([name]) => first(name).replace(/\.$/, '')))];
  if (groups.length > 0) {
    const some = groups.slice(0, 6).map((name) => `'${name}'`);
    notes.push(
      `note: ${aside.length} other tensors in ${path} were left aside: ${some.join(', ')}${groups.length > 6 ? ', …' : ''}`,
    );
  }
  return { tensors: own, notes };
}
