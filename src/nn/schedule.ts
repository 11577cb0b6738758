/** @file Learning rates over time, as pure functions of the step: nothing to save, nothing to get out of step on resume. */
import { UserError } from '../base/errors.ts';

export type ScheduleConfig =
  | { kind: 'constant' }
  /** lr * gamma^(milestones passed); a milestone m takes effect after m epochs, as in the paper. */
  | { kind: 'step'; milestones: readonly number[]; gamma?: number }
  /** Half a cosine from lr to minLr over all steps (Loshchilov and Hutter, SGDR, 2017), after a linear warm-up. */
  | { kind: 'cosine'; minLr?: number; warmupEpochs?: number }
  /** Up to lr and down to nothing, both by cosine (Smith and Topin, 2018; torch's OneCycleLR without momentum cycling). */
  | { kind: 'one-cycle'; pctStart?: number; divFactor?: number; finalDivFactor?: number };

/** A schedule with the length of the run. */
export interface LrSchedule {
  /** The base, or for one-cycle the highest, learning rate. */
  lr: number;
  epochs: number;
  stepsPerEpoch: number;
  schedule: ScheduleConfig;
}

const cosine = (from: number, to: number, fraction: number): number =>
  to + ((from - to) / 2) * (1 + Math.cos(Math.PI * fraction));

/** The learning rate of step `step`, counted from 0 over the whole run. */
export function lrAt({ lr, epochs, stepsPerEpoch, schedule }: LrSchedule, step: number): number {
  const total = epochs * stepsPerEpoch;
  switch (schedule.kind) {
    case 'constant':
      return lr;
    case 'step': {
      const epoch = Math.floor(step / stepsPerEpoch);
      const passed = schedule.milestones.filter((milestone) => milestone <= epoch).length;
      return lr * (schedule.gamma ?? 0.1) ** passed;
    }
    case 'cosine': {
      const { minLr = 0, warmupEpochs = 0 } = schedule;
      const warmup = Math.round(warmupEpochs * stepsPerEpoch);
      if (step < warmup) return (lr * (step + 1)) / warmup;
      return cosine(lr, minLr, Math.min(1, (step - warmup) / Math.max(1, total - warmup)));
    }
    case 'one-cycle': {
      const { pctStart = 0.3, divFactor = 25, finalDivFactor = 1e4 } = schedule;
      const first = lr / divFactor;
      const peak = Math.max(0, pctStart * total - 1);
      const last = total - 1;
      if (step <= peak) return peak === 0 ? lr : cosine(first, lr, step / peak);
      return cosine(lr, first / finalDivFactor, Math.min(1, (step - peak) / Math.max(1, last - peak)));
    }
  }
}

/**
 * The paper's step schedule for any length: milestones at 150, 180 and 210 of 240 epochs, in proportion. Short runs drop
 * milestones that would fall on the same epoch or on the start.
 */
export function paperMilestones(epochs: number): number[] {
  if (!Number.isInteger(epochs) || epochs < 1) throw new UserError(`epochs must be a positive integer, got ${epochs}`);
  const scaled = [150, 180, 210].map((milestone) => Math.round((milestone * epochs) / 240));
  return [...new Set(scaled)].filter((milestone) => milestone > 0 && milestone < epochs);
}
