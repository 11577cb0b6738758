/**
 * @file From a TypeScript call to libtorch's dispatcher and back: tensors become handles, results become tensors. The addon
 * builds the operator's stack from its schema and fills in defaults.
 */
import { nearest } from '../base/suggest.ts';
import { native } from './native.ts';
import type { Handle, NativeOperator } from './native-types.ts';
import type { Tensor } from './tensor.ts';

type TensorClass = { wrap(handle: Handle): Tensor; is(value: unknown): value is Tensor };

let tensors: TensorClass;
/** tensor.ts introduces its class here, so that the operators need not import it. */
export function setTensorClass(cls: TensorClass): void {
  tensors = cls;
}

function lower(value: unknown): unknown {
  if (tensors.is(value)) return value.handle;
  if (Array.isArray(value) && value.length > 0 && typeof value[0] === 'object') {
    return value.map((item: unknown) => (tensors.is(item) ? item.handle : item));
  }
  return value;
}

function lift(code: string | undefined, value: unknown): unknown {
  if (code === 'T') return value === null ? null : tensors.wrap(value as Handle);
  if (code === 'L') return (value as Handle[]).map((handle) => tensors.wrap(handle));
  return value;
}

type AnyOperator = (...values: unknown[]) => unknown;

function bind(found: NativeOperator): AnyOperator {
  const { id, results } = found;
  const call = native().call;
  if (results === 'T') return (...values) => tensors.wrap(call(id, ...values.map(lower)) as Handle);
  // An in-place operator returns its first argument: hand back the very object the caller gave.
  if (results === 'A') {
    return (...values) => {
      call(id, ...values.map(lower));
      return values[0];
    };
  }
  if (results.length <= 1) return (...values) => lift(results, call(id, ...values.map(lower)));
  return (...values) => (call(id, ...values.map(lower)) as unknown[]).map((value, i) => lift(results[i], value));
}

function find(name: string): NativeOperator {
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

/**
 * Any of libtorch's operators by its full name, overload included, called with positional arguments in the schema's order.
 * Tensors in, tensors out; dtypes as codes (`dtypeCode`).
 *
 * @example
 * const erf = operator('aten::erf');
 * erf(x);
 */
export function operator(name: string): { (...values: unknown[]): unknown; schema: string } {
  const found = find(name);
  return Object.assign(bind(found), { schema: found.schema });
}

/** A function for each schema, looked up in libtorch on its first call: importing this costs nothing. */
export function defineOperators<T extends Record<string, string>>(schemas: T): never {
  const table: Record<string, AnyOperator> = {};
  for (const [key, schema] of Object.entries(schemas)) {
    table[key] = (...values) => {
      const bound = bind(find(schema.slice(0, schema.indexOf('('))));
      table[key] = bound;
      return bound(...values);
    };
  }
  return table as never;
}
