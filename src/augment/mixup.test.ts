import { expect, test } from 'vitest';
import { batchView, drawContext, misfitUniform } from '../../test/augment.ts';
import { tidy } from '../torch/index.ts';
import { mixup } from './mixup.ts';

test('lambda is uniform from 0 to 1, for samples and for batches', () => {
  const bins = (lambdas: ArrayLike<number>): number[] => Array.from(lambdas, (lambda) => Math.floor(lambda * 20));
  const { lambda } = mixup.draw(drawContext(10_000));
  expect(misfitUniform(bins(lambda), 20)).toBeLessThan(4);
  const shared = Array.from(
    { length: 4000 },
    (_, step) => mixup.draw(drawContext(2, { draw: 'batch', step })).lambda[1]!,
  );
  expect(misfitUniform(bins(shared), 20)).toBeLessThan(4);
});

test('partners are any permutation, fixed points among them', () => {
  const count = 4;
  const seen = new Map<string, number>();
  const steps = 4800;
  for (let step = 0; step < steps; step++) {
    const key = mixup.draw(drawContext(count, { step })).partner.join('');
    seen.set(key, (seen.get(key) ?? 0) + 1);
  }
  expect(seen.size).toBe(24);
  const order = [...seen.keys()];
  const places = order.flatMap((key, i) => new Array<number>(seen.get(key)!).fill(i));
  expect(misfitUniform(places, 24)).toBeLessThan(4);
});

test('lambda 1 is the image, lambda 0 its partner', () => {
  tidy(() => {
    const view = batchView(3);
    const parameters = { partner: Int32Array.of(2, 0, 1), lambda: Float64Array.of(1, 0, 0.25) };
    const made = mixup.apply(view, parameters);
    expect(made.select(0, 0)).toBeAllclose(view.x.select(0, 0));
    expect(made.select(0, 1)).toBeAllclose(view.x.select(0, 0));
    expect(made.select(0, 2)).toBeAllclose(view.x.select(0, 2).mul(0.25).add(view.x.select(0, 1).mul(0.75)));
  });
});
