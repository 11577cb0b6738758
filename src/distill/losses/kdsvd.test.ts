import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fillerFeatures, golden, measureReference, referenceInput, smallTaps } from '../../../test/losses.ts';
import { grad, ops, type Tensor, tensor, tidy, zeros } from '../../torch/index.ts';
import { type Decomposition, decompose, type StageOptions, singularTerms } from './kdsvd.ts';

const taps = smallTaps([2, 3, 5]);
const options: StageOptions = { k: 2, signs: 'fixed' };

interface Result {
  value: number;
  gradients: Tensor[];
}

/** The loss and its gradients on small features, with singular vectors as `decomposer` returns them. */
function run(decomposer?: (maps: Tensor) => Decomposition): Result {
  const s = fillerFeatures('s', taps).taps.slice(0, 3);
  const t = fillerFeatures('t', taps).taps.slice(0, 3);
  const leaves = s.map((map) => map.requiresGrad_());
  const stages = leaves.map((map, i) => ({ s: map, t: t[i]! }));
  const terms = singularTerms(stages, { ...options, ...(decomposer ? { decomposer } : {}) });
  const total = terms.reduce((sum, term) => sum.add(term));
  return { value: total.item(), gradients: grad([total], leaves) as Tensor[] };
}

describe('the sign of singular vectors', () => {
  test('changes neither the loss nor its gradient', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 60, maxLength: 60 }), (flips) => {
        tidy(() => {
          const expected = run();
          let used = 0;
          const flipped = run((maps) => {
            const { vectors, squares } = decompose(maps);
            const [batch, , count] = vectors.shape as [number, number, number];
            const signs = Float64Array.from({ length: batch * count }, () => (flips[used++ % flips.length] ? -1 : 1));
            return { vectors: vectors.mul(tensor(signs, { shape: [batch, 1, count] })), squares };
          });
          expect(flipped.value).toBeAllclose(expected.value, { rtol: 1e-12 });
          for (const [i, gradient] of flipped.gradients.entries()) {
            expect(gradient).toBeAllclose(expected.gradients[i]!, { rtol: 1e-9, atol: 1e-12 });
          }
        });
      }),
      { numRuns: 20 },
    );
  });

  test('as LAPACK returns it does change the loss, on the same features', () => {
    const [fixed, lapack] = ['fixed', 'lapack'].map((signs) =>
      measureReference('kdsvd', 'same', { options: { signs } }),
    );
    expect(Math.abs(fixed!.loss - lapack!.loss) / lapack!.loss).toBeGreaterThan(0.01);
  });

  // After a ReLU the first singular vector has entries of one sign, and LAPACK returns it with one sign too.
  test('does not matter for maps after a ReLU: equal to RepDistiller’s loss', () => {
    tidy(() => {
      const input = referenceInput('same');
      const stages = [1, 2, 3].map((i) => ({
        s: input.student.taps[i]!.relu(),
        t: input.teacher.taps[i]!.relu(),
      }));
      const [fixed, lapack] = (['fixed', 'lapack'] as const).map((signs) =>
        singularTerms(stages, { k: 1, signs }).map((term) => term.item()),
      );
      expect(fixed).toBeAllclose(lapack!, { rtol: 1e-4 });
    });
  });
});

test('the vectors are those of the singular value decomposition', () => {
  tidy(() => {
    for (const shape of [
      [4, 3, 7],
      [4, 7, 3],
    ]) {
      const maps = fillerFeatures('m', [shape.slice(1)], { batch: shape[0]! }).taps[0]!;
      const { vectors, squares } = decompose(maps);
      const [, values, right] = ops.svd(maps.transpose(1, 2), false);
      expect(squares.sqrt()).toBeAllclose(values, { rtol: 1e-9, atol: 1e-9 });
      expect(vectors.mul(right.transpose(1, 2)).sum(1).abs()).toBeAllclose(
        tensor(new Float64Array(4 * 3).fill(1), { shape: [4, 3] }),
        { rtol: 1e-9 },
      );
    }
  });
});

test('channels that are 0 leave loss and gradient finite', () => {
  tidy(() => {
    const dead = (map: Tensor): Tensor => map.mul(tensor([1, 0, 0, 1, 1], { dtype: 'float64' }).view([1, 5, 1, 1]));
    const s = fillerFeatures('s', taps).taps[2]!.requiresGrad_();
    const t = fillerFeatures('t', taps).taps[2]!;
    const stages = [
      { s: dead(s), t: dead(t) },
      { s: dead(s), t: dead(t) },
    ];
    const [term] = singularTerms(stages, options);
    const gradient = grad([term!], [s])[0]!;
    expect(gradient.isfinite().all().item()).toBe(1);
    expect(gradient.abs().sum().item()).toBeGreaterThan(0);
  });
});

test('a map of zeros gives a finite gradient, where that of the whole decomposition is not a number', () => {
  tidy(() => {
    const s = zeros([2, 3, 4, 4], { dtype: 'float64' }).requiresGrad_();
    const t = fillerFeatures('t', [[3, 4, 4]], { batch: 2 }).taps[0]!;
    const [term] = singularTerms(
      [
        { s, t },
        { s, t },
      ],
      options,
    );
    expect(Number.isFinite(term!.item())).toBe(true);
    expect(grad([term!], [s])[0]!.isfinite().all().item()).toBe(1);

    const [, , right] = ops.svd(s.flatten(2).transpose(1, 2), false);
    expect(
      grad([right.select(1, 0).sum()], [s])[0]!
        .isfinite()
        .all()
        .item(),
    ).toBe(0);
  });
});

const file = golden<{ losses: { kdsvd: { loss: number; grad_l2: number[] }[] } }>('losses.json');
test('with fixed signs the reference features give another value, by 3 %', () => {
  const { loss } = measureReference('kdsvd');
  expect(loss / file.losses.kdsvd[0]!.loss).toBeCloseTo(0.966, 2);
});
