/**
 * @file How a setting is called towards whoever gave it: by its flag where it was typed on a command line, by its key where it stands
 * in a file or in code. One process speaks one way: the command line says once what was typed; a library says keys.
 */

let typed: ReadonlySet<string> | null = null;

/** `batchSize` on the command line: `--batch-size`. */
export const flagName = (key: string): string => `--${key.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`;

/** From here on a person at a command line is spoken to, who typed these settings. Null: a library's caller again. */
export function speakFlags(keys: Iterable<string> | null): void {
  typed = keys && new Set(keys);
}

/** Whether a person at a command line is spoken to, for advice that differs by more than a name. */
export const speaksFlags = (): boolean => typed !== null;

/** A setting that was given, as it was given. `part` is what stands below it: an option's name. */
export function named(key: string, part?: string): string {
  if (typed?.has(key)) return flagName(key) + (part === undefined ? '' : ` ${part}`);
  return part === undefined ? key : `${key}.${part}`;
}

/** A setting to be given, for hints: `--batch-size 2` on the command line, whatever was typed, else `batchSize: 2`. */
export function toGive(key: string, value?: string | number): string {
  if (typed) return flagName(key) + (value === undefined ? '' : ` ${value}`);
  return value === undefined ? key : `${key}: ${typeof value === 'number' ? value : `'${value}'`}`;
}
