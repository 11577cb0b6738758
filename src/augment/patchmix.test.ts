import { expect, test } from 'vitest';
import { batchView, drawContext, misfitUniform } from '../../test/augment.ts';
import { tensor, tidy } from '../torch/index.ts';
import { patchmix } from './patchmix.ts';

const MANY = 8000;
const drawn = patchmix.draw(drawContext(MANY));
const masks = Array.from({ length: MANY }, (_, i) => drawn.mask.subarray(64 * i, 64 * i + 64));
const count = (mask: Uint8Array): number => mask.reduce((sum, bit) => sum + bit, 0);

test('0 to 63 of the 64 patches are the partner’s, each number as often', () => {
  expect([drawn.side, drawn.mask.length]).toEqual([4, 64 * MANY]);
  expect(misfitUniform(masks.map(count), 64)).toBeLessThan(4);
});

test('each patch is the partner’s as often as any other, and patches are drawn apart', () => {
  // Of masks with exactly one patch, and of the pairs in those with two.
  const single = masks.filter((mask) => count(mask) <= 3 && count(mask) > 0);
  const places = single.flatMap((mask) => [...mask.keys()].filter((i) => mask[i]));
  expect(misfitUniform(places, 64)).toBeLessThan(4);
  const columns = single
    .filter((mask) => count(mask) > 1)
    .map((mask) => Math.abs(mask.indexOf(1) - mask.lastIndexOf(1)));
  expect(columns.filter((distance) => distance > 8).length).toBeGreaterThan(columns.length / 2);
});

test('lambda is the share of pixels that stay, cut-off patches counted as what they are', () => {
  for (const [i, mask] of masks.entries()) expect(drawn.lambda[i]).toBeCloseTo(1 - count(mask) / 64, 14);
  const [height, width] = [10, 7];
  const odd = patchmix.draw(drawContext(200, { height, width }));
  expect(odd.mask.length).toBe(200 * 3 * 2);
  tidy(() => {
    const view = batchView(200, { size: height, width });
    // Images 0, 2, … are all 1, the others all 0, and neighbours are partners: a mean is a share of pixels.
    const even = tensor(
      Float32Array.from({ length: 200 }, (_, i) => 1 - (i % 2)),
      { shape: [200, 1, 1, 1] },
    );
    const made = patchmix.apply(
      { ...view, x: view.x.mul(0).add(even) },
      { ...odd, partner: odd.partner.map((_, i) => i ^ 1) },
    );
    const shares = made.mean([1, 2, 3]).toFloat64Array();
    for (const [i, share] of shares.entries()) {
      expect(share).toBeCloseTo(i % 2 ? 1 - odd.lambda[i]! : odd.lambda[i]!, 5);
    }
  });
});
