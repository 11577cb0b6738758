/** @file T. stddev against the student's test loss (H. Wang and others, NeurIPS 2022, section 4.3): `thrive score`'s file and rows. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { type Correlation, kendall, pearson, spearman } from '../base/correlation.ts';
import { UserError } from '../base/errors.ts';
import { withFileErrors } from '../base/files.ts';
import type { Spread } from '../base/spread.ts';
import { viewTitle } from '../score/views.ts';
import type { Group } from './rows.ts';

const schema = z.looseObject({
  teacher: z.looseObject({ model: z.string(), hash: z.string() }),
  data: z.string(),
  draw: z.enum(['sample', 'batch']).optional(),
  schemes: z
    .array(
      z.looseObject({
        scheme: z.string(),
        pick: z.looseObject({ criterion: z.string(), factor: z.number(), keep: z.number() }).nullable(),
        tStddev: z.number(),
        standardError: z.number().nullish(),
      }),
    )
    .min(1),
});

export type ScoreFile = z.output<typeof schema>;

/**
 * What `thrive score --out FILE` wrote.
 *
 * @throws UserError where it is not that
 */
export function readScoreFile(file: string): ScoreFile {
  const text = withFileErrors('read', file, () => readFileSync(file, 'utf8'));
  const hint = 'make it with thrive score --out FILE';
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new UserError(`${file} is not valid JSON`, { hint, cause: error });
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue?.path.length ? `${issue.path.join('.')}: ` : '';
  throw new UserError(`${file} is not what thrive score writes: ${where}${issue?.message ?? 'unknown'}`, { hint });
}

export interface CorrelationPoint {
  /** Index of the row, and its augmentation as in the paper's figures. */
  row: number;
  label: string;
  tStddev: number;
  standardError: number | null;
  /** The student's, over seeds. */
  loss: Spread;
}

/** How T. stddev and the student's test loss go together. */
export interface StddevCorrelation {
  points: CorrelationPoint[];
  /** Null with fewer than three points. */
  pearson: Correlation | null;
  spearman: Correlation | null;
  kendall: Correlation | null;
  notes: string[];
}

const isDict = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

/**
 * Match rows to the schemes that were scored, by their second view, and correlate. A row without one matches nothing: the nine of
 * the paper all have a second view, `identity` too. Neither does one that learns from mixed labels, which the teacher does not see.
 */
export function correlate(
  score: ScoreFile,
  groups: readonly Group[],
  rows: readonly { finished: boolean; loss: Spread; label: string }[],
): StddevCorrelation {
  const remarks = new Map<string, string[]>();
  const remark = (label: string, text: string): void => {
    remarks.set(text, [...(remarks.get(text) ?? []), label]);
  };
  const points = groups.flatMap(({ fields, counted }, row): CorrelationPoint[] => {
    const { augment, draw, pick, pickFactor, pickKeep, teacher } = fields;
    const { finished, loss, label } = rows[row]!;
    if (augment === undefined || fields.strongLabels === 'mixed') return [];
    const scheme = score.schemes.find(
      (scored) =>
        scored.scheme === augment &&
        scored.pick?.criterion === pick &&
        scored.pick?.factor === pickFactor &&
        scored.pick?.keep === pickKeep,
    );
    if (!scheme) {
      remark(label, `its augmentation was not scored`);
      return [];
    }
    if (!finished || !Number.isFinite(loss.mean)) {
      remark(label, `${finished ? 'its test loss is not a number' : 'unfinished'}, left out of the correlation`);
      return [];
    }
    if (isDict(teacher) && teacher.sha256 !== score.teacher.hash) {
      remark(label, `its teacher is not the one that was scored (${score.teacher.model})`);
    }
    if (counted[0]!.config.data !== score.data) {
      remark(label, `trained on ${counted[0]!.config.data}, scored on ${score.data}`);
    }
    if (score.draw && draw !== undefined && draw !== score.draw) {
      remark(label, `one draw a ${String(draw)}, scored with one a ${score.draw}`);
    }
    const title = viewTitle({ scheme: scheme.scheme, pick: scheme.pick as never });
    const { tStddev, standardError = null } = scheme;
    return [{ row, label: title, tStddev, standardError, loss }];
  });
  const notes = [...remarks].map(([text, labels]) => `${labels.join('; ')}: ${text}`);
  if (points.length < 3) {
    notes.push(`a correlation needs at least 3 rows with an augmentation that was scored; here are ${points.length}`);
    return { points, pearson: null, spearman: null, kendall: null, notes };
  }
  const x = points.map(({ tStddev }) => tStddev);
  const y = points.map(({ loss }) => loss.mean);
  // Two rows of one scheme differ in something else; their label says in what.
  const titles = points.map(({ label }) => label);
  const named = points.map((point) =>
    titles.indexOf(point.label) === titles.lastIndexOf(point.label)
      ? point
      : { ...point, label: rows[point.row]!.label },
  );
  return { points: named, pearson: pearson(x, y), spearman: spearman(x, y), kendall: kendall(x, y), notes };
}
