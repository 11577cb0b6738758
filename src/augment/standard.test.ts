import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { expectNoLeak } from '../../test/torch.ts';
import { getNumThreads, setNumThreads, type Tensor, tensor, tidy } from '../torch/index.ts';
import { normalizeImages, normalizePlain, renormalizer } from './normalize.ts';
import { type CropFlip, drawCropFlip, gatherCropFlip, gatherCropFlipPlain, noCropFlip } from './standard.ts';

const makeImages = (count: number, size = 8): Tensor =>
  tensor(
    Uint8Array.from({ length: count * 3 * size * size }, (_, i) => (i * 37 + (i >> 5)) % 256),
    { shape: [count, 3, size, size] },
  );

/** Pad, crop and mirror by the definition, one pixel at a time. */
function oracle(
  images: Uint8Array,
  size: number,
  index: Int32Array,
  { top, left, flip }: CropFlip,
  padding: number,
): Uint8Array {
  const out = new Uint8Array(index.length * 3 * size * size);
  let i = 0;
  for (const [b, sample] of index.entries()) {
    for (let c = 0; c < 3; c++) {
      for (let y = 0; y < size; y++) {
        for (let x = 0; x < size; x++) {
          const row = y + top[b]! - padding;
          const column = (flip[b] ? size - 1 - x : x) + left[b]! - padding;
          const inside = row >= 0 && row < size && column >= 0 && column < size;
          out[i++] = inside ? images[((sample * 3 + c) * size + row) * size + column]! : 0;
        }
      }
    }
  }
  return out;
}

describe('crop and flip', () => {
  test('the fused kernel and the plain operators do what the definition says', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 4 }),
        fc.array(fc.record({ sample: fc.nat(4), top: fc.nat(8), left: fc.nat(8), flip: fc.nat(1) }), {
          minLength: 1,
          maxLength: 9,
        }),
        (padding, samples) => {
          tidy(() => {
            const images = makeImages(5);
            const column = (key: 'sample' | 'top' | 'left' | 'flip', most = Number.POSITIVE_INFINITY): Int32Array =>
              Int32Array.from(samples, (s) => Math.min(s[key], most));
            const index = column('sample');
            const draws = { top: column('top', 2 * padding), left: column('left', 2 * padding), flip: column('flip') };
            const expected = oracle(images.data() as Uint8Array, 8, index, draws, padding);
            expect(gatherCropFlip(images, index, draws, padding).data()).toEqual(expected);
            expect(gatherCropFlipPlain(images, index, draws, padding).data()).toEqual(expected);
          });
        },
      ),
      { numRuns: 50 },
    );
  });

  test('the draw that changes nothing gives the images back', () => {
    tidy(() => {
      const images = makeImages(4);
      const index = Int32Array.of(2, 0);
      expect(gatherCropFlip(images, index, noCropFlip(2, 4), 4).equal(images.indexSelect(0, tensor(index)))).toBe(true);
    });
  });

  test('each sample has its own draw, whatever batch it comes in', () => {
    const options = { padding: 4, flip: true };
    const all = drawCropFlip(
      7,
      3,
      Int32Array.from({ length: 100 }, (_, i) => i),
      options,
    );
    const some = drawCropFlip(7, 3, Int32Array.of(50, 3, 99), options);
    expect([...some.top]).toEqual([50, 3, 99].map((i) => all.top[i]));
    expect([...some.flip]).toEqual([50, 3, 99].map((i) => all.flip[i]));
    const next = drawCropFlip(7, 4, Int32Array.of(50, 3, 99), options);
    expect([...next.top, ...next.left]).not.toEqual([...some.top, ...some.left]);
  });

  test('offsets are uniform over 0 to twice the padding, mirrors over both', () => {
    const n = 9000;
    const { top, left, flip } = drawCropFlip(
      1,
      0,
      Int32Array.from({ length: n }, (_, i) => i),
      { padding: 4, flip: true },
    );
    for (const values of [top, left]) {
      const counts = new Array(9).fill(0) as number[];
      for (const value of values) counts[value]!++;
      // 9 cells of 1000: a chi-square of 8 degrees of freedom is below 26.1 with probability 0.999.
      expect(counts.reduce((sum, count) => sum + (count - n / 9) ** 2 / (n / 9), 0)).toBeLessThan(26.1);
    }
    expect(Math.abs(flip.reduce((a, b) => a + b) / n - 0.5)).toBeLessThan(0.02);
    const still = drawCropFlip(1, 0, Int32Array.of(1, 2), { padding: 0, flip: false });
    expect([...still.top, ...still.left, ...still.flip]).toEqual([0, 0, 0, 0, 0, 0]);
  });

  test('the number of threads does not change a byte', () => {
    const before = getNumThreads();
    const index = Int32Array.from({ length: 64 }, (_, i) => (i * 7) % 40);
    const draws = drawCropFlip(3, 1, index, { padding: 4, flip: true });
    tidy(() => {
      const images = makeImages(40, 32);
      const [one, two] = [1, 2].map((threads) => {
        setNumThreads(threads);
        const x = gatherCropFlip(images, index, draws, 4);
        return [x, normalizeImages(x, { mean: [0.5, 0.4, 0.3], std: [0.2, 0.3, 0.4] }, true)] as const;
      });
      expect(one![0].equal(two![0])).toBe(true);
      expect(one![1].equal(two![1])).toBe(true);
    });
    setNumThreads(before);
  });

  test('indices and offsets outside the images are refused', () => {
    tidy(() => {
      const images = makeImages(2);
      const at = (index: number, top: number): (() => unknown) => {
        const draws = { top: Int32Array.of(top), left: Int32Array.of(0), flip: Int32Array.of(0) };
        return () => gatherCropFlip(images, Int32Array.of(index), draws, 2);
      };
      expect(at(2, 0)).toThrow(/index 2 is outside the 2 images/);
      expect(at(-1, 0)).toThrow(/outside/);
      expect(at(0, 5)).toThrow(/between 0 and twice the padding/);
    });
  });
});

describe('normalisation', () => {
  const cifar = { mean: [0.5071, 0.4867, 0.4408], std: [0.2675, 0.2565, 0.2761] };

  test('equals (value / 255 - mean) / std to the bit, in both layouts', () => {
    tidy(() => {
      const images = makeImages(6);
      const expected = normalizePlain(images, cifar);
      for (const channelsLast of [false, true]) {
        const got = normalizeImages(images, cifar, channelsLast);
        expect(got.equal(expected)).toBe(true);
        expect(got.isContiguous('channelsLast')).toBe(channelsLast);
      }
    });
  });

  test('another normalisation is reached from this one', () => {
    const other = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
    expect(renormalizer(cifar, { ...cifar })).toBeNull();
    tidy(() => {
      const images = makeImages(3);
      const changed = renormalizer(cifar, other)!(normalizeImages(images, cifar));
      expect(changed).toBeAllclose(normalizeImages(images, other), { atol: 1e-5 });
    });
  });

  test('leaves no tensor behind', () => {
    const images = makeImages(4);
    expectNoLeak(() => {
      tidy(() => {
        const index = Int32Array.of(1, 2);
        const x = gatherCropFlipPlain(images, index, drawCropFlip(0, 0, index, { padding: 2, flip: true }), 2);
        normalizePlain(x, cifar, true);
        normalizeImages(x, cifar);
      });
    });
    images.dispose();
  });
});
