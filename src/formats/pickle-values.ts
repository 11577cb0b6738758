/* What a pickle's program works on, and what it may spend. */

/** V8 hashes numbers without a secret, so a hostile file could make every one of them collide; strings are safe. */
const maxOddKeys = 20_000;

/** Thrown where a pickle makes no sense; `unpickle` turns it into a `UserError` that says in which file and where. */
export class PickleProblem extends Error {}

/** A class or function that a pickle names. Inert: `call`, where it has one, only builds a value out of its arguments. */
export class PickleGlobal {
  readonly path: string;
  readonly call: ((args: readonly unknown[], budget: Budget) => unknown) | undefined;

  constructor(path: string, call?: (args: readonly unknown[], budget: Budget) => unknown) {
    this.path = path;
    this.call = call;
  }
}

/** An object of a class that is allowed but means nothing here, with the attributes the pickle gave it. */
export class PickledObject {
  readonly type: string;
  readonly attributes: Map<string, unknown> = new Map();

  constructor(type: string) {
    this.type = type;
  }

  /** What Python's `__setstate__` would get. */
  setState(state: unknown): void {
    if (!(state instanceof Map)) return;
    for (const [key, value] of state) if (typeof key === 'string') this.attributes.set(key, value);
  }
}

/**
 * Bounds memory by the pickle's own size. A few bytes of pickle can ask for a container, or for another copy of a long
 * string it holds once; real files stay far below these rates.
 */
export class Budget {
  private left: number;
  private oddKeys = 0;

  constructor(size: number) {
    this.left = 1_000_000 + 16 * size;
  }

  /** Account for `count` bytes of new memory. */
  spend(count: number): void {
    this.left -= count;
    if (this.left < 0) throw new PickleProblem('it builds far more objects than a file of its size plausibly holds');
  }

  /** Account for one use of `key` in a dict or set, and return it. */
  key(key: unknown): unknown {
    if (typeof key === 'bigint') throw new PickleProblem('an integer beyond 2^53 is used as a key');
    if (typeof key !== 'string' && ++this.oddKeys > maxOddKeys) {
      throw new PickleProblem(`it has more than ${maxOddKeys} keys that are not strings`);
    }
    return key;
  }
}
