/** @file The losses of a configuration: how they are written, and what their weights and options are. */
import { UserError } from '../base/errors.ts';
import { flagName, named, toGive } from '../base/speech.ts';
import type { Draft, World } from './row.ts';
import { asList, plain } from './values.ts';

/** A loss by name, and the views it acts on. */
export interface MethodName {
  name: string;
  on: 'x' | 'both';
}

/** `crd+kd`, `at@both+kd`: names joined by +, each with the views it acts on where that is not x alone; or a list of such. */
export function readMethods(written: string | readonly string[]): MethodName[] {
  const parts = typeof written === 'string' ? written.split('+') : written;
  return parts.map((part) => {
    // The path of a file may have an @ of its own.
    const [, name = '', on = 'x'] = /^(.*?)(?:@([^@/\\]*))?$/.exec(part.trim()) ?? [];
    if (name === '' || (name.includes('@') && !/[\\/]/.test(name))) {
      throw new UserError(`${named('method')}: '${String(written)}' names no losses`, {
        hint: 'join them by +, as in crd+kd',
      });
    }
    if (on === 'x' || on === 'both') return { name, on };
    throw new UserError(`${named('method')}: a method acts on @x or @both, not on @${on}`);
  });
}

/** `crd=0.8`, or several between commas; may be given again. */
export function readWeights(text: string, before: unknown): unknown {
  const pairs = text.split(',').map((part) => {
    const [, name, value] = /^\s*([^=]+)=([^=]+)$/.exec(part) ?? [];
    if (name && value) return [name.trim(), plain(value)];
    throw new UserError(`${flagName('weight')} ${text}: write NAME=WEIGHT, as in crd=0.8`);
  });
  return { ...(before as object | undefined), ...Object.fromEntries(pairs) };
}

/** `crd.negatives=4096`; may be given again. A value is a number, true or false, a list in brackets, or a word. */
export function readOptions(text: string, before: unknown): unknown {
  const [, name = '', key = '', value = ''] = /^\s*(.+)\.([\w-]+)=(.*)$/.exec(text) ?? [];
  if (!name)
    throw new UserError(`${flagName('methodOption')} ${text}: write NAME.OPTION=VALUE, as in crd.negatives=4096`);
  const all = { ...(before as Record<string, object> | undefined) };
  let read: unknown = value;
  try {
    read = JSON.parse(value);
  } catch {
    // A word.
  }
  return { ...all, [name]: { ...all[name], [key]: read } };
}

/** The short names, as they are written: `at@both`. */
export function settleMethods(methods: readonly MethodName[], { findLoss, losses }: World): string[] {
  const settled = methods.map(({ name, on }) => {
    const definition = findLoss(name);
    if (on === 'both') {
      if (definition.name === 'kd') {
        throw new UserError("kd's term on x' has its own weight", {
          hint: `${toGive('strongWeight')}, which is alpha unless given`,
        });
      }
      if (definition.initOnly) {
        throw new UserError(
          `${definition.name} cannot act on x': it acts before the run's own epochs, where there is only x`,
        );
      }
      if (definition.onlyOriginal)
        throw new UserError(`${definition.name} cannot act on x': ${definition.onlyOriginal}`);
    }
    return { name: definition.name, reference: losses.canonical(name), on };
  });
  const twice = settled.find(({ name }, i) => settled.findIndex((other) => other.name === name) < i);
  if (twice) throw new UserError(`${named('method')}: ${twice.name} is named twice`);
  return settled.map(({ reference, on }) => (on === 'both' ? `${reference}@both` : reference));
}

/** The losses in use, in the order written. */
export const inUse = (
  { method }: Draft,
  { findLoss }: World,
): (MethodName & { definition: ReturnType<World['findLoss']> })[] =>
  readMethods(asList(method).map(String)).map((one) => ({ ...one, definition: findLoss(one.name) }));

export const hasKd = ({ method }: Draft): boolean => asList(method).includes('kd');

/** A record by a loss's short name, of losses in use alone. */
function byName<T>(key: string, value: Readonly<Record<string, T>>, given: Draft, world: World): Map<string, T> {
  const known = inUse(given, world).map(({ definition }) => definition.name);
  return new Map(
    Object.entries(value).map(([name, item]) => {
      const full = world.losses.fullName(name);
      if (known.includes(full)) return [full, item];
      world.findLoss(name);
      throw new UserError(`${named(key, name)}: ${full} is not in use`, {
        hint: `add it: ${toGive('method', [...known, full].join('+'))}`,
      });
    }),
  );
}

export function settleWeights(value: Record<string, number>, given: Draft, world: World): Record<string, number> {
  const weights = byName('weight', value, given, world);
  const entries = inUse(given, world).flatMap(({ definition }): [string, number][] => {
    const { name } = definition;
    if (name === 'kd') return [];
    const weight = weights.get(name);
    if (!definition.initOnly) return [[name, weight ?? definition.weight]];
    if (weight === undefined) return [];
    throw new UserError(`${named('weight', name)} has no effect: ${name} acts before the run's own epochs alone`, {
      hint: `the length of that stage is ${toGive('methodOption', `${name}.initEpochs=N`)}`,
    });
  });
  return Object.fromEntries(entries);
}

export function settleOptions(
  value: Record<string, Record<string, unknown>>,
  given: Draft,
  world: World,
): Record<string, Record<string, unknown>> {
  const options = byName('methodOption', value, given, world);
  const entries = inUse(given, world).flatMap(({ definition }) => {
    const { name } = definition;
    if (name === 'kd') return [];
    const all = world.resolveOptions(name, definition.options, options.get(name));
    return Object.keys(all).length > 0 ? [[name, { ...all }] as const] : [];
  });
  return Object.fromEntries(entries);
}

/**
 * kd is named like any other loss: its weight is `alpha` and its option `temperature`, wherever they are written.
 *
 * @throws UserError where two places contradict each other
 */
export function foldKd(
  written: Readonly<Record<string, unknown>>,
  { findLoss, losses, resolveOptions }: World,
): Record<string, unknown> {
  const folded: Record<string, unknown> = { ...written };
  const isKd = (name: string): boolean => losses.fullName(name) === 'kd';
  const take = (
    from: 'weight' | 'methodOption',
    to: 'alpha' | 'temperature',
    read: (value: unknown) => unknown,
  ): void => {
    const all = Object.entries((written[from] ?? {}) as Record<string, unknown>);
    const own = all.find(([name]) => isKd(name));
    if (!own) return;
    const value = read(own[1]);
    folded[from] = Object.fromEntries(all.filter((entry) => entry !== own));
    if (value === undefined) return;
    if (written[to] !== undefined && written[to] !== value) {
      throw new UserError(
        `${named(from, own[0])} says ${String(value)} and ${named(to)} ${String(written[to])}, which are the same thing`,
        {
          hint: 'give one of them',
        },
      );
    }
    folded[to] = value;
  };
  take('weight', 'alpha', (value) => value);
  take('methodOption', 'temperature', (value) => {
    const given = value as Record<string, unknown>;
    return 'temperature' in given
      ? (resolveOptions('kd', findLoss('kd').options, given) as Record<string, unknown>).temperature
      : undefined;
  });
  return folded;
}
