import { describe, expect, test } from 'vitest';
import { batchView, drawContext, misfitUniform } from '../../test/augment.ts';
import { tidy } from '../torch/index.ts';
import { cropFlip, flip } from './flip.ts';
import { normalizeImages } from './normalize.ts';

const MANY = 9000;

describe('flip', () => {
  test('mirrors half of the images and moves none', () => {
    const drawn = flip.draw(drawContext(MANY));
    expect(misfitUniform(drawn.flip, 2)).toBeLessThan(4);
    expect([drawn.padding, Math.max(...drawn.top), Math.max(...drawn.left)]).toEqual([0, 0, 0]);
  });

  test('per batch, half of the batches', () => {
    const coins = Array.from(
      { length: 2000 },
      (_, step) => flip.draw(drawContext(3, { draw: 'batch', step })).flip[0]!,
    );
    expect(misfitUniform(coins, 2)).toBeLessThan(4);
  });

  test('an image comes out as it was or mirrored, to the bit', () => {
    tidy(() => {
      const view = batchView(40);
      const drawn = flip.draw(drawContext(40));
      const made = flip.apply(view, drawn);
      const mirrored = view.x.flip([3]);
      expect(new Set(drawn.flip).size).toBe(2);
      for (const [i, on] of drawn.flip.entries()) {
        expect(made.select(0, i).data()).toEqual((on ? mirrored : view.x).select(0, i).data());
      }
    });
  });
});

describe('crop+flip', () => {
  const drawn = cropFlip.draw(drawContext(MANY));

  test('every place within the padding is as likely, first and last included', () => {
    expect(drawn.padding).toBe(4);
    expect(misfitUniform(drawn.top, 9)).toBeLessThan(4);
    expect(misfitUniform(drawn.left, 9)).toBeLessThan(4);
    expect(misfitUniform(drawn.flip, 2)).toBeLessThan(4);
    const joint = drawn.top.map((top, i) => (top * 9 + drawn.left[i]!) * 2 + drawn.flip[i]!);
    expect(misfitUniform(joint, 162)).toBeLessThan(4);
  });

  test('the padding is an eighth of the size: 4, 8 and 28 pixels', () => {
    for (const [size, padding] of [
      [32, 4],
      [64, 8],
      [224, 28],
    ] as const) {
      const { top, padding: used } = cropFlip.draw(drawContext(500, { height: size, width: size }));
      expect(used).toBe(padding);
      expect([Math.min(...top), Math.max(...top)]).toEqual([0, 2 * padding]);
    }
  });

  test('what is shifted in is black before normalising, and a crop in place is x to the bit', () => {
    tidy(() => {
      const view = batchView(2, { size: 32 });
      const corner = { top: Int32Array.of(0, 4), left: Int32Array.of(0, 4), flip: Int32Array.of(0, 0), padding: 4 };
      const made = cropFlip.apply(view, corner);
      expect(made.select(0, 1).data()).toEqual(view.x.select(0, 1).data());
      const black = normalizeImages(view.images.mul(0), view.normalization);
      const border = made.narrow(0, 0, 1).narrow(2, 0, 4);
      expect(border.data()).toEqual(black.narrow(0, 0, 1).narrow(2, 0, 4).data());
      const moved = made.select(0, 0).narrow(1, 4, 28).narrow(2, 4, 28);
      expect(moved.data()).toEqual(view.x.select(0, 0).narrow(1, 0, 28).narrow(2, 0, 28).data());
    });
  });
});
