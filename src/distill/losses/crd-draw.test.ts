import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { tidy } from '../../torch/index.ts';
import { type ClassTable, classTable, type DrawOptions, drawContrast, drawContrastSlowly } from './crd-draw.ts';

const drawn = (index: Int32Array, table: ClassTable, options: DrawOptions): Int32Array =>
  tidy(() => drawContrast(index, table, options).data() as Int32Array);

/** Datasets of 2 to 60 samples of at most 6 classes, not all of one. */
const datasets = fc.array(fc.nat(5), { minLength: 2, maxLength: 60 }).filter((labels) => new Set(labels).size > 1);

const cases = fc.record({
  labels: datasets,
  seed: fc.maxSafeNat(),
  epoch: fc.nat(1000),
  negatives: fc.integer({ min: 1, max: 80 }),
  relaxed: fc.boolean(),
});

describe('what is drawn', () => {
  test('a positive of the class, negatives of others, without replacement unless there are too few', () => {
    fc.assert(
      fc.property(cases, ({ labels, ...options }) => {
        const table = classTable(labels, 6);
        const index = Int32Array.from(labels.keys());
        const width = 1 + options.negatives;
        const all = drawContrastSlowly(index, table, options);
        for (const [b, label] of labels.entries()) {
          const [first, ...rest] = all.subarray(b * width, (b + 1) * width);
          if (options.relaxed) expect(labels[first!]).toBe(label);
          else expect(first).toBe(b);
          for (const sample of rest) expect(labels[sample]).not.toBe(label);
          const others = labels.filter((other) => other !== label).length;
          if (options.negatives <= others) expect(new Set(rest).size).toBe(rest.length);
        }
      }),
    );
  });

  test('the native draw equals the definition', () => {
    fc.assert(
      fc.property(cases, ({ labels, ...options }) => {
        const table = classTable(labels, 6);
        const index = Int32Array.from(labels.keys());
        expect(drawn(index, table, options)).toEqual(drawContrastSlowly(index, table, options));
      }),
    );
  });

  test('depends on the sample and not on the batch it is in', () => {
    const table = classTable(
      Array.from({ length: 40 }, (_, i) => i % 4),
      4,
    );
    const options = { seed: 7, epoch: 3, negatives: 5, relaxed: true };
    const batch = drawn(Int32Array.from([1, 2, 30]), table, options);
    expect(drawn(Int32Array.from([30]), table, options)).toEqual(batch.subarray(12));
    expect(drawn(Int32Array.from([30]), table, { ...options, epoch: 4 })).not.toEqual(batch.subarray(12));
    expect(drawn(Int32Array.from([30]), table, { ...options, seed: 8 })).not.toEqual(batch.subarray(12));
  });

  // 3 of 30 others, 4000 times: each is expected 400 times, with a standard deviation of 19.
  for (const negatives of [3, 27, 90]) {
    test(`every other sample is as likely: ${negatives} of 30`, () => {
      const table = classTable(
        Array.from({ length: 40 }, (_, i) => i % 4),
        4,
      );
      const counts = new Float64Array(40);
      for (let epoch = 0; epoch < 4000; epoch++) {
        const [, ...rest] = drawn(Int32Array.from([9]), table, { seed: 1, epoch, negatives, relaxed: false });
        for (const sample of rest) counts[sample]!++;
      }
      const expected = (4000 * negatives) / 30;
      const spread = Math.sqrt(negatives <= 30 ? expected * (1 - negatives / 30) : expected);
      for (let i = 0; i < 40; i++) {
        if (i % 4 === 1) expect(counts[i]).toBe(0);
        else expect(Math.abs(counts[i]! - expected)).toBeLessThan(4.5 * spread);
      }
    });
  }
});
