/** @file Learning curves: one number of every epoch, over the seeds of a row. */

import { type Spread, spread } from '../base/spread.ts';
import { unknownName } from '../base/suggest.ts';
import type { ReadRun, RecordedEpoch } from './read.ts';

const fixed: Record<string, { title: string; read(epoch: RecordedEpoch): number | undefined }> = {
  top1: { title: 'test top-1 (%)', read: ({ test }) => test?.top1 },
  top5: { title: 'test top-5 (%)', read: ({ test }) => test?.top5 },
  loss: { title: 'test loss', read: ({ test }) => test?.loss },
  'train-loss': { title: 'training loss', read: ({ train }) => train.loss },
  'train-top1': { title: 'training top-1 (%)', read: ({ train }) => train.top1 },
  'dev-top1': { title: 'top-1 on the dev split (%)', read: ({ dev }) => dev?.top1 },
  'dev-loss': { title: 'loss on the dev split', read: ({ dev }) => dev?.loss },
  lr: { title: 'learning rate', read: ({ lr }) => lr },
};

/** Names of what can be drawn over the epochs, whatever the runs. */
export const curveMetrics: readonly string[] = Object.keys(fixed);

/** A metric by name; besides the fixed ones `train-NAME` is any term or measure that the runs recorded. */
export function curveMetric(
  name: string,
  runs: readonly ReadRun[],
): { title: string; read(epoch: RecordedEpoch): number | undefined } {
  if (Object.hasOwn(fixed, name)) return fixed[name]!;
  const recorded = new Set(
    runs.flatMap(({ curve }) =>
      curve.flatMap(({ train }) => [...Object.keys(train.terms), ...Object.keys(train.measures)]),
    ),
  );
  const term = name.startsWith('train-') ? name.slice('train-'.length) : '';
  if (!recorded.has(term)) {
    throw unknownName('metric', name, [
      ...curveMetrics,
      ...[...recorded].map((recordedName) => `train-${recordedName}`),
    ]);
  }
  return { title: `${term} in training`, read: ({ train }) => train.terms[term] ?? train.measures[term] };
}

export interface CurvePoint extends Spread {
  epoch: number;
}

/** Mean and deviation over the runs that measured an epoch. */
export function meanCurve(runs: readonly ReadRun[], read: (epoch: RecordedEpoch) => number | undefined): CurvePoint[] {
  const byEpoch = new Map<number, number[]>();
  for (const { curve } of runs) {
    for (const epoch of curve) {
      const value = read(epoch);
      if (value === undefined) continue;
      const values = byEpoch.get(epoch.epoch);
      if (values) values.push(value);
      else byEpoch.set(epoch.epoch, [value]);
    }
  }
  return [...byEpoch].sort(([a], [b]) => a - b).map(([epoch, values]) => ({ epoch, ...spread(values) }));
}
