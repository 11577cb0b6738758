/**
 * @file From a TypeScript call to libtorch's dispatcher and back: tensors become handles, results become tensors. The addon
 * builds the operator's stack from its schema and fills in defaults.
 */
import { nearest } from '../base/suggest.ts';
import { native } from './native.ts';
import type { Handle, NativeOperator } from './native-types.ts';
import { type OperatorFunction, parseSchema, schemaDifferences } from './schema.ts';
import { NativeTensor } from './tensor-scope.ts';
import { trustsArguments } from './unchecked.ts';

type AnyOperator = (...values: unknown[]) => unknown;

function kindOf(value: unknown): string {
  if (value instanceof NativeTensor) return 'one tensor';
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

/** A handle is a number, so that a number given for a tensor must not get as far as the addon. */
function wrongArgument(operator: NativeOperator, index: number, expected: string, value: unknown): TypeError {
  const { name, type } = parseSchema(operator.schema).arguments[index]!;
  const what = `expected ${expected}, got ${kindOf(value)}`;
  return new TypeError(`${operator.name}: argument '${name}' (${type}): ${what}`);
}

/** Makes a function that turns tensors into handles, in place: it is given a call's own rest array. */
function lowering(operator: NativeOperator): (values: unknown[]) => unknown[] {
  const { parameters } = operator;
  const indices = [...parameters].map((_, i) => i).filter((i) => parameters[i] !== 'V');
  const one = (index: number, value: unknown): unknown => {
    if (value instanceof NativeTensor) return value.handle;
    if (value === undefined || value === null) return value;
    throw wrongArgument(operator, index, 'a tensor', value);
  };
  const list = (index: number, value: unknown): unknown => {
    if (value === undefined || value === null) return value;
    if (!Array.isArray(value)) throw wrongArgument(operator, index, 'an array of tensors', value);
    return value.map((item: unknown) => one(index, item));
  };
  return (values) => {
    for (const i of indices) {
      if (i >= values.length) break;
      values[i] = parameters[i] === 'T' ? one(i, values[i]) : list(i, values[i]);
    }
    return values;
  };
}

/** Spreading an array into a native call costs 0.3 µs, a tenth of a small operator. */
function invoke(id: number, values: readonly unknown[]): unknown {
  const { call } = native();
  switch (values.length) {
    case 1:
      return call(id, values[0]);
    case 2:
      return call(id, values[0], values[1]);
    case 3:
      return call(id, values[0], values[1], values[2]);
    default:
      return call(id, ...values);
  }
}

/** What a call does, with its arguments in an array that it may overwrite. */
type Call = (values: unknown[]) => unknown;

/**
 * Sees every operator call: is given the operator, the arguments as the caller gave them, and what makes the call. It must
 * make it once and return its result.
 */
export type CallObserver = (operator: NativeOperator, values: readonly unknown[], call: () => unknown) => unknown;

let observer: CallObserver | null = null;

/** Let `next` see every operator call of this thread, or nobody; returns who did before. */
export function setCallObserver(next: CallObserver | null): CallObserver | null {
  const before = observer;
  observer = next;
  return before;
}

function lookUp(name: string): NativeOperator {
  const found = native().findOperator(name);
  if (found) return found;
  const base = name.replace(/^aten::/, '');
  const guess = nearest(
    base,
    native()
      .operatorNames()
      .map((known) => known.replace(/^aten::/, '')),
  );
  throw new TypeError(
    `unknown operator '${name}' in libtorch ${native().version()}${guess ? `; did you mean 'aten::${guess}'?` : ''}`,
  );
}

export interface OperatorOptions {
  /** Allow an operator that trusts its arguments: with wrong ones it may end the process instead of throwing. */
  unchecked?: boolean;
}

/** See `operator` in tensor.ts. */
export interface FindOperator<Tensor> {
  <Schema extends `${string}(${string}) -> ${string}`>(
    schema: Schema,
    options?: OperatorOptions,
  ): OperatorFunction<Schema, Tensor> & { schema: string };
  (name: string, options?: OperatorOptions): AnyOperator & { schema: string };
}

interface Dispatcher<Tensor> {
  find: FindOperator<Tensor>;
  /** A function for each schema, looked up in libtorch on its first call: defining costs nothing. */
  define(schemas: Readonly<Record<string, string>>): never;
}

/** Operators that return tensors of a class of its own, which is built on them and so is not known here. */
export function dispatcher<Tensor extends NativeTensor>(TensorOf: new (handle: Handle) => Tensor): Dispatcher<Tensor> {
  const wrap = (handle: unknown): Tensor | null => (handle === null ? null : new TensorOf(handle as Handle));

  function lift(code: string | undefined, value: unknown): unknown {
    if (code === 'T') return wrap(value);
    if (code === 'L') return (value as Handle[]).map(wrap);
    return value;
  }

  function bind(operator: NativeOperator): AnyOperator {
    const call = direct(operator);
    return (...values) => (observer === null ? call(values) : observer(operator, values, () => call(values.slice())));
  }

  function direct(operator: NativeOperator): Call {
    const { id, results, aliases } = operator;
    const lower = lowering(operator);
    if (results === 'T') return (values) => wrap(invoke(id, lower(values)));
    // An in-place operator returns one of its arguments: hand back the very object the caller gave.
    if (results === 'A') {
      const at = aliases[0]!;
      return (values) => {
        const own = values[at];
        invoke(id, lower(values));
        return own;
      };
    }
    if (results.length <= 1) return (values) => lift(results, invoke(id, lower(values)));
    return (values) => {
      const given = values.slice();
      const all = invoke(id, lower(values)) as unknown[];
      return all.map((value, i) => (aliases[i]! >= 0 ? given[aliases[i]!] : lift(results[i], value)));
    };
  }

  const find = (
    nameOrSchema: string,
    { unchecked = false }: OperatorOptions = {},
  ): AnyOperator & { schema: string } => {
    const open = nameOrSchema.indexOf('(');
    const found = lookUp(open < 0 ? nameOrSchema : nameOrSchema.slice(0, open));
    if (open >= 0) {
      const differences = schemaDifferences(nameOrSchema, found.schema);
      if (differences.length > 0) {
        throw new TypeError(`in libtorch ${native().version()}, ${found.name} is another: ${differences.join('; ')}`);
      }
    }
    if (!unchecked && trustsArguments(found.name)) {
      throw new TypeError(
        `${found.name} trusts its arguments: a wrong one may end the process. If yours are right: operator(…, { unchecked: true })`,
      );
    }
    return Object.assign(bind(found), { schema: found.schema });
  };

  return {
    find: find as FindOperator<Tensor>,
    define(schemas) {
      const table: Record<string, AnyOperator> = {};
      for (const [key, schema] of Object.entries(schemas)) {
        table[key] = (...values) => {
          const bound = bind(lookUp(schema.slice(0, schema.indexOf('('))));
          table[key] = bound;
          return bound(...values);
        };
      }
      return table as never;
    },
  };
}
