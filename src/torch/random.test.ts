import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { UserError } from '../base/errors.ts';
import { philox4x32, type Stream, stream } from './random.ts';

const mean = (values: ArrayLike<number>): number => Array.from(values).reduce((a, b) => a + b, 0) / values.length;
const draws = (count: number, draw: () => number): number[] => Array.from({ length: count }, draw);

/** Pearson's statistic for equally likely cells. */
function chiSquare(counts: ArrayLike<number>): number {
  const total = Array.from(counts).reduce((a, b) => a + b, 0);
  const expected = total / counts.length;
  return Array.from(counts).reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
}

/** Where a chi-square of `degrees` is exceeded once in 10,000 times (Wilson and Hilferty's approximation). */
const chiSquareLimit = (degrees: number): number =>
  degrees * (1 - 2 / (9 * degrees) + 3.719 * Math.sqrt(2 / (9 * degrees))) ** 3;

/** Kolmogorov and Smirnov's distance times √n: exceeded once in 10,000 times above 2.23. */
function kolmogorov(values: number[], cdf: (x: number) => number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const distance = sorted.map((x, i) => Math.max(cdf(x) - i / sorted.length, (i + 1) / sorted.length - cdf(x)));
  return Math.max(...distance) * Math.sqrt(sorted.length);
}

/** Abramowitz and Stegun 7.1.26, good to 1.5e-7. */
function normalCdf(x: number): number {
  const z = Math.abs(x) / Math.SQRT2;
  const t = 1 / (1 + 0.3275911 * z);
  const poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  const erf = 1 - poly * Math.exp(-z * z);
  return x >= 0 ? (1 + erf) / 2 : (1 - erf) / 2;
}

const kinds: Record<string, (s: Stream) => number> = {
  uint32: (s) => s.uint32(),
  float: (s) => s.float(),
  'int(9)': (s) => s.int(9),
  normal: (s) => s.normal(),
  'beta(0.2, 0.2)': (s) => s.beta(0.2, 0.2),
};

describe('Philox4x32-10', () => {
  // Random123's tests/kat_vectors, the lines "philox4x32 10": counter (4), key (2), result (4)
  test.each([
    '00000000 00000000 00000000 00000000 00000000 00000000 6627e8d5 e169c58d bc57ac4c 9b00dbd8',
    'ffffffff ffffffff ffffffff ffffffff ffffffff ffffffff 408f276d 41c83b0e a20bc7c6 6d5451fd',
    '243f6a88 85a308d3 13198a2e 03707344 a4093822 299f31d0 d16cfe09 94fdcceb 5001e420 24126ea1',
  ])('known answer %s', (line) => {
    const [a, b, c, d, k0, k1, ...expected] = line.split(' ').map((word) => Number.parseInt(word, 16));
    expect(philox4x32([a!, b!, c!, d!], [k0!, k1!])).toEqual(expected);
  });

  test('agrees with a plain 64-bit implementation on any input', () => {
    const word = fc.integer({ min: 0, max: 2 ** 32 - 1 });
    fc.assert(
      fc.property(fc.tuple(word, word, word, word), fc.tuple(word, word), (counter, key) => {
        const mask = 0xffffffffn;
        let c = counter.map(BigInt);
        let [k0, k1] = key.map(BigInt) as [bigint, bigint];
        for (let round = 0; round < 10; round++) {
          const product0 = 0xd2511f53n * c[0]!;
          const product1 = 0xcd9e8d57n * c[2]!;
          c = [(product1 >> 32n) ^ c[1]! ^ k0, product1 & mask, (product0 >> 32n) ^ c[3]! ^ k1, product0 & mask];
          k0 = (k0 + 0x9e3779b9n) & mask;
          k1 = (k1 + 0xbb67ae85n) & mask;
        }
        expect(philox4x32(counter, key)).toEqual(c.map(Number));
      }),
    );
  });
});

describe('streams', () => {
  test('the documented layout: seed and purpose in the key, path and block in the counter', () => {
    const [h0, h1] = [stream(0, 'p', 4, 5, 6), stream(0, 'p')].map((s) => s.uint32()) as [number, number];
    expect(h0).not.toBe(h1);
    // the hash of 'p' is the block of counter (length, 0, 0, 0) under the key (code unit, 0)
    const [k0, k1] = philox4x32([1, 0, 0, 0], ['p'.charCodeAt(0), 0]);
    const seed = 2 ** 40 + 77;
    const key: [number, number] = [(k0 ^ 77) >>> 0, (k1 ^ 256) >>> 0];
    const s = stream(seed, 'p', 4, 5, 6);
    expect(draws(8, () => s.uint32())).toEqual([...philox4x32([0, 5, 6, 7], key), ...philox4x32([1, 5, 6, 7], key)]);
  });

  test('values never change between releases', () => {
    const s = stream(42, 'augment.crop', 3, 1234);
    expect([s.int(9), s.int(9), s.float(), s.uint32()]).toMatchInlineSnapshot(`
      [
        7,
        5,
        0.30791515227366906,
        2880418078,
      ]
    `);
    expect(Array.from(stream(1, 'order').permutation(8))).toMatchInlineSnapshot(`
      [
        4,
        5,
        6,
        0,
        1,
        7,
        2,
        3,
      ]
    `);
  });

  test('a child is the same stream as a longer path, and does not depend on the cursor', () => {
    fc.assert(
      fc.property(fc.nat(), fc.array(fc.nat(), { maxLength: 6 }), fc.nat(), fc.nat(9), (seed, path, last, skip) => {
        const parent = stream(seed, 'x', ...path);
        for (let i = 0; i < skip; i++) parent.uint32();
        expect(parent.child(last).uint32()).toBe(stream(seed, 'x', ...path, last).uint32());
        expect(parent.child('name').uint32()).toBe(
          stream(seed, 'x', ...path)
            .child('name')
            .uint32(),
        );
      }),
    );
  });

  test('order does not matter: any order of samples gives each the same draws', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray([...Array(40).keys()], { minLength: 40 }), (order) => {
        const epoch = stream(7, 'augment', 2);
        for (const [name, draw] of Object.entries(kinds)) {
          const seen = new Map(order.map((sample) => [sample, draw(epoch.child(sample))]));
          for (const sample of order) expect(draw(stream(7, 'augment', 2, sample)), name).toBe(seen.get(sample));
        }
      }),
      { numRuns: 20 },
    );
  });

  test('neighbouring streams share no word: seeds, purposes, epochs, samples, depths, names', () => {
    const streams: Stream[] = [];
    for (let i = 0; i < 40; i++) {
      streams.push(stream(i, 'a'), stream(2 ** 32 + i, 'a'), stream(1, `purpose ${i}`), stream(1, 'a').child(`c${i}`));
      streams.push(stream(0, 'b', i), stream(0, 'b', 0, i), stream(0, 'b', 0, 0, i), stream(0, 'b', 0, 0, 0, i));
      streams.push(stream(0, 'b', 1, i), stream(0, 'b', i).child('c'), stream(0, 'c', 2 ** 32 - 2 - i));
    }
    // 440 streams of 400 words: 3.6 chance meetings of 32-bit words expected among 176,000; of pairs of words, 1e-9
    const seen = new Set<string>();
    for (const s of streams) for (let i = 0; i < 200; i++) seen.add(`${s.uint32()} ${s.uint32()}`);
    expect(seen.size).toBe(streams.length * 200);
  });

  test('no two of 200,000 purposes have the same key', () => {
    const seen = new Set<string>();
    for (let i = 0; i < 200_000; i++) {
      const s = stream(0, `${i % 2 ? 'augment' : 'data'}.${i}`);
      seen.add(`${s.uint32()} ${s.uint32()}`);
    }
    expect(seen.size).toBe(200_000);
    const short = ['a', 'a\0', 'a\0\0\0\0', 'aa', '\u0100', '\u0001', 'aaaa', 'aaaab'].map((name) =>
      stream(0, name).uint32(),
    );
    expect(new Set(short).size).toBe(short.length);
  });

  test('the first draw of neighbouring samples and epochs is uniform and uncorrelated', () => {
    const counts = new Int32Array(81);
    for (let epoch = 0; epoch < 20; epoch++) {
      const s = stream(1, 'augment.crop', epoch);
      for (let i = 0; i < 2000; i++) counts[s.child(i).int(9) * 9 + s.child(i + 1).int(9)]!++;
    }
    expect(chiSquare(counts)).toBeLessThan(chiSquareLimit(80));
  });

  test.each([-1, 0.5, 2 ** 53, Number.NaN, Infinity])('seed %s is refused', (seed) => {
    expect(() => stream(seed, 'a')).toThrow(`a seed must be an integer from 0 to 2^53 - 1, not ${seed}`);
    expect(() => stream(seed, 'a')).toThrow(UserError);
  });

  test('other bad arguments are refused', () => {
    const s = stream(2 ** 53 - 1, 'a');
    for (const bad of [
      () => stream(0, ''),
      () => s.child(''),
      () => s.child(-1),
      () => s.child(2 ** 32 - 1),
      () => s.child(1.5),
      () => s.int(0),
      () => s.int(2.5),
      () => s.int(2 ** 32 + 1),
      () => s.bernoulli(1.1),
      () => s.bernoulli(Number.NaN),
      () => s.beta(0, 1),
      () => s.gamma(-1),
      () => s.permutation(-1),
      () => s.derangement(2.5),
    ]) {
      expect(bad, String(bad)).toThrow(UserError);
    }
  });
});

describe('distributions', () => {
  test('every bit of a word is fair', () => {
    const out = stream(3, 'bits').fillUint32(new Uint32Array(40_000));
    for (let bit = 0; bit < 32; bit++) {
      const ones = out.reduce((sum, word) => sum + ((word >>> bit) & 1), 0);
      expect(Math.abs(ones - 20_000), `bit ${bit}`).toBeLessThan(4 * 100);
    }
  });

  test('float is uniform in [0, 1) and uses its 53 bits', () => {
    const s = stream(4, 'float');
    const values = draws(20_000, () => s.float());
    expect(Math.min(...values)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...values)).toBeLessThan(1);
    expect(kolmogorov(values, (x) => x)).toBeLessThan(2.23);
    expect(values.some((x) => (x * 2 ** 53) % 2 === 1)).toBe(true);
    expect(
      kolmogorov(
        draws(20_000, () => s.uniform(-2, 6)),
        (x) => (x + 2) / 8,
      ),
    ).toBeLessThan(2.23);
  });

  test.each([1, 2, 3, 9, 64, 1000])('int(%i) is uniform', (n) => {
    const s = stream(5, 'int', n);
    const counts = new Int32Array(n);
    for (let i = 0; i < 50_000; i++) counts[s.int(n)]!++;
    if (n > 1) expect(chiSquare(counts)).toBeLessThan(chiSquareLimit(n - 1));
    expect(counts.reduce((a, b) => a + b)).toBe(50_000);
  });

  test('int has no bias where a plain multiplication has one', () => {
    // n = 3/4 of 2^32: without rejection every third value would come twice as often
    const n = 3 * 2 ** 30;
    const s = stream(6, 'int');
    const counts = new Int32Array(3);
    for (let i = 0; i < 30_000; i++) counts[s.int(n) % 3]!++;
    expect(chiSquare(counts)).toBeLessThan(chiSquareLimit(2));
    const all = draws(2000, () => s.int(2 ** 32));
    expect(Math.max(...all)).toBeGreaterThan(0.99 * 2 ** 32);
    expect(all.some((x) => x % 2 === 1)).toBe(true);
  });

  test('bernoulli', () => {
    const s = stream(7, 'b');
    const share = mean(draws(40_000, () => (s.bernoulli(0.3) ? 1 : 0)));
    expect(Math.abs(share - 0.3)).toBeLessThan(4 * Math.sqrt((0.3 * 0.7) / 40_000));
    expect(draws(100, () => (s.bernoulli(0) ? 1 : 0))).not.toContain(1);
    expect(draws(100, () => (s.bernoulli(1) ? 1 : 0))).not.toContain(0);
  });

  test('normal, one by one and in bulk', () => {
    const s = stream(8, 'n');
    expect(
      kolmogorov(
        draws(20_000, () => s.normal(3, 2)),
        (x) => normalCdf((x - 3) / 2),
      ),
    ).toBeLessThan(2.23);
    const bulk = Array.from(s.fillNormal(new Float32Array(20_001), -1, 0.5));
    expect(kolmogorov(bulk, (x) => normalCdf((x + 1) / 0.5))).toBeLessThan(2.23);
    const even = bulk.filter((_, i) => i % 2 === 0 && i < 20_000);
    const correlation = mean(even.map((x, i) => (x + 1) * (bulk[2 * i + 1]! + 1))) / 0.25;
    expect(Math.abs(correlation)).toBeLessThan(0.04);
  });

  test('bulk uniform numbers', () => {
    const out = stream(9, 'u').fillUniform(new Float32Array(20_003), -1, 1);
    expect(kolmogorov(Array.from(out), (x) => (x + 1) / 2)).toBeLessThan(2.23);
    const unit = stream(9, 'u').fillUniform(new Float32Array(100_000));
    expect(unit.every((x) => x >= 0 && x < 1)).toBe(true);
  });

  test('bulk fills are prefixes of one another', () => {
    for (const length of [0, 1, 2, 3, 5, 8]) {
      const short = stream(1, 'f').fillNormal(new Float32Array(length));
      expect(short).toEqual(stream(1, 'f').fillNormal(new Float32Array(9)).slice(0, length));
      const words = stream(1, 'f').fillUint32(new Uint32Array(length));
      const s = stream(1, 'f');
      expect(Array.from(words)).toEqual(draws(length, () => s.uint32()));
    }
  });

  // distribution functions from any table: 1-(1-x)^2, 3x²-2x³, the arcsine law, x^3
  test.each([
    [1, 2, (x: number) => 1 - (1 - x) ** 2],
    [2, 2, (x: number) => 3 * x ** 2 - 2 * x ** 3],
    [0.5, 0.5, (x: number) => (2 / Math.PI) * Math.asin(Math.sqrt(x))],
    [3, 1, (x: number) => x ** 3],
    [0.5, 1, (x: number) => Math.sqrt(x)],
  ])('beta(%d, %d)', (a, b, cdf) => {
    const s = stream(10, 'beta');
    expect(
      kolmogorov(
        draws(20_000, () => s.beta(a, b)),
        cdf,
      ),
    ).toBeLessThan(2.23);
  });

  test('beta(1, 1) is the uniform draw itself; tiny parameters neither fail nor hang', () => {
    expect(stream(1, 'l', 5).beta(1, 1)).toBe(stream(1, 'l', 5).float());
    const s = stream(11, 'beta');
    const tiny = draws(2000, () => s.beta(1e-4, 1e-4));
    expect(tiny.every((x) => x >= 0 && x <= 1)).toBe(true);
    expect(Math.abs(mean(tiny) - 0.5)).toBeLessThan(0.05);
  });

  test('gamma has mean and variance equal to its shape', () => {
    for (const shape of [0.3, 1, 4.5]) {
      const s = stream(12, 'gamma');
      const values = draws(40_000, () => s.gamma(shape));
      const average = mean(values);
      expect(Math.abs(average - shape)).toBeLessThan(4 * Math.sqrt(shape / 40_000));
      expect(mean(values.map((x) => (x - average) ** 2)) / shape).toBeCloseTo(1, 1);
    }
  });
});

describe('permutations', () => {
  test('a permutation holds every number once', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(300), (seed, n) => {
        const sorted = stream(seed, 'order').permutation(n).sort();
        expect(Array.from(sorted)).toEqual([...Array(n).keys()]);
      }),
    );
  });

  test('all 24 permutations of 4 are equally likely', () => {
    const counts = new Map<string, number>();
    for (let i = 0; i < 24_000; i++) {
      const key = stream(1, 'order', i).permutation(4).join('');
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    expect(counts.size).toBe(24);
    expect(chiSquare([...counts.values()])).toBeLessThan(chiSquareLimit(23));
  });

  test('a derangement is a permutation without a fixed point', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 2, max: 200 }), (seed, n) => {
        const result = stream(seed, 'cutmix').derangement(n);
        expect(result.every((to, from) => to !== from)).toBe(true);
        expect(Array.from(result.slice().sort())).toEqual([...Array(n).keys()]);
      }),
    );
  });

  test('all 44 derangements of 5 are equally likely', () => {
    const counts = new Map<string, number>();
    for (let i = 0; i < 44_000; i++) {
      const key = stream(2, 'cutmix', i).derangement(5).join('');
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    expect(counts.size).toBe(44);
    expect(chiSquare([...counts.values()])).toBeLessThan(chiSquareLimit(43));
  });

  test.each([0, 1])('a derangement of %i is an error, not an endless loop', (n) => {
    expect(() => stream(0, 'cutmix').derangement(n)).toThrow(
      `a permutation of ${n} without a fixed point does not exist`,
    );
  });
});

test('fast enough: initialising a network or drawing for a batch is not what takes the time', () => {
  const best = (run: () => void): number =>
    Math.min(
      ...Array.from({ length: 5 }, () => {
        const start = performance.now();
        run();
        return performance.now() - start;
      }),
    );
  const weights = new Float32Array(1_000_000);
  expect(best(() => stream(1, 'init').fillNormal(weights))).toBeLessThan(600); // about 65 ms on an idle machine
  const batch = best(() => {
    const epoch = stream(1, 'augment', 3);
    for (let i = 0; i < 128; i++) epoch.child(i).int(9);
  });
  expect(batch).toBeLessThan(128 * 0.01); // under 10 µs a sample; about 0.2 µs on an idle machine
});
