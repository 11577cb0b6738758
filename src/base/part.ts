/** @file What every part has in common, ours and the user's: a name, functions, options that have a default and a rule. */
import { UserError } from './errors.ts';

/** The kinds of parts that may come from a file, beside networks. */
export type PartKind = 'loss' | 'augmentation' | 'criterion' | 'dataset';

const written = new WeakMap<object, object>();

/** Keep what a part was written as beside it: `partText` tells parts apart by it. */
export function remember<T extends object>(part: T, definition: object): T {
  written.set(part, definition);
  return part;
}

/** The text of everything a part is made of: functions as they are written. What they close over is not seen. */
export const partText = (part: object): string =>
  JSON.stringify(written.get(part) ?? part, (_key, value: unknown) =>
    typeof value === 'function' ? String(value) : value,
  );

/** How each kind is defined. */
export const definers: Readonly<Record<PartKind, string>> = {
  loss: 'defineLoss',
  augmentation: 'defineAugmentation',
  criterion: 'defineCriterion',
  dataset: 'defineDataset',
};

/** Of one kind, made by its `define…`: found by this among what a file exports. */
export const isPart = (value: unknown, kind: PartKind): value is { kind: PartKind; name: string } =>
  typeof value === 'object' && value !== null && 'kind' in value && value.kind === kind;

/** Refuse, where it is written, a part that lacks a name, a function or an option's rule. @throws UserError */
export function checkPart(
  kind: PartKind,
  definition: { name: string; options?: object | undefined },
  functions: readonly string[],
): void {
  const refuse = (what: string, hint: string): never => {
    throw new UserError(`${definers[kind]}: ${what}`, { hint });
  };
  if (typeof definition.name !== 'string' || !/^[\w+-]+$/.test(definition.name)) {
    refuse(`its name must be a word, got ${JSON.stringify(definition.name)}`, 'letters, digits, - and _');
  }
  const holder = definition as unknown as Record<string, unknown>;
  const missing = functions.find((name) => typeof holder[name] !== 'function');
  if (missing)
    refuse(`the ${kind} ${definition.name} has no function ${missing}`, `it needs ${functions.join(' and ')}`);
  for (const [name, spec] of Object.entries((definition.options ?? {}) as Record<string, unknown>)) {
    const { allows } = (spec ?? {}) as { allows?: unknown };
    if (typeof allows === 'function') continue;
    refuse(
      `the option ${name} of ${definition.name} has no rule`,
      `write it with one of 'options': ${name}: options.positive(1, 'what it does')`,
    );
  }
}
