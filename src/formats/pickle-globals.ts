/*
 * Which classes and functions a checkpoint's pickle may name besides PyTorch's tensors, and the refusal of all others. Each
 * entry builds plain data; the list follows what torch.save and the training scripts around it put beside the weights.
 */
import { basename } from 'node:path';
import { UserError } from '../base/errors.ts';
import { NumpyArray } from './numpy-array.ts';
import { NumpyDType, numpyScalar } from './numpy-scalar.ts';
import { type Budget, PickledObject, PickleGlobal, PickleProblem } from './pickle-values.ts';
import { printable } from './stored.ts';

/** Names that moved: Python 2 to 3, Python 3.13, NumPy 2. */
const moved: ReadonlyMap<string, string> = new Map([
  ['__builtin__', 'builtins'],
  ['copy_reg', 'copyreg'],
  ['pathlib._local', 'pathlib'],
  ['numpy._core.multiarray', 'numpy.core.multiarray'],
  ['numpy._core.numeric', 'numpy.core.numeric'],
]);

/** The name by which the tables know `path`. */
export function canonicalPath(path: string): string {
  const dot = path.lastIndexOf('.');
  const module = moved.get(path.slice(0, dot));
  return module === undefined ? path : module + path.slice(dot);
}

const entries: PickleGlobal[] = [
  new PickleGlobal('collections.OrderedDict', dict),
  new PickleGlobal('collections.Counter', dict),
  new PickleGlobal('collections.defaultdict', (args, budget) => dict(args.slice(1), budget)),
  new PickleGlobal('builtins.dict', dict),
  new PickleGlobal('builtins.list', (args, budget) => [...items(args, budget)]),
  new PickleGlobal('builtins.set', (args, budget) => new Set(items(args, budget).map((item) => budget.key(item)))),
  new PickleGlobal(
    'builtins.frozenset',
    (args, budget) => new Set(items(args, budget).map((item) => budget.key(item))),
  ),
  ...['int', 'float', 'bool', 'str', 'object'].map((name) => new PickleGlobal(`builtins.${name}`)),
  new PickleGlobal('builtins.bytes', encode),
  new PickleGlobal('builtins.bytearray', encode),
  new PickleGlobal('_codecs.encode', encode),
  new PickleGlobal('copyreg._reconstructor', ([type, base, state]) => {
    if (
      type instanceof PickleGlobal &&
      base instanceof PickleGlobal &&
      base.path === 'builtins.object' &&
      state === null
    ) {
      if (opaque.has(type.path)) return new PickledObject(type.path);
    }
    throw new PickleProblem('it rebuilds an object in an unknown way');
  }),
  new PickleGlobal('numpy.dtype', ([code]) => new NumpyDType(code)),
  new PickleGlobal('numpy.core.multiarray.scalar', numpyScalar),
  new PickleGlobal('numpy.core.multiarray._reconstruct', () => new NumpyArray()),
  new PickleGlobal('numpy.core.numeric._frombuffer', (args) => NumpyArray.fromBuffer(args)),
  new PickleGlobal('numpy.ndarray'),
];
const opaque = new Set(['argparse.Namespace', 'types.SimpleNamespace']);
for (const path of opaque) entries.push(new PickleGlobal(path, () => new PickledObject(path)));
for (const type of ['PosixPath', 'WindowsPath', 'PurePosixPath', 'PureWindowsPath', 'Path']) {
  entries.push(new PickleGlobal(`pathlib.${type}`, joinPath));
}

/** Everything allowed that has nothing to do with tensors, by name. */
export const plainGlobals: ReadonlyMap<string, PickleGlobal> = new Map(entries.map((entry) => [entry.path, entry]));

/** `OrderedDict()`, or Python 2's `OrderedDict([[key, value], …])`, or `Counter({…})`. */
function dict(args: readonly unknown[], budget: Budget): Map<unknown, unknown> {
  const [source = []] = args;
  if (args.length > 1) throw new PickleProblem('it makes a dict from more than one argument');
  if (source instanceof Map) return source;
  if (!Array.isArray(source)) throw new PickleProblem('it makes a dict from something unsuitable');
  const result = new Map<unknown, unknown>();
  for (const pair of source as unknown[]) {
    budget.spend(64);
    if (!Array.isArray(pair) || pair.length !== 2) throw new PickleProblem('it makes a dict from something unsuitable');
    result.set(budget.key(pair[0]), pair[1]);
  }
  return result;
}

function items(args: readonly unknown[], budget: Budget): readonly unknown[] {
  const [source = []] = args;
  if (args.length > 1 || !Array.isArray(source))
    throw new PickleProblem('it makes a list or set from something unsuitable');
  budget.spend(32 * source.length);
  return source;
}

/** How protocol 2 writes bytes: `encode('…', 'latin1')`, or `bytes()` when there are none. */
function encode([text = '', encoding = 'latin1']: readonly unknown[], budget: Budget): Uint8Array {
  if (text instanceof Uint8Array) return text;
  if (typeof text !== 'string' || (encoding !== 'latin1' && encoding !== 'latin-1')) {
    throw new PickleProblem('it makes bytes from something unsuitable');
  }
  budget.spend(text.length);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 255) throw new PickleProblem('it makes bytes from text that is not Latin-1');
    bytes[i] = code;
  }
  return bytes;
}

function joinPath(parts: readonly unknown[], budget: Budget): string {
  let length = 0;
  for (const part of parts) {
    if (typeof part !== 'string') throw new PickleProblem('it makes a path of something other than strings');
    length += 2 + part.length;
    budget.spend(2 + part.length);
  }
  return length === 0 ? '.' : parts.join('/').replace(/^\/\//, '/');
}

/** Names by which a pickle runs commands or code. */
const dangerous =
  /^(os|posix|nt|sys|subprocess|pty|shutil|ctypes|importlib|runpy|code|webbrowser|marshal|bdb|pdb)\.|^builtins\.(eval|exec|compile|open|__import__|execfile)$/;

/** The error for a class or function outside the tables: names it, says that nothing was loaded, and what to do. */
export function refusedGlobal(file: string, path: string): UserError {
  const canonical = canonicalPath(path);
  const quoted = printable(canonical);
  const load = `torch.load(${JSON.stringify(basename(file))}, weights_only=False)`;
  if (dangerous.test(canonical)) {
    return new UserError(
      `${file} was not loaded: its pickle asks Python to run ${quoted}. Weights never need that; an attack does`,
      { hint: 'no code was run here; do not open this file with torch.load either' },
    );
  }
  if (canonical === 'torch.storage._load_from_bytes') {
    return new UserError(`${file} was not loaded: it was written with pickle.dump, not with torch.save`, {
      hint: "in the Python that made it: torch.save(model.state_dict(), 'weights.pth')",
    });
  }
  if (/^torch\.nn\.modules\./.test(canonical)) {
    return new UserError(`${file} was not loaded: it holds a whole model (${quoted}), not weights. No code is run`, {
      hint: `if you trust it, in Python with the model's code: torch.save(${load}.state_dict(), 'weights.pth')`,
    });
  }
  return new UserError(
    `${file} was not loaded: its pickle needs the class or function ${quoted}. Only tensors and plain values are read; no code is run`,
    {
      hint: `if you trust it, save the weights alone with PyTorch: torch.save(${load}['state_dict'], 'weights.pth'), with the key that holds them; if it is a whole model, .state_dict() in place of the key`,
    },
  );
}
