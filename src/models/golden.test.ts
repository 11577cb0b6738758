/** The reference implementations' values: test/fixtures/golden. values.test.ts has a set of its own. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { fillerTensor, fillModule } from '../../test/filler.ts';
import { float64Gradients, measureGradients } from '../../test/gradients.ts';
import { goldenPath } from '../../test/shared.ts';
import { expectNoLeak } from '../../test/torch.ts';
import { getNumThreads, noGrad, ops, setNumThreads, tensor, tidy } from '../torch/index.ts';
import { createEmptyModel, modelNames, modelTable } from './index.ts';

interface Golden {
  params: number;
  macs_per_image: number;
  state_dict: [string, number[]][];
  features: { shape: number[]; mean?: number; std?: number }[];
  /** The rest is there for ten of them. */
  eval_logits_0_5?: number[][];
  eval_logits_sum?: number[];
  eval_logits_l2?: number[];
  train_loss?: number;
  train_grad_l2?: Record<string, number>;
  train_running_mean_l2?: Record<string, number>;
}

const golden: Record<string, Golden> = JSON.parse(readFileSync(goldenPath('models.json'), 'utf8'));

test('every architecture of the golden values is here', () => {
  expect(Object.keys(golden)).toHaveLength(22);
  for (const name of Object.keys(golden)) expect(modelNames).toContain(name);
});

test('names, shapes, parameters, multiply-adds and taps of all of them', () => {
  for (const row of modelTable(32, 100, Object.keys(golden))) {
    const expected = golden[row.name]!;
    expect(row.parameters, row.name).toBe(expected.params);
    expect(row.multiplyAdds, row.name).toBe(expected.macs_per_image);
    expect(row.tapShapes, row.name).toEqual(expected.features.map(({ shape }) => shape.slice(1)));
    using model = createEmptyModel(row.name, { classes: 100 });
    expect([...model.stateDict()].map(([name, value]) => [name, value.shape])).toEqual(expected.state_dict);
  }
});

const withValues = Object.entries(golden).filter(([, entry]) => entry.eval_logits_0_5);

describe('values', () => {
  test('are there for ten', () => expect(withValues).toHaveLength(10));

  describe.each(withValues)('%s', (name, expected) => {
    const input = () => fillerTensor('input', [4, 3, 32, 32]);
    const make = () => fillModule(createEmptyModel(name, { classes: 100 }));
    // Observed: 3e-6 and better. Single logits may be near zero and are held against the size of a typical one.
    const rtol = 2e-5;

    test('evaluation: logits and taps', () => {
      using model = make().eval();
      noGrad(() =>
        tidy(() => {
          const { logits, taps } = model.features(input());
          expect(taps).toHaveLength(expected.features.length);
          for (const [i, { shape, mean, std }] of expected.features.entries()) {
            expect(taps[i]!.shape).toEqual(shape);
            expect(taps[i]!.mean().item()).toBeAllclose(mean!, { rtol, atol: rtol * std! });
            expect(taps[i]!.std().item()).toBeAllclose(std!, { rtol, atol: 0 });
          }
          const typical = expected.eval_logits_l2![0]! / 10;
          expect(logits.narrow(1, 0, 5)).toBeAllclose(expected.eval_logits_0_5!, { rtol, atol: rtol * typical });
          expect(logits.sum(1)).toBeAllclose(expected.eval_logits_sum!, { rtol, atol: rtol * typical * 10 });
          expect(logits.norm({ dim: 1 })).toBeAllclose(expected.eval_logits_l2!, { rtol, atol: 0 });
          expect(model.forward(input())).toBeAllclose(logits, { rtol: 0, atol: 0 });
        }),
      );
    });

    // Rounding puts the odd value on the other side of a ReLU's kink, another one with each libtorch, layout and number of threads:
    // the golden float32 norms may be as far from float64 (gradients.test.ts has that) as ours of all those are, a few times over.
    // It is a step, no drift: ShuffleV1's first convolution is off by 4e-7 in one layout and by 2.0e-3 in the other.
    test('training: gradients, as far as float32 determines them', () => {
      const exact = float64Gradients[name]!.gradients;
      const before = getNumThreads();
      const ours = [1, 2].flatMap((threads) => {
        setNumThreads(threads);
        return (['contiguous', 'channelsLast'] as const).map(
          (memoryFormat) => measureGradients(name, { dtype: 'float32', memoryFormat }).gradients,
        );
      });
      setNumThreads(before);
      for (const [key, norm] of Object.entries(expected.train_grad_l2!)) {
        const reference = exact[key];
        // A bias before a batch norm has no influence: what is left of it in float32 is rounding near 1e-8.
        if (reference === undefined) {
          expect(norm, key).toBeLessThan(1e-6);
          continue;
        }
        const spread = Math.max(...ours.map((gradients) => Math.abs(gradients[key]! / reference - 1)));
        expect(spread, key).toBeLessThan(5e-3);
        expect(norm, key).toBeAllclose(reference, { rtol: 4 * spread + 1e-6, atol: 0 });
      }
    });

    test('training: loss, running statistics; and nothing is left behind', () => {
      using model = make().train();
      const step = (check: boolean): void => {
        tidy(() => {
          const loss = ops.crossEntropyLoss(model.forward(input()), tensor([3, 14, 15, 92], { dtype: 'int64' }));
          if (check) {
            for (const [key, norm] of Object.entries(expected.train_running_mean_l2!)) {
              expect(model.stateDict().get(key)!.norm().item()).toBeAllclose(norm, { rtol, atol: 0 });
            }
          }
          loss.backward();
          if (!check) return;
          expect(loss.item()).toBeAllclose(expected.train_loss!, { rtol, atol: 0 });
        });
        model.zeroGrad();
      };
      step(true);
      expectNoLeak(() => step(false), 1);
    });
  });
});
