/** @file Drawn parameters as JSON and back, without loss: to log a draw, show it, and apply it again. */
import { UserError } from '../base/errors.ts';
import type { Parameters } from './scheme.ts';

const arrays = { Int32Array, Float64Array, Uint8Array } as const;
type ArrayName = keyof typeof arrays;
type JsonParameter = number | { type: ArrayName; values: number[] };

/** What `JSON.stringify` keeps all of: numbers, and arrays with their type. */
export function parametersToJson(parameters: Parameters): Record<string, JsonParameter> {
  return Object.fromEntries(
    Object.entries(parameters).map(([name, value]) => {
      if (typeof value === 'number') return [name, value];
      const type = (Object.keys(arrays) as ArrayName[]).find((key) => value instanceof arrays[key])!;
      return [name, { type, values: Array.from(value) }];
    }),
  );
}

/** @throws UserError when it is not what `parametersToJson` wrote */
export function parametersFromJson(json: unknown): Parameters {
  const complain = (name: string): never => {
    throw new UserError(`'${name}' is not the parameter of an augmentation`, {
      hint: 'parameters are read as parametersToJson wrote them',
    });
  };
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return complain(String(json));
  return Object.fromEntries(
    Object.entries(json as Record<string, unknown>).map(([name, value]) => {
      if (typeof value === 'number') return [name, value];
      const { type, values } = (value ?? {}) as { type?: unknown; values?: unknown };
      const known = typeof type === 'string' && Object.hasOwn(arrays, type);
      if (!known || !Array.isArray(values) || values.some((item) => typeof item !== 'number')) return complain(name);
      return [name, arrays[type as ArrayName].from(values as number[])];
    }),
  );
}
