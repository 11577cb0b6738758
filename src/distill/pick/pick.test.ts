import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { filler } from '../../../test/filler.ts';
import { expectNoLeak } from '../../../test/torch.ts';
import { UserError } from '../../base/errors.ts';
import { type Tensor, tensor, tidy } from '../../torch/index.ts';
import { klDivergence } from '../kl.ts';
import {
  checkPickOptions,
  criteria,
  criterionNeeds,
  type PickInput,
  pick,
  pickCount,
  pickDefaults,
  takePicked,
} from './index.ts';

const CLASSES = 7;

/** Rows of logits, rounded to float32 as the engine sees them. */
const rows = (name: string, count: number, scale: number): number[][] => {
  const values = filler(name, [count, CLASSES]);
  return Array.from({ length: count }, (_, i) =>
    Array.from(values.subarray(i * CLASSES, (i + 1) * CLASSES), (value) => Math.fround(scale * value)),
  );
};

/** The definitions, in float64 and one image at a time. */
const softmax = (logits: readonly number[], temperature = 1): number[] => {
  const most = Math.max(...logits);
  const powers = logits.map((value) => Math.exp((value - most) / temperature));
  const total = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / total);
};
const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
const entropy = (p: readonly number[]): number => -sum(p.map((value) => (value > 0 ? value * Math.log(value) : 0)));
const oracle: Record<Exclude<string, 'random'>, (t: number[], s: number[], batch: number[][]) => number> = {
  kl(t, s) {
    const [p, q] = [softmax(t, 4), softmax(s, 4)];
    return sum(p.map((value, i) => (value > 0 ? value * Math.log(value / q[i]!) : 0)));
  },
  'teacher-entropy': (t) => entropy(softmax(t)),
  'student-entropy': (_, s) => entropy(softmax(s)),
  dissimilarity: (t, _, batch) =>
    Math.min(...batch.map((row) => sum(softmax(row).map((value, i) => (value - softmax(t)[i]!) ** 2)))),
};

const input = (criterion: string, keep: number, size: number, logits: Partial<PickInput> = {}): PickInput => ({
  criterion,
  keep,
  size,
  seed: 1,
  step: 0,
  ...logits,
});

describe('against the definitions', () => {
  const cases = fc.record({
    name: fc.string({ maxLength: 6 }),
    size: fc.integer({ min: 1, max: 40 }),
    scale: fc.double({ min: 0.1, max: 12, noNaN: true }),
    share: fc.double({ min: 0, max: 1, noNaN: true }),
  });
  for (const criterion of criteria.filter((name) => name !== 'random')) {
    test(`${criterion}: scores, choice and ratio`, () => {
      fc.assert(
        fc.property(cases, ({ name, size, scale, share }) => {
          const [t, s, batch] = [
            rows(`t${name}`, size, scale),
            rows(`s${name}`, size, scale),
            rows(`b${name}`, 5, scale),
          ];
          const expected = t.map((row, i) => oracle[criterion]!(row, s[i]!, batch));
          const keep = Math.max(1, Math.round(share * size));
          const picked = tidy(() =>
            pick(
              input(criterion, keep, size, {
                poolTeacherLogits: tensor(t),
                poolStudentLogits: tensor(s),
                batchTeacherLogits: tensor(batch),
              }),
            ),
          );
          // float32: an entropy or divergence near 0 is a difference of numbers near 1.
          expect(picked.scores).toBeAllclose(expected, { rtol: 1e-4, atol: 2e-6 });
          expect(picked.indices.length).toBe(keep);
          expect(new Set(picked.indices).size).toBe(keep);
          // Nothing left in the pool beats what was picked, by more than rounding explains.
          const worst = Math.min(...Array.from(picked.indices, (i) => expected[i]!));
          const chosen = new Set(picked.indices);
          const best = Math.max(...expected.filter((_, i) => !chosen.has(i)), -Infinity);
          expect(best - worst).toBeLessThan(1e-4 * Math.abs(worst) + 4e-6);
          const ratio = sum(Array.from(picked.indices, (i) => expected[i]!)) / keep / (sum(expected) / size);
          if (sum(expected) / size > 1e-2) expect(picked.ratio).toBeAllclose(ratio, { rtol: 1e-3 });
          expect(picked.ratio!).toBeGreaterThanOrEqual(1 - 1e-9);
        }),
        { numRuns: 80 },
      );
    });
  }

  test('kl at temperature T is the distillation loss, image by image, without T squared', () => {
    tidy(() => {
      const [t, s] = [tensor(rows('kl.t', 16, 5)), tensor(rows('kl.s', 16, 5))];
      for (const temperature of [1, 4, 9]) {
        const logits = { poolTeacherLogits: t, poolStudentLogits: s, temperature };
        const { scores } = pick(input('kl', 8, 16, logits));
        const loss = klDivergence(s, t, temperature).item() / temperature ** 2;
        expect(sum([...scores]) / 16).toBeAllclose(loss, { rtol: 1e-5 });
      }
      const logits = { poolTeacherLogits: t, poolStudentLogits: s };
      expect(pick(input('kl', 8, 16, logits)).scores).toEqual(
        pick(input('kl', 8, 16, { ...logits, temperature: 4 })).scores,
      );
    });
  });
});

test('of equal scores the earlier images are picked, best first', () => {
  tidy(() => {
    const [low, high] = [
      [9, 0, 0],
      [1, 1, 1],
    ];
    const pool = tensor([low, high, low, high, high, low] as number[][]);
    const choice = (keep: number): number[] => [
      ...pick(input('teacher-entropy', keep, 6, { poolTeacherLogits: pool })).indices,
    ];
    expect(choice(2)).toEqual([1, 3]);
    expect(choice(4)).toEqual([1, 3, 4, 0]);
    expect(choice(6)).toEqual([1, 3, 4, 0, 2, 5]);
  });
});

test('no score is NaN, however far apart the logits', () => {
  const wild = fc.constantFrom(0, 1, -1, 50, -50, 200, -200, 1e10, -1e10, 3e38, -3e38, -Infinity);
  // A row needs one finite logit for its probabilities to exist.
  const row = fc.array(wild, { minLength: CLASSES - 1, maxLength: CLASSES - 1 }).map((values) => [0, ...values]);
  const pool = fc.array(row, { minLength: 6, maxLength: 6 });
  fc.assert(
    fc.property(pool, pool, (t, s) => {
      tidy(() => {
        const logits = { poolTeacherLogits: tensor(t), poolStudentLogits: tensor(s), batchTeacherLogits: tensor(s) };
        for (const criterion of criteria) {
          const { scores, ratio } = pick(input(criterion, 3, 6, logits));
          expect(scores.every((score) => Number.isFinite(score) && score > -1e-5)).toBe(true);
          expect(Number.isNaN(ratio)).toBe(false);
        }
      });
    }),
  );
});

test('logits that are not finite are said to be so, not picked', () => {
  tidy(() => {
    const broken = tensor([
      [1, 2],
      [Number.NaN, 0],
    ]);
    expect(() => pick(input('teacher-entropy', 1, 2, { poolTeacherLogits: broken }))).toThrow(
      'picking by teacher-entropy: the score of image 1 is NaN; its logits are not finite',
    );
  });
});

describe('random, the control', () => {
  test('is a function of seed and step, and reads no logits', () => {
    const choice = (seed: number, step: number): number[] => [
      ...pick({ ...input('random', 4, 8), seed, step }).indices,
    ];
    expect(choice(3, 5)).toEqual(choice(3, 5));
    expect(choice(3, 5)).not.toEqual(choice(3, 6));
    expect(choice(3, 5)).not.toEqual(choice(4, 5));
    expect(pick(input('random', 4, 8)).ratio).toBeNull();
  });

  test('picks every place as often as any other', () => {
    const steps = 4000;
    const counts = new Array<number>(8).fill(0);
    for (let step = 0; step < steps; step++) {
      for (const i of pick({ ...input('random', 4, 8), step }).indices) counts[i]!++;
    }
    // Each place: binomial(4000, 1/2), standard deviation 32; the seed is fixed, so that this cannot fail by chance.
    for (const count of counts) expect(Math.abs(count - steps / 2)).toBeLessThan(4 * Math.sqrt(steps / 4));
  });
});

test('what was picked is taken out of pool and logits in order, in its layout', () => {
  tidy(() => {
    const picked = { indices: Int32Array.of(3, 0), scores: new Float64Array(4), ratio: 1 };
    const pool = tensor(filler('pool', [4, 3, 5, 6]), { shape: [4, 3, 5, 6] });
    const expected = [pool.select(0, 3).data(), pool.select(0, 0).data()];
    for (const layout of ['contiguous', 'channelsLast'] as const) {
      const taken = takePicked(pool.contiguous(layout), picked);
      expect(taken.isContiguous(layout)).toBe(true);
      expect([taken.select(0, 0).data(), taken.select(0, 1).data()]).toEqual(expected);
    }
    expect(takePicked(tensor([[1], [2], [3], [4]]), picked).toArray()).toEqual([[4], [1]]);
  });
});

test('nothing is left behind', () => {
  const logits = (name: string, count: number): Tensor => tensor(rows(name, count, 3));
  const pools = {
    poolTeacherLogits: logits('t', 8),
    poolStudentLogits: logits('s', 8),
    batchTeacherLogits: logits('b', 4),
  };
  for (const criterion of criteria) {
    expectNoLeak(() => takePicked(pools.poolTeacherLogits, pick(input(criterion, 4, 8, pools))).dispose());
  }
  for (const one of Object.values(pools)) one.dispose();
});

describe('refusals', () => {
  const check = (change: Partial<Record<'criterion' | 'factor' | 'keep', unknown>>): (() => unknown) => {
    return () => checkPickOptions({ ...pickDefaults, ...change } as Parameters<typeof checkPickOptions>[0]);
  };
  test.each([
    [{ criterion: 'teacher-entorpy' }, "unknown picking criterion 'teacher-entorpy'; did you mean 'teacher-entropy'?"],
    [{ factor: 0.5 }, 'a pool of 0.5 times the batch is smaller than the batch'],
    [{ factor: 1 }, 'a pool factor of 1 leaves nothing to pick from'],
    [{ factor: 2.5 }, 'the pool factor must be a whole number of views of the batch, got 2.5'],
    [{ factor: Number.NaN }, 'the pool factor must be a whole number of views of the batch, got NaN'],
    [{ keep: 0 }, 'the kept share of the pool must be above 0 and below 1, got 0'],
    [{ keep: 1 }, 'the kept share of the pool must be above 0 and below 1, got 1'],
    [{ keep: Number.NaN }, 'got NaN'],
  ])('%j', (change, message) => {
    expect(check(change)).toThrow(UserError);
    expect(check(change)).toThrow(message);
  });

  test('the defaults pass, and keep as many images as the batch has', () => {
    expect(checkPickOptions(pickDefaults)).toEqual({ criterion: 'kl', factor: 2, keep: 0.5 });
    for (const batch of [1, 2, 33, 64]) expect(pickCount(pickDefaults, batch)).toBe(batch);
    expect(pickCount({ criterion: 'kl', factor: 2, keep: 0.01 }, 4)).toBe(1);
    expect(pickCount({ criterion: 'kl', factor: 4, keep: 0.3 }, 10)).toBe(12);
  });

  test('more kept than the pool has, or logits missing', () => {
    expect(() => pick(input('random', 9, 8))).toThrow('cannot keep 9 images of a pool of 8');
    expect(() => pick(input('random', 0, 8))).toThrow(UserError);
    for (const criterion of criteria) {
      const { teacher, student, batchTeacher } = criterionNeeds(criterion);
      if (teacher || student || batchTeacher)
        expect(() => pick(input(criterion, 1, 2))).toThrow(`picking by ${criterion} needs`);
    }
    tidy(() => {
      const three = { poolTeacherLogits: tensor(rows('t', 3, 1)) };
      expect(() => pick(input('teacher-entropy', 1, 2, three))).toThrow('poolTeacherLogits has 3 rows for 2 images');
    });
  });
});

test('criterionNeeds names exactly the logits that are read', () => {
  tidy(() => {
    const all = {
      poolTeacherLogits: tensor(rows('t', 4, 2)),
      poolStudentLogits: tensor(rows('s', 4, 2)),
      batchTeacherLogits: tensor(rows('b', 4, 2)),
    };
    const keys = {
      teacher: 'poolTeacherLogits',
      student: 'poolStudentLogits',
      batchTeacher: 'batchTeacherLogits',
    } as const;
    for (const criterion of criteria) {
      const needs = criterionNeeds(criterion);
      const named = Object.entries(keys).filter(([need]) => needs[need as keyof typeof needs]);
      const given = Object.fromEntries(named.map(([, key]) => [key, all[key]]));
      expect(pick(input(criterion, 2, 4, given))).toEqual(pick(input(criterion, 2, 4, all)));
      for (const [, key] of named) {
        const { [key]: _, ...rest } = given as typeof all;
        expect(() => pick(input(criterion, 2, 4, rest))).toThrow(key);
      }
    }
  });
});
