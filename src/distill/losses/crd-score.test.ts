import { describe, expect, test } from 'vitest';
import { fillerTensor } from '../../../test/filler.ts';
import { expectNoLeak } from '../../../test/torch.ts';
import { grad, type Tensor, tensor, tidy } from '../../torch/index.ts';
import { native } from '../../torch/native.ts';
import { contrastLoss, type NceOptions } from './crd-score.ts';

// More rows than one block of the native code.
const [batch, samples, width, dim] = [5, 1300, 421, 37];
const index = Int32Array.from({ length: batch * width }, (_, i) => (i * i * 7 + 3 * i) % samples);

function inputs(): { v: Tensor; memory: Tensor; at: Tensor } {
  return {
    v: tidy(() => fillerTensor('v', [batch, dim]).div(8)).requiresGrad_(),
    memory: tidy(() => fillerTensor('m', [samples, dim]).div(8)),
    at: tensor(index, { shape: [batch, width] }),
  };
}

/** The loss and its gradient, term by term in float64. */
function byHand(
  v: number[][],
  memory: number[][],
  { temperature, z }: NceOptions,
): { loss: number; gradient: number[][]; z: number } {
  const [c, eps] = [(width - 1) / samples, 1e-7];
  const exps = v.map((row, b) =>
    Array.from({ length: width }, (_, j) => {
      const other = memory[index[b * width + j]!]!;
      return Math.exp(row.reduce((sum, x, d) => sum + x * other[d]!, 0) / temperature);
    }),
  );
  const constant = z || (exps.flat().reduce((a, b) => a + b) / (batch * width)) * samples;
  let loss = 0;
  const gradient = exps.map((row, b) => {
    const sum = new Array<number>(dim).fill(0);
    for (const [j, e] of row.entries()) {
      const p = e / constant;
      loss -= Math.log((j === 0 ? p : c) / (p + c + eps)) / batch;
      // d/ds of -log(p / (p + c + eps)) and of log(p + c + eps), with dp/ds = p / temperature.
      const slope = (j === 0 ? -(c + eps) : p) / (p + c + eps) / temperature / batch;
      for (let d = 0; d < dim; d++) sum[d]! += slope * memory[index[b * width + j]!]![d]!;
    }
    return sum;
  });
  return { loss, gradient, z: constant };
}

describe('noise-contrastive loss', () => {
  for (const z of [0, 90]) {
    for (const kernel of ['native', 'operators'] as const) {
      for (const way of ['all', 'rows'] as const) {
        test(`${kernel}, ${way}, Z ${z === 0 ? 'from the scores' : 'given'}: equal to the sums in float64`, () => {
          tidy(() => {
            const { v, memory, at } = inputs();
            const options = { temperature: 0.07, z };
            const expected = byHand(v.toArray() as number[][], memory.toArray() as number[][], options);
            const found = contrastLoss(v, memory, at, { ...options, kernel, way });
            expect(found.loss.item()).toBeAllclose(expected.loss, { rtol: 1e-5 });
            expect(found.z).toBeAllclose(expected.z, { rtol: 1e-5 });
            expect(grad([found.loss], [v])[0]).toBeAllclose(expected.gradient, { rtol: 1e-4, atol: 1e-5 });
          });
        });
      }
    }
  }

  test('a sample that comes twice counts twice', () => {
    tidy(() => {
      const { v, memory } = inputs();
      const twice = tensor(
        Int32Array.from({ length: batch * 3 }, (_, i) => (i % 3 === 0 ? 1 : 2)),
        { shape: [batch, 3] },
      );
      const results = (['native', 'operators'] as const).map((kernel) => {
        const { loss } = contrastLoss(v, memory, twice, { temperature: 0.1, z: 50, kernel, way: 'all' });
        return grad([loss], [v])[0]!;
      });
      expect(results[0]).toBeAllclose(results[1]!, { rtol: 1e-4, atol: 1e-5 });
    });
  });

  test('leaves no tensor behind', () => {
    for (const kernel of ['native', 'operators'] as const) {
      for (const way of ['all', 'rows'] as const) {
        expectNoLeak(() =>
          tidy(() => {
            const { v, memory, at } = inputs();
            contrastLoss(v, memory, at, { temperature: 0.07, z: 0, kernel, way });
          }),
        );
      }
    }
  });

  test('native code refuses what it cannot read', () => {
    tidy(() => {
      const { v, memory, at } = inputs();
      const outside = tensor(
        Int32Array.from({ length: batch * 2 }, () => samples),
        { shape: [batch, 2] },
      );
      for (const name of ['contrastAll', 'contrastRows'] as const) {
        const call = (a: Tensor, b: Tensor, ids: Tensor): unknown =>
          native()[name](a.handle, b.handle, ids.handle, 0.07, 0, 0.1, 1e-7);
        expect(() => call(v, memory, outside)).toThrow(/outside the 1300 of the memory/);
        expect(() => call(v.to('float64'), memory, at)).toThrow(/embeddings: expected a contiguous float32 matrix/);
        expect(() => call(v, memory.t(), at)).toThrow(/memory: expected a contiguous float32 matrix/);
        expect(() => call(v, memory.narrow(1, 0, 5).contiguous(), at)).toThrow(/differ in width/);
        expect(() => call(v, memory, at.to('int64'))).toThrow(/expected contiguous int32/);
      }
    });
  });
});
