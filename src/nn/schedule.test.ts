import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readNN } from '../../test/fixtures/nn/read.ts';
import { lrAt, type ScheduleConfig } from './index.ts';
import { paperMilestones } from './schedule.ts';

const torch = readNN().schedules;

const rates = (schedule: ScheduleConfig, lr: number, epochs: number, stepsPerEpoch: number): number[] =>
  Array.from({ length: epochs * stepsPerEpoch }, (_, step) => lrAt({ lr, epochs, stepsPerEpoch, schedule }, step));

describe('PyTorch’s values', () => {
  test.each<[string, ScheduleConfig, number, number, number]>([
    ['step', { kind: 'step', milestones: [3, 5, 9] }, 0.05, 12, 1],
    ['step gamma', { kind: 'step', milestones: [2, 4], gamma: 0.3 }, 0.1, 6, 1],
    ['cosine', { kind: 'cosine' }, 0.1, 4, 5],
    ['cosine floor', { kind: 'cosine', minLr: 0.002 }, 0.1, 6, 5],
    ['one-cycle', { kind: 'one-cycle' }, 0.2, 4, 10],
    ['one-cycle early', { kind: 'one-cycle', pctStart: 0.1, divFactor: 10, finalDivFactor: 100 }, 0.2, 3, 10],
  ])('%s', (name, schedule, lr, epochs, stepsPerEpoch) => {
    const expected = torch[name]!;
    expect(expected.length).toBeGreaterThan(5);
    expect(rates(schedule, lr, epochs, stepsPerEpoch).slice(0, expected.length)).toBeAllclose(expected, {
      rtol: 1e-9,
      atol: 1e-15,
    });
  });
});

describe('the paper’s rule', () => {
  const schedule: ScheduleConfig = { kind: 'step', milestones: [150, 180, 210] };

  test('epochs count from 1; the rate falls tenfold for each milestone that is smaller than the epoch', () => {
    const stepsPerEpoch = 782;
    for (let epoch = 1; epoch <= 240; epoch++) {
      const passed = [150, 180, 210].filter((milestone) => milestone < epoch).length;
      for (const step of [0, stepsPerEpoch - 1]) {
        const lr = lrAt({ lr: 0.05, epochs: 240, stepsPerEpoch, schedule }, (epoch - 1) * stepsPerEpoch + step);
        expect(lr).toBeCloseTo(0.05 * 0.1 ** passed, 12);
      }
    }
  });

  test('the first decay takes effect in epoch 151', () => {
    const at = (epoch: number): number => lrAt({ lr: 0.05, epochs: 240, stepsPerEpoch: 1, schedule }, epoch - 1);
    expect([at(1), at(150), at(151), at(180), at(181), at(211), at(240)]).toBeAllclose(
      [0.05, 0.05, 0.005, 0.005, 0.0005, 0.00005, 0.00005],
      { rtol: 1e-12, atol: 0 },
    );
  });

  test.each([
    [240, [150, 180, 210]],
    [480, [300, 360, 420]],
    [960, [600, 720, 840]],
    [24, [15, 18, 21]],
    [4, [3]],
    [1, []],
  ])('%i epochs have their milestones at %j', (epochs, milestones) => {
    expect(paperMilestones(epochs).filter((m) => milestones.includes(m))).toEqual(milestones);
  });

  test('milestones rise and lie inside the run, for any length', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2000 }), (epochs) => {
        const milestones = paperMilestones(epochs);
        expect(milestones.every((m, i) => m > (milestones[i - 1] ?? 0) && m < epochs)).toBe(true);
        if (epochs >= 8) expect(milestones).toHaveLength(3);
      }),
    );
  });

  test.each([0, -1, 1.5, Number.NaN])('%d epochs are refused', (epochs) => {
    expect(() => paperMilestones(epochs)).toThrow(`epochs must be a positive integer, got ${epochs}`);
  });
});

describe('shapes', () => {
  test('constant stays', () => {
    expect(rates({ kind: 'constant' }, 0.3, 2, 2)).toEqual([0.3, 0.3, 0.3, 0.3]);
  });

  test('cosine warms up in a line, then falls to its floor', () => {
    const found = rates({ kind: 'cosine', warmupEpochs: 2, minLr: 0.01 }, 0.1, 10, 4);
    expect(found.slice(0, 8)).toBeAllclose(
      [1, 2, 3, 4, 5, 6, 7, 8].map((i) => (0.1 * i) / 8),
      { rtol: 1e-12 },
    );
    expect(found[8]).toBeCloseTo(0.1, 12);
    for (let i = 9; i < found.length; i++) expect(found[i]).toBeLessThan(found[i - 1]!);
    expect(found.at(-1)).toBeGreaterThan(0.01);
    expect(found.at(-1)).toBeLessThan(0.011);
  });

  test('one-cycle rises to its peak and ends near nothing', () => {
    const found = rates({ kind: 'one-cycle' }, 0.4, 10, 10);
    const peak = found.indexOf(Math.max(...found));
    expect(found[peak]).toBeCloseTo(0.4, 12);
    expect(peak).toBe(29);
    expect(found[0]).toBeCloseTo(0.4 / 25, 12);
    expect(found.at(-1)).toBeCloseTo(0.4 / 25 / 1e4, 12);
  });

  test('every schedule gives a finite, non-negative rate at every step of any run', () => {
    const kinds = fc.constantFrom<ScheduleConfig>(
      { kind: 'constant' },
      { kind: 'step', milestones: [1, 2] },
      { kind: 'cosine' },
      { kind: 'cosine', warmupEpochs: 1, minLr: 0.001 },
      { kind: 'one-cycle' },
      { kind: 'one-cycle', pctStart: 0 },
      { kind: 'one-cycle', pctStart: 1 },
    );
    fc.assert(
      fc.property(kinds, fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 5 }), (kind, epochs, steps) => {
        for (const rate of rates(kind, 0.1, epochs, steps)) {
          expect(rate).toBeGreaterThanOrEqual(0);
          expect(rate).toBeLessThanOrEqual(0.1 + 1e-12);
        }
      }),
    );
  });
});
