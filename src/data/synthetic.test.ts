import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { UserError } from '../base/errors.ts';
import { classCounts, type ImageSet } from './image-set.ts';
import { DATASETS } from './registry.ts';
import { generateSynthetic, SYNTHETIC_CLASSES } from './synthetic.ts';

const image = (set: ImageSet, i: number): Uint8Array => set.images.subarray(i * 3072, (i + 1) * 3072);
const hash = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Share of `test` a linear softmax classifier gets right after training on `train` by plain SGD. */
function linearAccuracy(train: ImageSet, test: ImageSet, features: (pixels: Uint8Array) => Float64Array): number {
  const inputs = Array.from({ length: train.count }, (_, i) => features(image(train, i)));
  const width = inputs[0]!.length;
  const classes = train.classNames.length;
  const weights = Array.from({ length: classes }, () => new Float64Array(width + 1));
  const scores = (x: Float64Array): number[] =>
    weights.map((w) => {
      let sum = w[width]!;
      for (let j = 0; j < width; j++) sum += w[j]! * x[j]!;
      return sum;
    });
  for (let epoch = 0; epoch < 2; epoch++) {
    for (let i = 0; i < train.count; i++) {
      const x = inputs[(i * 7919) % train.count]!;
      const label = train.labels[(i * 7919) % train.count]!;
      const s = scores(x);
      const top = Math.max(...s);
      const total = s.reduce((sum, v) => sum + Math.exp(v - top), 0);
      for (let c = 0; c < classes; c++) {
        const w = weights[c]!;
        const step = (0.5 / width) * (Math.exp(s[c]! - top) / total - (c === label ? 1 : 0));
        for (let j = 0; j < width; j++) w[j]! -= step * x[j]!;
        w[width]! -= step;
      }
    }
  }
  let right = 0;
  for (let i = 0; i < test.count; i++) {
    const s = scores(features(image(test, i)));
    if (s.indexOf(Math.max(...s)) === test.labels[i]) right++;
  }
  return right / test.count;
}

test('ten balanced classes, named', () => {
  const set = generateSynthetic('train', 250);
  expect([set.count, set.channels, set.height, set.width]).toEqual([250, 3, 32, 32]);
  expect(Array.from(classCounts(set))).toEqual(Array(10).fill(25));
  expect(set.classNames).toEqual(SYNTHETIC_CLASSES);
  expect(new Set(SYNTHETIC_CLASSES).size).toBe(10);
  expect(SYNTHETIC_CLASSES[5]).toBe('checked triangle');
});

describe('deterministic', () => {
  test('the same bytes on every machine and in every release', () => {
    expect(hash(generateSynthetic('train', 200).images)).toMatchInlineSnapshot(
      `"41d0a7879277fe53ded564ee124b909825b7a42a22f088c89a55dda27df5a495"`,
    );
    expect(hash(generateSynthetic('test', 200).images)).toMatchInlineSnapshot(
      `"2f0d4e9e8dd8eec40c422c926d0e201ff7b53d54788ad8d61a554f9c5db63ef6"`,
    );
  });

  test('a smaller set is the beginning of a larger one; another seed is another set', () => {
    const large = generateSynthetic('train', 60, 3);
    const small = generateSynthetic('train', 25, 3);
    expect(hash(small.images)).toBe(hash(large.images.subarray(0, 25 * 3072)));
    expect(hash(generateSynthetic('train', 25, 4).images)).not.toBe(hash(small.images));
  });
});

test('no image of train is in test, nor twice in either', () => {
  const sets = [generateSynthetic('train', 600), generateSynthetic('test', 600), generateSynthetic('test', 600, 1)];
  const seen = new Set(sets.flatMap((set) => Array.from({ length: set.count }, (_, i) => hash(image(set, i)))));
  expect(seen.size).toBe(1800);
});

test('the registry has its true mean and standard deviation', () => {
  const { images } = generateSynthetic('train', 1500);
  const { mean, std } = DATASETS.synthetic!;
  for (let c = 0; c < 3; c++) {
    let sum = 0;
    let squares = 0;
    for (let i = 0; i < images.length; i++) {
      if (Math.floor((i % 3072) / 1024) !== c) continue;
      sum += images[i]! / 255;
      squares += (images[i]! / 255) ** 2;
    }
    const n = images.length / 3;
    expect(Math.abs(sum / n - mean[c]!)).toBeLessThan(0.01);
    expect(Math.abs(Math.sqrt(squares / n - (sum / n) ** 2) - std[c]!)).toBeLessThan(0.01);
  }
});

describe('it has to be learnt', () => {
  const train = generateSynthetic('train', 800);
  const held = generateSynthetic('test', 400);

  test('a linear classifier of the pixels is hardly better than chance', () => {
    const scaled = (pixels: Uint8Array) => Float64Array.from(pixels, (v) => (v / 255 - 0.304) / 0.228);
    expect(linearAccuracy(train, held, scaled)).toBeLessThan(0.2);
  });

  test('nor do the colours of an image tell its class', () => {
    // mean and spread of each channel, and each channel's histogram
    const colours = (pixels: Uint8Array): Float64Array => {
      const out = new Float64Array(3 * 16);
      pixels.forEach((v, i) => {
        out[Math.floor(i / 1024) * 16 + (v >> 4)]! += 1 / 64;
      });
      return out;
    };
    expect(linearAccuracy(train, held, colours)).toBeLessThan(0.2);
  });
});

test('bad counts and seeds are refused', () => {
  for (const count of [0, -1, 2.5, 1_000_001]) expect(() => generateSynthetic('train', count)).toThrow(UserError);
  expect(() => generateSynthetic('train', 1, -1)).toThrow('a seed must be');
});
