/** @file Whether a network's classes are the data's: the same names, in the same order or in another. */
import { UserError } from '../base/errors.ts';

/** Spelling that differs between copies of a dataset: `aquarium_fish`, `Aquarium fish`. */
const plain = (name: string): string =>
  name
    .toLowerCase()
    .replace(/[\s_-]+/g, ' ')
    .trim();

/**
 * Where each class of the data is among a network's; null where the order is the same, or its file names no classes.
 *
 * @throws UserError if the network has other classes, naming one of each side
 */
export function classOrder(
  path: string,
  own: readonly string[],
  data: { name: string; classNames: readonly string[] },
  hint = 'choose the dataset it was trained on, or another teacher',
): number[] | null {
  if (own.length === 0) return null;
  const [ours, theirs] = [data.classNames.map(plain), own.map(plain)];
  if (ours.join('\n') === theirs.join('\n')) return null;
  const places = new Map(theirs.map((name, i) => [name, i]));
  const missing = ours.findIndex((name) => !places.has(name));
  if (missing >= 0 || places.size !== ours.length) {
    const other = theirs.findIndex((name) => !ours.includes(name));
    const its = other >= 0 ? ` (${list(own)})` : '';
    throw new UserError(
      `${path} was trained for other classes${its} than ${data.name} has (${list(data.classNames)})`,
      { hint },
    );
  }
  return ours.map((name) => places.get(name)!);
}

const list = (names: readonly string[]): string => `${names.slice(0, 3).join(', ')}${names.length > 3 ? ', …' : ''}`;

/** The note about classes in another order. */
export const orderNote = (path: string, data: string): string =>
  `note: ${path} has the classes of ${data} in another order; its logits are put into the order of ${data}`;
