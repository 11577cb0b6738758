/**
 * @file Which operators a computation calls. Every operator call goes through one function (dispatch.ts), so what a network
 * does can be written down without the network knowing; calls inside libtorch and of the addon's own kernels are not seen.
 */
import { setCallObserver } from './dispatch.ts';
import { parseSchema } from './schema.ts';

/** One call of an operator, with its arguments by the names its schema gives them. */
export interface OperatorCall {
  /** With its overload: `aten::add.Tensor`. */
  operator: string;
  /** Tensors as the caller gave them; defaults are filled in; null where there is none. */
  arguments: Readonly<Record<string, unknown>>;
  /** Names of the arguments it writes into. */
  writes: readonly string[];
  /** Makes the call, and returns what it returned. To be called once. */
  run(): unknown;
}

interface Signature {
  names: string[];
  defaults: unknown[];
  writes: string[];
}

const signatures = new Map<string, Signature>();

/** The value of a default such as `1`, `0.01`, `False`, `[]`, `[0, 0]`, `None`. */
function defaultOf(text: string | undefined): unknown {
  if (text === undefined || text === 'None') return null;
  if (text === 'True' || text === 'False') return text === 'True';
  if (text.startsWith('[')) {
    const inside = text.slice(1, -1).trim();
    return inside ? inside.split(',').map(Number) : [];
  }
  const number = Number(text);
  return Number.isNaN(number) ? text : number;
}

function signatureOf(schema: string): Signature {
  let found = signatures.get(schema);
  if (!found) {
    const { arguments: list } = parseSchema(schema);
    found = {
      names: list.map(({ name }) => name),
      defaults: list.map(({ defaultText }) => defaultOf(defaultText)),
      writes: [...schema.matchAll(/\([a-z]!\)(?:\[\])? (\w+)/g)].map(([, name]) => name!),
    };
    signatures.set(schema, found);
  }
  return found;
}

/**
 * Run `fn`, handing every operator call of this thread to `observer`, which must run it and return its result. Nests: only the
 * innermost observer hears.
 */
export function recordOperators<T>(observer: (call: OperatorCall) => unknown, fn: () => T): T {
  const before = setCallObserver((operator, values, run) => {
    const { names, defaults, writes } = signatureOf(operator.schema);
    const given = Object.fromEntries(names.map((name, i) => [name, values[i] ?? defaults[i]]));
    return observer({ operator: operator.name, arguments: given, writes, run });
  });
  try {
    return fn();
  } finally {
    setCallObserver(before);
  }
}
