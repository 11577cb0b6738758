/*
 * The JSON header of a safetensors file, parsed by a grammar of its own: JSON.parse would let duplicate names pass, round
 * large offsets and recurse as deep as a hostile file asks. Nothing here nests deeper than the format does.
 */

/** One tensor as the header describes it; offsets count from the end of the header. Not yet checked against the file. */
export interface HeaderEntry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

export interface Header {
  readonly entries: Map<string, HeaderEntry>;
  /** Prototype-free, so that `__proto__` is a name like any other. */
  readonly metadata: Record<string, string>;
}

/** Thrown with a message that fits after "the header …"; the caller adds the file's name. */
export class HeaderProblem extends Error {}

const quote = 0x22;
const backslash = 0x5c;

class Scanner {
  private at = 0;
  private readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  fail(what: string): never {
    throw new HeaderProblem(`${what} (character ${this.at} of the header)`);
  }

  private space(): void {
    for (;;) {
      const code = this.text.charCodeAt(this.at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
      this.at++;
    }
  }

  /** Consume `char` if it comes next. */
  take(char: string): boolean {
    this.space();
    if (this.text[this.at] !== char) return false;
    this.at++;
    return true;
  }

  expect(char: string): void {
    if (!this.take(char))
      this.fail(this.at >= this.text.length ? `ends where '${char}' belongs` : `is not valid JSON: '${char}' expected`);
  }

  end(): void {
    this.space();
    if (this.at < this.text.length) this.fail('goes on after its closing brace');
  }

  string(): string {
    this.expect('"');
    const start = this.at - 1;
    let escaped = false;
    for (; this.at < this.text.length; this.at++) {
      const code = this.text.charCodeAt(this.at);
      if (code === quote) {
        this.at++;
        const literal = this.text.slice(start, this.at);
        if (!escaped) return literal.slice(1, -1);
        return this.unescape(literal);
      }
      if (code < 0x20) this.fail('is not valid JSON: a control character inside a string');
      if (code === backslash) {
        escaped = true;
        this.at++;
      }
    }
    return this.fail('ends inside a string');
  }

  private unescape(literal: string): string {
    let value: unknown;
    try {
      value = JSON.parse(literal);
    } catch {
      this.fail('is not valid JSON: a bad escape in a string');
    }
    // Half a surrogate pair cannot be written back as UTF-8.
    if (/\p{Cs}/u.test(value as string)) this.fail('is not valid UTF-8: half of a surrogate pair in a string');
    return value as string;
  }

  /** A non-negative integer that a JavaScript number holds exactly. */
  count(what: string): number {
    this.space();
    const token = /^[-+.\w]*/.exec(this.text.slice(this.at, this.at + 40))![0];
    if (!/^(0|[1-9][0-9]*)$/.test(token))
      this.fail(`has ${what} ${token || 'missing'} where a non-negative integer belongs`);
    const value = Number(token);
    if (!Number.isSafeInteger(value)) this.fail(`has ${what} ${token}, which is too large`);
    this.at += token.length;
    return value;
  }

  counts(what: string, limit: number): number[] {
    this.expect('[');
    const values: number[] = [];
    if (this.take(']')) return values;
    do {
      if (values.length === limit) this.fail(`has more than ${limit} numbers in ${what}`);
      values.push(this.count(what));
    } while (this.take(','));
    this.expect(']');
    return values;
  }

  /** `{"name": …, …}`, every name once; `value` must consume what follows the colon. */
  object(what: (name: string) => string, value: (name: string) => void): void {
    const seen = new Set<string>();
    this.expect('{');
    if (this.take('}')) return;
    do {
      const name = this.string();
      if (seen.has(name)) this.fail(`has ${what(name)} twice`);
      seen.add(name);
      this.expect(':');
      value(name);
    } while (this.take(','));
    this.expect('}');
  }
}

/**
 * Parse a header's text.
 *
 * @param show how a name appears in messages
 * @throws HeaderProblem
 */
export function parseHeader(text: string, maxRank: number, show: (name: string) => string): Header {
  const scanner = new Scanner(text);
  const entries = new Map<string, HeaderEntry>();
  const metadata: Record<string, string> = Object.create(null);
  scanner.object(
    (name) => `tensor ${show(name)}`,
    (name) => {
      if (name === '__metadata__') {
        scanner.object(
          (key) => `metadata key ${show(key)}`,
          (key) => {
            metadata[key] = scanner.string();
          },
        );
      } else {
        entries.set(name, parseEntry(scanner, name, maxRank, show));
      }
    },
  );
  scanner.end();
  return { entries, metadata };
}

function parseEntry(scanner: Scanner, name: string, maxRank: number, show: (name: string) => string): HeaderEntry {
  let dtype: string | undefined;
  let shape: number[] | undefined;
  let offsets: number[] | undefined;
  scanner.object(
    (field) => `field ${show(field)} of tensor ${show(name)}`,
    (field) => {
      if (field === 'dtype') dtype = scanner.string();
      else if (field === 'shape') shape = scanner.counts(`the shape of tensor ${show(name)}`, maxRank);
      else if (field === 'data_offsets') offsets = scanner.counts(`the data_offsets of tensor ${show(name)}`, 2);
      else scanner.fail(`has an unknown field ${show(field)} in tensor ${show(name)}`);
    },
  );
  const missing = !dtype ? 'dtype' : !shape ? 'shape' : !offsets ? 'data_offsets' : undefined;
  if (missing || !dtype || !shape || !offsets) return scanner.fail(`has no ${missing} for tensor ${show(name)}`);
  const [begin, end] = offsets;
  if (begin === undefined || end === undefined) {
    return scanner.fail(`has ${offsets.length} data_offsets for tensor ${show(name)}, not 2`);
  }
  return { dtype, shape, begin, end };
}
