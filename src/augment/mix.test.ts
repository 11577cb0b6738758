import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { filler } from '../../test/filler.ts';
import { expectNoLeak } from '../../test/torch.ts';
import { getNumThreads, noGrad, setNumThreads, type Tensor, tensor, tidy } from '../torch/index.ts';
import { blendImages, blendImagesPlain, pasteBoxes, pasteBoxesPlain, pastePatches, pastePatchesPlain } from './mix.ts';

const images = (batch: number, channels: number, height: number, width: number, last = false): Tensor => {
  const shape = [batch, channels, height, width];
  return tensor(filler('mix', shape), { shape }).contiguous(last ? 'channelsLast' : 'contiguous');
};

/** A pixel at a time: what comes from where is asked of `take`. */
function oracle(x: Tensor, take: (b: number, y: number, x: number, at: (b: number) => number) => number): Float32Array {
  const [batch, channels, height, width] = x.shape as [number, number, number, number];
  const data = x.data();
  const out = new Float32Array(data.length);
  for (let b = 0, i = 0; b < batch; b++) {
    for (let c = 0; c < channels; c++) {
      for (let row = 0; row < height; row++) {
        for (let column = 0; column < width; column++, i++) {
          const at = (sample: number): number =>
            Number(data[((sample * channels + c) * height + row) * width + column]);
          out[i] = take(b, row, column, at);
        }
      }
    }
  }
  return out;
}

const shapes = fc.record({
  batch: fc.integer({ min: 1, max: 5 }),
  channels: fc.constantFrom(1, 3, 4),
  height: fc.integer({ min: 1, max: 9 }),
  width: fc.integer({ min: 1, max: 9 }),
  last: fc.boolean(),
});
const cases = shapes.chain((shape) => {
  const each = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T[]> =>
    fc.array(value, { minLength: shape.batch, maxLength: shape.batch });
  const span = (size: number): fc.Arbitrary<[number, number]> =>
    fc.tuple(fc.nat(size), fc.nat(size)).map(([a, b]) => [Math.min(a, b), Math.max(a, b)]);
  return fc.record({
    shape: fc.constant(shape),
    partner: each(fc.nat(shape.batch - 1)).map((list) => Int32Array.from(list)),
    lambda: each(fc.double({ min: 0, max: 1, noNaN: true })).map((list) => Float64Array.from(list)),
    boxes: each(fc.tuple(span(shape.height), span(shape.width))).map((list) =>
      Int32Array.from(list.flatMap(([[top, bottom], [left, right]]) => [top, left, bottom, right])),
    ),
    side: fc.integer({ min: 1, max: 10 }),
    bits: fc.infiniteStream(fc.boolean()),
  });
});

/** Fused and plain against the oracle: same values, same shape, x's layout. */
function agree(x: Tensor, made: readonly Tensor[], expected: Float32Array, exact = true): void {
  for (const result of made) {
    expect(result.shape).toEqual(x.shape);
    expect(result.isContiguous(x.isContiguous() ? 'contiguous' : 'channelsLast')).toBe(true);
    expect(result.sharesStorage(x)).toBe(false);
    if (exact) expect(result.data()).toEqual(expected);
    else expect(result).toBeAllclose(expected, { rtol: 3e-7, atol: 3e-7 });
  }
}

describe('the fused kernels and the plain operators do what the definition says', () => {
  test('blending', () => {
    fc.assert(
      fc.property(cases, ({ shape, partner, lambda }) => {
        tidy(() => {
          const x = images(shape.batch, shape.channels, shape.height, shape.width, shape.last);
          const expected = oracle(x, (b, _y, _x, at) => lambda[b]! * at(b) + (1 - lambda[b]!) * at(partner[b]!));
          agree(x, [blendImages(x, partner, lambda), blendImagesPlain(x, partner, lambda)], expected, false);
        });
      }),
    );
  });

  test('boxes, from a partner and blanked out', () => {
    fc.assert(
      fc.property(cases, ({ shape, partner, boxes }) => {
        tidy(() => {
          const x = images(shape.batch, shape.channels, shape.height, shape.width, shape.last);
          const inside = (b: number, row: number, column: number): boolean => {
            const [top, left, bottom, right] = boxes.subarray(4 * b, 4 * b + 4) as unknown as [
              number,
              number,
              number,
              number,
            ];
            return row >= top && row < bottom && column >= left && column < right;
          };
          const pasted = oracle(x, (b, row, column, at) => at(inside(b, row, column) ? partner[b]! : b));
          agree(x, [pasteBoxes(x, boxes, partner), pasteBoxesPlain(x, boxes, partner)], pasted);
          const blank = oracle(x, (b, row, column, at) => (inside(b, row, column) ? 0 : at(b)));
          agree(x, [pasteBoxes(x, boxes, null), pasteBoxesPlain(x, boxes, null)], blank);
        });
      }),
    );
  });

  test('patches, those at the border cut off', () => {
    fc.assert(
      fc.property(cases, ({ shape, partner, side, bits }) => {
        tidy(() => {
          const x = images(shape.batch, shape.channels, shape.height, shape.width, shape.last);
          const [down, across] = [Math.ceil(shape.height / side), Math.ceil(shape.width / side)];
          const mask = Uint8Array.from({ length: shape.batch * down * across }, () => Number(bits.next().value));
          const expected = oracle(x, (b, row, column, at) => {
            const patch = (b * down + Math.floor(row / side)) * across + Math.floor(column / side);
            return at(mask[patch] ? partner[b]! : b);
          });
          agree(x, [pastePatches(x, partner, mask, side), pastePatchesPlain(x, partner, mask, side)], expected);
        });
      }),
    );
  });
});

test('a strided view is mixed as what it shows', () => {
  tidy(() => {
    const part = images(3, 3, 8, 8).narrow(3, 2, 4);
    const [partner, boxes] = [Int32Array.of(1, 2, 0), Int32Array.of(0, 0, 4, 2, 1, 1, 5, 4, 0, 0, 0, 0)];
    expect(pasteBoxes(part, boxes, partner).data()).toEqual(pasteBoxes(part.contiguous(), boxes, partner).data());
  });
});

test('other dtypes take the plain way', () => {
  tidy(() => {
    const x = images(2, 3, 4, 4).to('float64');
    const made = blendImages(x, Int32Array.of(1, 0), Float64Array.of(0.25, 1));
    expect(made.dtype).toBe('float64');
    expect(made.select(0, 1).data()).toEqual(x.select(0, 1).data());
  });
});

const partner = Int32Array.from({ length: 32 }, (_, i) => (i + 5) % 32);
const lambda = Float64Array.from({ length: 32 }, (_, i) => i / 31);
const boxes = Int32Array.from({ length: 128 }, (_, i) => [2, i % 9, 12, 10 + (i % 7)][i % 4]!);
const mask = Uint8Array.from({ length: 32 * 16 }, (_, i) => ((i * 7) % 3) & 1);
const kernels: [string, (x: Tensor) => Tensor][] = [
  ['blendImages', (x) => blendImages(x, partner, lambda)],
  ['pasteBoxes', (x) => pasteBoxes(x, boxes, partner)],
  ['pasteBoxes, blank', (x) => pasteBoxes(x, boxes, null)],
  ['pastePatches', (x) => pastePatches(x, partner, mask, 4)],
];

test.each(kernels)('%s: threads change no pixel, nothing is left behind, no gradient is recorded', (_, kernel) => {
  const x = images(32, 3, 16, 16);
  const threads = getNumThreads();
  try {
    const made = [1, 2, 4].map((count) => {
      setNumThreads(count);
      return tidy(() => kernel(x).data());
    });
    expect(made[1]).toEqual(made[0]);
    expect(made[2]).toEqual(made[0]);
    expectNoLeak(() => kernel(x).dispose());
    tidy(() => expect(kernel(x.detach().clone().requiresGrad_()).requiresGrad).toBe(false));
  } finally {
    setNumThreads(threads);
    x.dispose();
  }
});

test('parameters that do not fit the batch are errors', () => {
  tidy(() => {
    const x = images(2, 3, 4, 4);
    const swap = Int32Array.of(1, 0);
    expect(() => blendImages(x, Int32Array.of(1, 2), Float64Array.of(0, 1))).toThrow(
      'partner 2 is outside the batch of 2',
    );
    expect(() => blendImages(x, Int32Array.of(1), Float64Array.of(0, 1))).toThrow(
      'partner: expected an Int32Array of 2',
    );
    expect(() => blendImages(x, swap, Float64Array.of(0))).toThrow('lambda: expected a Float64Array of 2 elements');
    expect(() => pasteBoxes(x, Int32Array.of(0, 0, 1, 1), swap)).toThrow('boxes: expected an Int32Array of 8 elements');
    expect(() => pasteBoxes(x, Int32Array.of(0, 0, 1, 1, 0, 0, 5, 1), swap)).toThrow('box 1 is not inside the image');
    expect(() => pasteBoxes(x, Int32Array.of(2, 0, 1, 1, 0, 0, 1, 1), null)).toThrow('box 0 is not inside the image');
    expect(() => pastePatches(x, swap, new Uint8Array(3), 4)).toThrow('mask: expected a Uint8Array of 2 elements');
    expect(() => pastePatches(x, swap, new Uint8Array(2), 0)).toThrow('side of a patch must be at least 1');
    expect(() => noGrad(() => blendImages(x.select(0, 0), swap, Float64Array.of(0, 1)))).toThrow(
      '[B, C, H, W] float32',
    );
  });
});
