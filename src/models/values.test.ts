/**
 * The architectures against a second implementation of them, test/fixtures/models/values.py: other image sizes, taps before
 * activation, training, and networks the reference material has no values for.
 */
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { fillerTensor, fillModule } from '../../test/filler.ts';
import { readModelValues, type TapStatistics } from '../../test/fixtures/models/read.ts';
import { noGrad, ops, type Tensor, tensor, tidy } from '../torch/index.ts';
import { createEmptyModel, type ImageModel } from './index.ts';

const rtol = 5e-5;
const entries = Object.entries(readModelValues()).flatMap(([name, list]) => list.map((entry) => ({ name, ...entry })));

function expectStatistics(taps: readonly Tensor[], expected: readonly TapStatistics[]): void {
  expect(taps.map((tap) => tap.shape)).toEqual(expected.map(({ shape }) => shape));
  for (const [i, { mean, std }] of expected.entries()) {
    expect(taps[i]!.mean().item(), `mean of tap ${i}`).toBeAllclose(mean, { rtol, atol: rtol * std });
    expect(taps[i]!.std().item(), `deviation of tap ${i}`).toBeAllclose(std, { rtol, atol: 0 });
  }
}

/** Names and shapes, without the batch counters, in the fixture's form. */
function digest(model: ImageModel): string {
  const arrays = [...model.stateDict()].map(([name, value]) => [name, value.shape] as [string, number[]]);
  const kept = arrays.filter(([name]) => !name.endsWith('num_batches_tracked'));
  kept.sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256').update(JSON.stringify(kept)).digest('hex');
}

describe.each(entries)('$name at $size pixels', (expected) => {
  const { name, size } = expected;
  const input = (): Tensor => fillerTensor('input', [2, 3, size, size]);
  // The widest network's backward pass would take as long as all others together.
  const trains = name !== 'wrn_28_10';

  test(`evaluation${trains ? ', and a training pass' : ''}`, () => {
    using model = fillModule(createEmptyModel(name, { classes: 10, imageSize: size }));
    expect(digest(model)).toBe(expected.arrays_sha256);
    expect(model.parameterCount()).toBe(expected.parameters);
    model.eval();
    noGrad(() =>
      tidy(() => {
        const { logits, taps } = model.features(input());
        const typical = expected.eval_logits.flat().reduce((most, x) => Math.max(most, Math.abs(x)), 0);
        expect(logits).toBeAllclose(expected.eval_logits, { rtol, atol: rtol * typical });
        expectStatistics(taps, expected.taps);
        const before = model.features(input(), { preact: true });
        expectStatistics(before.taps, expected.preact);
        expect(before.logits).toBeAllclose(logits, { rtol: 1e-6, atol: 1e-6 * typical });
      }),
    );
    if (!trains) return;
    model.train();
    tidy(() => {
      const loss = ops.crossEntropyLoss(model.forward(input()), tensor([1, 7], { dtype: 'int64' }));
      expect(loss.item()).toBeAllclose(expected.train_loss, { rtol: 2e-4, atol: 0 });
      const state = model.stateDict();
      for (const [key, norm] of Object.entries({ ...expected.running_mean, ...expected.running_var })) {
        expect(state.get(key)!.norm().item(), key).toBeAllclose(norm, { rtol: 2e-4, atol: 0 });
      }
      loss.backward();
      for (const [key, norm] of Object.entries(expected.gradients)) {
        // Two images a batch: the deepest batch norms see 32 values, and rounding grows on the way back (4e-3 observed).
        expect(state.get(key)!.grad!.norm().item(), key).toBeAllclose(norm, { rtol: 1e-2, atol: 1e-5 });
      }
    });
  });
});
