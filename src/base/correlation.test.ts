import { describe, expect, test } from 'vitest';
import { kendall, pearson, ranks, spearman } from './correlation.ts';

/** T. stddev and student test loss of the paper's plots (section 3.6 of the later version), and what it prints beside them. */
const plots: Record<
  string,
  { points: [number, number][]; pearson: number; spearman: number; kendall: number; p: [number, number, number] }
> = {
  'resnet56/resnet20, CIFAR-100': {
    points: [
      [0.005248, 1.1783],
      [0.005232, 1.1668],
      [0.005121, 1.1763],
      [0.004983, 1.1687],
      [0.004904, 1.1478],
      [0.004719, 1.1621],
      [0.004443, 1.144],
      [0.004039, 1.1269],
      [0.003788, 1.0924],
    ],
    pearson: 0.9404,
    spearman: 0.9333,
    kendall: 0.8333,
    p: [0.02, 0.02, 0.09],
  },
  'resnet56/resnet20, Tiny ImageNet': {
    points: [
      [0.002994, 1.9459],
      [0.002978, 1.9352],
      [0.002893, 1.9343],
      [0.002845, 1.9369],
      [0.00261, 1.9569],
      [0.002593, 1.9201],
      [0.002494, 1.9136],
      [0.002148, 1.8985],
      [0.001972, 1.8817],
    ],
    pearson: 0.8484,
    spearman: 0.7833,
    kendall: 0.6667,
    p: [0.38, 1.25, 1.27],
  },
  'vgg13/vgg8, Tiny ImageNet (a tie)': {
    points: [
      [0.003873, 1.8377],
      [0.003873, 1.8379],
      [0.003808, 1.8346],
      [0.003734, 1.7932],
      [0.003284, 1.731],
      [0.003388, 1.7757],
      [0.003173, 1.7259],
      [0.002905, 1.6556],
      [0.002681, 1.6237],
    ],
    pearson: 0.987,
    spearman: 0.9958,
    kendall: 0.986,
    p: [0, 0, 0.02],
  },
  'resnet34/resnet18, ImageNet100': {
    points: [
      [0.002545, 0.6713],
      [0.002539, 0.6609],
      [0.002457, 0.6679],
      [0.0025, 0.6646],
      [0.002472, 0.6465],
      [0.002371, 0.6619],
      [0.002367, 0.6568],
      [0.002224, 0.6524],
      [0.002165, 0.6364],
    ],
    pearson: 0.7309,
    spearman: 0.6667,
    kendall: 0.5556,
    p: [2.53, 4.99, 4.46],
  },
};

describe("the paper's correlations follow from its points", () => {
  test.each(Object.entries(plots))('%s', (_, plot) => {
    const x = plot.points.map(([a]) => a);
    const y = plot.points.map(([, b]) => b);
    for (const [i, [measure, expected]] of (
      [
        [pearson, plot.pearson],
        [spearman, plot.spearman],
        [kendall, plot.kendall],
      ] as const
    ).entries()) {
      const { value, p } = measure(x, y);
      // The points are decoded from a plot to about four digits.
      expect(value).toBeCloseTo(expected, 3);
      expect(Math.abs(100 * p - plot.p[i]!)).toBeLessThan(0.011);
    }
  });
});

describe('edges', () => {
  test('ranks average over ties', () => {
    expect(ranks([10, 20, 10, 30])).toEqual([1.5, 3, 1.5, 4]);
  });

  test('a straight line is 1, reversed -1, a constant undefined', () => {
    expect(pearson([1, 2, 3, 4], [2, 4, 6, 8])).toEqual({ value: 1, p: 0 });
    expect(spearman([1, 2, 3], [9, 5, 1]).value).toBe(-1);
    expect(kendall([1, 2, 3, 4, 5], [5, 4, 3, 2, 1])).toEqual({ value: -1, p: 2 / 120 });
    expect(pearson([1, 2, 3], [4, 4, 4]).value).toBeNaN();
    expect(kendall([1, 2, 3], [4, 4, 4]).value).toBeNaN();
  });

  test('too few points and unequal lengths are refused', () => {
    expect(() => pearson([1, 2], [3, 4])).toThrow(/at least 3/);
    expect(() => kendall([1, 2, 3], [3, 4])).toThrow(/pairs/);
  });
});
