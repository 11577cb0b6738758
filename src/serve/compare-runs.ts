/** @file Chosen runs compared: what `thrive compare` says, and how sure the differences are. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../base/errors.ts';
import { spread } from '../base/spread.ts';
import { meanDifference } from '../base/student-t.ts';
import type { Comparison } from '../compare/compare.ts';
import { insideAny } from './contain.ts';
import type { KnownRun, RunIndex } from './run-index.ts';

/** Above this a comparison would hold up the server. */
const MOST_RUNS = 200;
const MOST_BYTES = 64 << 20;

/** Mean of row `a` minus mean of row `b`, with its 95 % interval and Welch's p-value. */
export interface RowDifference {
  difference: number;
  low: number;
  high: number;
  p: number;
  a: number;
  b: number;
  metric: 'top1' | 'loss';
}

/** Every pair of rows that both have two seeds or more, in top-1 and in loss. */
export function rowDifferences({ rows }: Pick<Comparison, 'rows'>): RowDifference[] {
  const values = (row: number, metric: 'top1' | 'loss'): number[] =>
    rows[row]!.runs.flatMap((run) => (run.counted && Number.isFinite(run[metric]) ? [run[metric]] : []));
  const found: RowDifference[] = [];
  for (let a = 0; a < rows.length && found.length < 200; a++) {
    for (let b = a + 1; b < rows.length; b++) {
      for (const metric of ['top1', 'loss'] as const) {
        const tested = meanDifference(spread(values(a, metric)), spread(values(b, metric)));
        if (tested) found.push({ a, b, metric, ...tested });
      }
    }
  }
  return found;
}

export async function compareChosen(
  index: RunIndex,
  runs: readonly KnownRun[],
  options: { metric?: string | undefined; vary?: string | undefined; score?: string | undefined },
): Promise<{ comparison: Comparison; tests: RowDifference[]; ids: string[][] }> {
  if (runs.length === 0) throw new UserError('no run is chosen', { hint: 'choose some in the list of runs' });
  if (runs.length > MOST_RUNS)
    throw new UserError(`${runs.length} runs are too many to compare: ${MOST_RUNS} are the most`);
  const bytes = (run: KnownRun): number =>
    statSync(join(run.folder, 'metrics.jsonl'), { throwIfNoEntry: false })?.size ?? 0;
  const small = runs.filter((run) => bytes(run) <= MOST_BYTES && run.brief.state !== 'broken');
  if (small.length === 0)
    throw new UserError('none of these runs can be compared: their files are damaged or too large');
  const { compareRuns } = await import('../compare/compare.ts');
  const comparison = compareRuns(
    small.map(({ folder }) => folder),
    {
      ...(options.metric ? { metric: options.metric } : {}),
      ...(options.vary ? { vary: options.vary.split(',') } : {}),
      ...(options.score ? { score: insideAny(options.score, index.roots) } : {}),
    },
  );
  for (const run of runs.filter((one) => !small.includes(one))) {
    comparison.notes.push(`${run.name} is left out: its files are damaged or too large`);
  }
  const byFolder = new Map(runs.map(({ folder, id }) => [folder, id]));
  return {
    comparison,
    tests: rowDifferences(comparison),
    ids: comparison.rows.map((row) => row.runs.flatMap(({ folder }) => byFolder.get(folder) ?? [])),
  };
}
