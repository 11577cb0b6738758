/** @file Loaded before every test file: the matcher `toBeAllclose`, and the seed of the property tests. */
import { randomInt } from 'node:crypto';
import fc from 'fast-check';
import { expect } from 'vitest';
import { allclose, type Comparable, type Tolerance } from './allclose.ts';

declare module 'vitest' {
  interface Matchers<T> {
    /**
     * Equal shapes, and every element within `atol + rtol * |expected|`. Tensors, typed arrays (compared by element count),
     * nested arrays, numbers. The default tolerance is torch.testing.assert_close's for the less precise dtype.
     */
    toBeAllclose(expected: Comparable | T, tolerance?: Tolerance): void;
  }
}

expect.extend({
  toBeAllclose(received: unknown, expected: unknown, tolerance?: Tolerance) {
    const { pass, message } = allclose(received, expected, tolerance);
    return { pass, message: () => message };
  },
});

// One commit gives one result: the same cases each time. THRIVE_FUZZ=random looks for new ones; a number repeats those of that seed.
const fuzz = process.env.THRIVE_FUZZ ?? '1';
fc.configureGlobal({ seed: fuzz === 'random' ? randomInt(2 ** 31) : Number(fuzz) });
