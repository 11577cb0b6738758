/** @file Parts by name: those that are here, and those of the user's that were loaded from files or given as objects. */
import { resolve } from 'node:path';
import { UserError } from './errors.ts';
import { isFileReference, referenceLabel } from './file-reference.ts';
import { type OptionSpecs, resolveOptions } from './options.ts';
import { unknownName } from './suggest.ts';

/** What a registry holds: something with a name, and perhaps others that it answers to. */
export interface Named {
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly options?: OptionSpecs;
}

/** A part of the user's, and what tells it from any other. */
export interface OwnPart<T> {
  part: T;
  /** Of its file and those that it imports; of the text of its functions where it was given as an object. */
  sha256: string;
}

/** Before the name of a part that was given as an object: there is no file to find it by. */
const OBJECT = 'object:';

/** How a part that was given as an object is referred to. */
export const objectReference = (name: string): string => `${OBJECT}${name}`;

const isObjectReference = (reference: string): boolean => reference.startsWith(OBJECT);

/** Whether a reference is to a part of the user's. */
export const isOwnReference = (reference: string): boolean =>
  isFileReference(reference) || isObjectReference(reference);

/** A reference to a part for people and records: its name, or its file without the folders. */
export const partLabel = (reference: string): string =>
  isObjectReference(reference) ? reference.slice(OBJECT.length) : referenceLabel(reference);

export interface RegistryOptions {
  /** Names that are alike by this are the same: for case, dashes. */
  alike?: (name: string) => string;
}

/**
 * The parts of one kind. Those of the user's come in by `add`, which the step before a run does (`loadParts`): afterwards `get`
 * finds them by the path of their file, wherever a name goes.
 */
export class Registry<T extends Named> {
  /** Of what, for messages: `method`, `augmentation`. */
  readonly kind: string;
  /** The parts that are here, in their order. */
  readonly list: readonly T[];
  readonly names: readonly string[];
  readonly #known: ReadonlyMap<string, T>;
  readonly #own = new Map<string, OwnPart<T>>();
  readonly #spellings: readonly string[];
  readonly #alike: (name: string) => string;

  constructor(kind: string, list: readonly T[], { alike = (name) => name }: RegistryOptions = {}) {
    this.kind = kind;
    this.list = list;
    this.names = list.map(({ name }) => name);
    this.#spellings = list.flatMap(({ name, aliases = [] }) => [name, ...aliases]);
    this.#alike = alike;
    this.#known = new Map(
      list.flatMap((part) => [part.name, ...(part.aliases ?? [])].map((name) => [alike(name), part] as const)),
    );
  }

  /** Make a part of the user's known by a reference: the path of its file, or `objectReference`. */
  add(reference: string, own: OwnPart<T>): void {
    this.#own.set(this.#key(reference), own);
  }

  #key = (reference: string): string => (isObjectReference(reference) ? reference : resolve(reference));

  /** A part of the user's that was added; undefined for the name of one that is here. @throws UserError if it was not added */
  own(reference: string): OwnPart<T> | undefined {
    if (!isOwnReference(reference)) return undefined;
    const found = this.#own.get(this.#key(reference));
    if (found) return found;
    if (isObjectReference(reference)) {
      throw new UserError(`the ${this.kind} ${partLabel(reference)} was given as an object, not by a file`, {
        hint: 'continue from the code that has it, or put it into a file and give the path of that',
      });
    }
    throw new UserError(`the ${this.kind} in ${reference} is not loaded`, {
      hint: 'in your own code: await loadParts(config) before what uses it',
    });
  }

  /** The full name of a part that is here; any other name as it is: a part of the user's goes by the one it gave itself. */
  fullName(name: string): string {
    return this.#known.get(this.#alike(name))?.name ?? name;
  }

  /** The part of a reference: a name, an alias, the path of a file. @throws UserError naming the nearest one */
  get(reference: string): T {
    const found = this.own(reference)?.part ?? this.#known.get(this.#alike(reference));
    if (!found) throw unknownName(this.kind, reference, this.#spellings);
    return found;
  }

  /** One spelling of a reference: a name as it is here, a file as it was given. @throws UserError as `get` */
  canonical(reference: string): string {
    const { name } = this.get(reference);
    return isOwnReference(reference) ? reference : name;
  }

  /**
   * The options given for parts in use, checked, with every default filled in, by reference. They are given by the parts' names:
   * `{ cutmix: { alpha: 0.5 } }`. A part that none were given for is not among them.
   *
   * @param setting where they were given, for the error: `--augment-option`
   * @throws UserError for a part that is not in use, an option that it does not have, or a value that is not allowed
   */
  options(
    references: readonly string[],
    given: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {},
    setting = 'options',
  ): Map<string, Record<string, unknown>> {
    const inUse = new Map(references.map((reference) => [this.get(reference).name, reference]));
    return new Map(
      Object.entries(given).map(([name, values]) => {
        const full = inUse.has(name) ? name : this.get(name).name;
        const reference = inUse.get(full);
        if (reference === undefined) {
          throw new UserError(`${setting} ${name}: the ${this.kind} ${full} is not in use`, {
            hint: `in use: ${[...inUse.keys()].join(', ') || 'none'}`,
          });
        }
        const { options = {} } = this.get(reference);
        return [reference, { ...(resolveOptions(full, options, values) as Record<string, unknown>) }];
      }),
    );
  }

  /** What tells the part from any other: its name, and the hash of its code where it is the user's. */
  identity(reference: string): { name: string; sha256?: string } {
    const own = this.own(reference);
    return own ? { name: partLabel(reference), sha256: own.sha256 } : { name: this.get(reference).name };
  }
}
