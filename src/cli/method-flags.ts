/** @file `--method`, `--weight` and `--method-option`: losses on the command line, over those of a configuration file. */
import { InvalidArgumentError } from 'commander';
import { UserError } from '../base/errors.ts';
import type { ConfigInput } from '../config/index.ts';
import { number } from './flags.ts';

export interface MethodFlags {
  method?: { name: string; on?: 'x' | 'both' }[];
  weight?: [string, number][];
  methodOption?: [string, string, unknown][];
  /** Other places for kd's weight and temperature. */
  alpha?: number;
  temperature?: number;
}

/** `crd+kd`, `at@both+kd`: names joined by +, each with the views it acts on where that is not x alone. */
export function methodNames(text: string): { name: string; on?: 'x' | 'both' }[] {
  return text.split('+').map((part) => {
    const [name = '', on, ...rest] = part.trim().split('@');
    if (name === '' || rest.length > 0) throw new InvalidArgumentError('Join methods by +, as in crd+kd.');
    if (on === undefined) return { name };
    if (on !== 'x' && on !== 'both') throw new InvalidArgumentError(`A method acts on @x or @both, not on @${on}.`);
    return { name, on };
  });
}

/** `crd=0.8`, or several between commas; may be given again. */
export function methodWeights(text: string, before: [string, number][] = []): [string, number][] {
  const these = text.split(',').map((part): [string, number] => {
    const [name = '', value, ...rest] = part.trim().split('=');
    if (name === '' || value === undefined || rest.length > 0) {
      throw new InvalidArgumentError('Write NAME=WEIGHT, as in crd=0.8.');
    }
    return [name, number(value)];
  });
  return [...before, ...these];
}

/** `crd.negatives=4096`; may be given again. A value is a number, true or false, a list in brackets, or a word. */
export function methodOption(text: string, before: [string, string, unknown][] = []): [string, string, unknown][] {
  const match = /^\s*([\w-]+)\.([\w-]+)=(.*)$/.exec(text);
  if (!match) throw new InvalidArgumentError('Write NAME.OPTION=VALUE, as in crd.negatives=4096.');
  const [, name = '', key = '', value = ''] = match;
  try {
    return [...before, [name, key, JSON.parse(value)]];
  } catch {
    return [...before, [name, key, value]];
  }
}

/**
 * The settings with what the flags say of methods.
 *
 * @throws UserError for a weight or an option of a method that is not in use
 */
export async function withMethods(
  settings: Partial<ConfigInput>,
  { method, weight = [], methodOption: options = [], alpha, temperature }: MethodFlags,
): Promise<Partial<ConfigInput>> {
  if (!method && weight.length === 0 && options.length === 0) return settings;
  const { findLoss } = await import('../distill/losses/index.ts');
  const written = method ?? settings.methods ?? ['kd'];
  const isNamed = (one: unknown): boolean =>
    typeof one === 'string' || typeof (one as { name?: unknown } | null)?.name === 'string';
  // What a file says wrongly is for the check of the whole to tell.
  if (!Array.isArray(written) || !written.every(isNamed)) return settings;
  const kd = { ...settings.kd };
  const methods = written.map((one) => {
    const given = typeof one === 'string' ? { name: one } : { ...one };
    return { ...given, name: findLoss(given.name).name } as Exclude<typeof given, string> & {
      weight?: number;
      options?: Record<string, unknown>;
    };
  });
  const inUse = (flag: string, name: string): (typeof methods)[number] => {
    const full = findLoss(name).name;
    const found = methods.find((one) => one.name === full);
    if (found) return found;
    throw new UserError(`${flag}: ${full} is not in use`, {
      hint: `add it: --method ${[...methods.map((one) => one.name), full].join('+')}`,
    });
  };
  // A checked configuration names kd by its weight alone.
  if (!method && (kd.alpha ?? 0) > 0 && !methods.some(({ name }) => name === 'kd')) methods.push({ name: 'kd' });
  // kd's weight and temperature have a second place, where a file may have put them; two flags that differ are refused later.
  for (const [name, value] of weight) {
    const one = inUse(`--weight ${name}=${value}`, name);
    one.weight = value;
    if (one.name === 'kd' && kd.alpha !== undefined && alpha === undefined) kd.alpha = value;
  }
  for (const [name, key, value] of options) {
    const one = inUse(`--method-option ${name}.${key}`, name);
    one.options = { ...one.options, [key]: value };
    const again = one.name === 'kd' && key === 'temperature' && kd.temperature !== undefined;
    if (again && temperature === undefined) kd.temperature = value as number;
  }
  return { ...settings, methods, ...(settings.kd ? { kd } : {}) };
}
