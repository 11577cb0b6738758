import { UserError } from '../base/errors.ts';
import { toGive } from '../base/speech.ts';

/**
 * Counter-based random streams. A draw is a function of (seed, purpose, path, position in that stream) and of nothing else,
 * so the number of workers, their order and a restart cannot change it.
 *
 * The generator is Philox4x32-10: J. Salmon, M. Moraes, R. Dror, D. Shaw, "Parallel random numbers: as easy as 1, 2, 3",
 * SC'11. It is a bijection of a 128-bit counter under a 64-bit key; each counter value yields four 32-bit words.
 *
 *     key      = the seed's 53 bits xor a 64-bit hash of the purpose
 *     counter  = [ block within the stream, path[0] + 1, path[1] + 1, path[2] + 1 ]     (0: that level is absent)
 *
 * So, under one seed and purpose, streams whose paths have up to three numbers never overlap; under one purpose, neither do
 * those of two seeds. Two purposes under one seed meet only if their hashes do (one chance in 2^64 for a pair of names).
 * A fourth number, or a name within the path, derives a new key from the block 0xffffffff, which is never drawn from: there
 * too a meeting is one chance in 2^64 for a pair. Limits: path numbers 0 to 2^32 - 2, 2^34 - 4 words a stream.
 *
 * Integers and uniform numbers are the same on every machine. Normal, gamma and beta draws go through Math.log and Math.cos,
 * whose last bit belongs to the JavaScript engine (the same on every platform for one version of Node.js).
 */

const M0 = 0xd2511f53;
const M1 = 0xcd9e8d57;
const WEYL0 = 0x9e3779b9 | 0;
const WEYL1 = 0xbb67ae85 | 0;
const DERIVE = 0xffffffff;
const TWO_32 = 2 ** 32;

/** The four words of the block made last. One thread, no re-entry: whoever calls `philox` reads them before anyone else can. */
const words = new Int32Array(4);

/** The high 32 bits of the product of two unsigned 32-bit numbers, as a signed one. */
function mulhi(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = (Math.imul(aHigh, bLow) + (Math.imul(aLow, bLow) >>> 16)) | 0;
  const carry = ((middle & 0xffff) + Math.imul(aLow, bHigh)) | 0;
  return (Math.imul(aHigh, bHigh) + (middle >>> 16) + (carry >>> 16)) | 0;
}

/** Ten rounds of Philox4x32 on one counter; the result is in `words`. */
function philox(c0: number, c1: number, c2: number, c3: number, k0: number, k1: number): void {
  for (let round = 0; round < 10; round++) {
    const high0 = mulhi(c0, M0);
    const high1 = mulhi(c2, M1);
    const low0 = Math.imul(c0, M0);
    const low1 = Math.imul(c2, M1);
    c0 = high1 ^ c1 ^ k0;
    c1 = low1;
    c2 = high0 ^ c3 ^ k1;
    c3 = low0;
    k0 = (k0 + WEYL0) | 0;
    k1 = (k1 + WEYL1) | 0;
  }
  words[0] = c0;
  words[1] = c1;
  words[2] = c2;
  words[3] = c3;
}

/**
 * One block of the bare generator: four unsigned 32-bit words for a counter of four and a key of two. For tests and for code
 * that lays out its own counters; otherwise use `stream`.
 */
export function philox4x32(
  counter: readonly [number, number, number, number],
  key: readonly [number, number],
): [number, number, number, number] {
  philox(counter[0], counter[1], counter[2], counter[3], key[0], key[1]);
  return [words[0]! >>> 0, words[1]! >>> 0, words[2]! >>> 0, words[3]! >>> 0];
}

/** Absorbs a name's UTF-16 units, four a block, its length first; the 64-bit hash is `words[0]`, `words[1]`. */
function hashName(name: string): void {
  let s0 = name.length;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  for (let i = 0; i < name.length; i += 4) {
    // charCodeAt past the end is NaN, which the shift and the or turn into 0
    const k0 = name.charCodeAt(i) | (name.charCodeAt(i + 1) << 16);
    const k1 = name.charCodeAt(i + 2) | (name.charCodeAt(i + 3) << 16);
    philox(s0, s1, s2, s3, k0, k1);
    s0 = words[0]!;
    s1 = words[1]!;
    s2 = words[2]!;
    s3 = words[3]!;
  }
}

/**
 * A cursor over one stream. What it yields depends on the stream's key and on how many draws this cursor made before, so give
 * each piece of work its own: `child` is a new stream at its beginning, whatever was drawn here.
 */
export class Stream {
  private readonly k0: number;
  private readonly k1: number;
  private readonly p0: number;
  private readonly p1: number;
  private readonly p2: number;
  private block = 0;
  private lane = 4;
  private w0 = 0;
  private w1 = 0;
  private w2 = 0;
  private w3 = 0;

  /** Use `stream` or `child`. */
  constructor(k0: number, k1: number, p0: number, p1: number, p2: number) {
    this.k0 = k0;
    this.k1 = k1;
    this.p0 = p0;
    this.p1 = p1;
    this.p2 = p2;
  }

  /** The stream one level down: of a number (epoch, sample, step, operation) or of a name. Independent of this cursor. */
  child(part: number | string): Stream {
    if (typeof part === 'string') {
      checkName(part, 'name of a random stream');
      hashName(part);
      const h0 = words[0]!;
      const h1 = words[1]!;
      philox(DERIVE, this.p0, this.p1, this.p2, this.k0, this.k1);
      return new Stream(words[0]! ^ h0, words[1]! ^ h1, 0, 0, 0);
    }
    if (!(Number.isInteger(part) && part >= 0 && part <= TWO_32 - 2)) {
      throw new UserError(`a number in the path of a random stream must be an integer from 0 to 2^32 - 2, not ${part}`);
    }
    const level = (part + 1) | 0;
    if (this.p0 === 0) return new Stream(this.k0, this.k1, level, 0, 0);
    if (this.p1 === 0) return new Stream(this.k0, this.k1, this.p0, level, 0);
    if (this.p2 === 0) return new Stream(this.k0, this.k1, this.p0, this.p1, level);
    philox(DERIVE, this.p0, this.p1, this.p2, this.k0, this.k1);
    return new Stream(words[0]!, words[1]!, level, 0, 0);
  }

  /** 32 random bits as an integer in [0, 2^32). */
  uint32(): number {
    return this.word() >>> 0;
  }

  /** Uniform in [0, 1), with 53 bits. */
  float(): number {
    const high = this.word() >>> 5;
    const low = this.word() >>> 6;
    return (high * 2 ** 26 + low) * 2 ** -53;
  }

  /** Uniform in [low, high). */
  uniform(low: number, high: number): number {
    return low + (high - low) * this.float();
  }

  /** Uniform integer in [0, n), without bias (D. Lemire, "Fast random integer generation in an interval", 2019). */
  int(n: number): number {
    if (!(Number.isInteger(n) && n >= 1 && n <= TWO_32)) {
      throw new UserError(`a random integer below n needs n from 1 to 2^32, not ${n}`);
    }
    let word = this.word();
    let low = Math.imul(word, n) >>> 0;
    if (low < n) {
      const threshold = (TWO_32 - n) % n;
      while (low < threshold) {
        word = this.word();
        low = Math.imul(word, n) >>> 0;
      }
    }
    return n === TWO_32 ? word >>> 0 : mulhi(word, n) >>> 0;
  }

  /** True with probability p. */
  bernoulli(p = 0.5): boolean {
    if (!(p >= 0 && p <= 1)) throw new UserError(`a probability must be from 0 to 1, not ${p}`);
    return this.float() < p;
  }

  /** Normal (Box and Muller, 1958). */
  normal(mean = 0, std = 1): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.float()));
    return mean + std * radius * Math.cos(2 * Math.PI * this.float());
  }

  /** Gamma with the given shape and scale 1 (G. Marsaglia and W. Tsang, 2000). */
  gamma(shape: number): number {
    if (!(shape > 0 && shape < Infinity)) throw new UserError(`the shape of a gamma must be above 0, not ${shape}`);
    if (shape < 1) return this.gamma(shape + 1) * (1 - this.float()) ** (1 / shape);
    const d = shape - 1 / 3;
    const c = 1 / Math.sqrt(9 * d);
    for (;;) {
      const x = this.normal();
      const v = (1 + c * x) ** 3;
      const u = 1 - this.float();
      if (v > 0 && Math.log(u) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
    }
  }

  /** Beta(a, b): exactly `float()` when a = b = 1; M. Jöhnk's method (1964) when both are at most 1; else of two gammas. */
  beta(a: number, b: number): number {
    if (!(a > 0 && b > 0 && a < Infinity && b < Infinity)) {
      throw new UserError(`the parameters of a beta must be above 0, not ${a} and ${b}`);
    }
    if (a === 1 && b === 1) return this.float();
    if (a > 1 || b > 1) {
      const x = this.gamma(a);
      return x / (x + this.gamma(b));
    }
    for (;;) {
      // in logarithms: u^(1/a) of a small a underflows
      const x = Math.log(1 - this.float()) / a;
      const y = Math.log(1 - this.float()) / b;
      if (Math.exp(x) + Math.exp(y) <= 1) return 1 / (1 + Math.exp(y - x));
    }
  }

  /** A uniformly random permutation of 0 … n-1 (Fisher and Yates). */
  permutation(n: number): Int32Array {
    checkLength(n);
    const result = new Int32Array(n);
    for (let i = 0; i < n; i++) result[i] = i;
    for (let i = n - 1; i > 0; i--) {
      const j = this.int(i + 1);
      const swap = result[i]!;
      result[i] = result[j]!;
      result[j] = swap;
    }
    return result;
  }

  /**
   * A permutation of 0 … n-1 without a fixed point, uniform over all of them: permutations are drawn until one has none, each
   * abandoned at its first fixed point; e ≈ 2.7 tries on average.
   *
   * @throws UserError when n < 2, where there is none
   */
  derangement(n: number): Int32Array {
    checkLength(n);
    if (n < 2) {
      throw new UserError(`a permutation of ${n} without a fixed point does not exist`, {
        hint: `mixing each image with another needs a batch of at least 2; raise ${toGive('batchSize')} or drop the last small batch`,
      });
    }
    const result = new Int32Array(n);
    restart: for (;;) {
      for (let i = 0; i < n; i++) result[i] = i;
      for (let i = n - 1; i >= 0; i--) {
        const j = i === 0 ? 0 : this.int(i + 1);
        const chosen = result[j]!;
        if (chosen === i) continue restart;
        result[j] = result[i]!;
        result[i] = chosen;
      }
      return result;
    }
  }

  /** Fill with 32 random bits each. */
  fillUint32(out: Uint32Array): Uint32Array {
    this.eachBlock(out.length, (i) => {
      for (let lane = 0; lane < 4 && i + lane < out.length; lane++) out[i + lane] = words[lane]!;
    });
    return out;
  }

  /** Fill with uniform numbers of [low, high), 24 bits each; rounding to float32 may reach `high` when low is not 0. */
  fillUniform(out: Float32Array, low = 0, high = 1): Float32Array {
    const scale = (high - low) * 2 ** -24;
    this.eachBlock(out.length, (i) => {
      for (let lane = 0; lane < 4 && i + lane < out.length; lane++) out[i + lane] = low + scale * (words[lane]! >>> 8);
    });
    return out;
  }

  /** Fill with normal numbers; 32 bits of radius, so none lies further out than 6.7 standard deviations. */
  fillNormal(out: Float32Array, mean = 0, std = 1): Float32Array {
    this.eachBlock(out.length, (i) => {
      for (let lane = 0; lane < 4 && i + lane < out.length; lane += 2) {
        const radius = std * Math.sqrt(-2 * Math.log(((words[lane]! >>> 0) + 1) * 2 ** -32));
        const angle = 2 * Math.PI * 2 ** -32 * (words[lane + 1]! >>> 0);
        out[i + lane] = mean + radius * Math.cos(angle);
        if (i + lane + 1 < out.length) out[i + lane + 1] = mean + radius * Math.sin(angle);
      }
    });
    return out;
  }

  private word(): number {
    switch (this.lane++) {
      case 1:
        return this.w1;
      case 2:
        return this.w2;
      case 3:
        return this.w3;
      default:
        this.nextBlock();
        this.w0 = words[0]!;
        this.w1 = words[1]!;
        this.w2 = words[2]!;
        this.w3 = words[3]!;
        this.lane = 1;
        return this.w0;
    }
  }

  private nextBlock(): void {
    if (this.block === DERIVE)
      throw new UserError('this random stream is used up: it holds 2^34 - 4 words; use a child');
    philox(this.block++, this.p0, this.p1, this.p2, this.k0, this.k1);
  }

  /** Bulk draws start at a fresh block: what is left of the current one is dropped. */
  private eachBlock(length: number, take: (i: number) => void): void {
    this.lane = 4;
    for (let i = 0; i < length; i += 4) {
      this.nextBlock();
      take(i);
    }
  }
}

function checkName(name: string, what: string): void {
  if (name === '') throw new UserError(`the ${what} must not be empty`);
}

function checkLength(n: number): void {
  if (!(Number.isInteger(n) && n >= 0 && n < 2 ** 31)) {
    throw new UserError(`the length of a permutation must be an integer from 0 to 2^31 - 1, not ${n}`);
  }
}

/** The seed, if it is one: an integer from 0 to 2^53 - 1. */
export function checkSeed(seed: number): number {
  if (!(Number.isSafeInteger(seed) && seed >= 0)) {
    throw new UserError(`a seed must be an integer from 0 to 2^53 - 1, not ${seed}`, {
      hint: `for example ${toGive('seed', 1)}`,
    });
  }
  return seed;
}

/**
 * The random stream of a purpose ('augment.crop', 'init', …) at a path of numbers, most often (epoch, sample, operation).
 * Hashing the purpose costs about as much as a draw for every four letters: in a loop, make the stream of the epoch once and
 * take `child(sample)`, which is the same as naming the sample here.
 *
 * @example stream(seed, 'augment.crop', epoch, sample).int(9)
 * @throws UserError when the seed or a number of the path is out of range
 */
export function stream(seed: number, purpose: string, ...path: number[]): Stream {
  checkSeed(seed);
  checkName(purpose, 'purpose of a random stream');
  hashName(purpose);
  let result = new Stream(words[0]! ^ (seed | 0), words[1]! ^ Math.floor(seed / TWO_32), 0, 0, 0);
  for (const part of path) result = result.child(part);
  return result;
}
