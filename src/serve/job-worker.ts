/** @file A job's process: reads the job from standard input, writes what it finds as lines of JSON. */

import os from 'node:os';
import { text } from 'node:stream/consumers';
import { errorMessage, UserError } from '../base/errors.ts';
import { encodePng } from '../plot/png.ts';
import type { Cell } from '../plot/sheet.ts';
import { augmentSheet } from '../score/augment-sheet.ts';
import { scoreAugmentations } from '../score/score.ts';
import { viewName, viewTitle } from '../score/views.ts';
import { checkpointNetwork } from '../train/checkpoint.ts';
import type { Job } from './job.ts';

const tell = (object: object): void => {
  process.stdout.write(`${JSON.stringify(object)}\n`);
};

/** Planes to a PNG's bytes by pixels. */
function toPng({ data, width, height }: Cell): string {
  const size = width * height;
  const pixels = new Uint8Array(3 * size);
  for (let i = 0; i < size; i++) for (let c = 0; c < 3; c++) pixels[3 * i + c] = data[c * size + i]!;
  return encodePng({ data: pixels, width, height }).toString('base64');
}

/** A checkpoint may name a file with its network; that is code of whoever wrote the checkpoint. */
function checkHarmless(file: { checkpoint: string } | undefined): void {
  const modelFile = file && checkpointNetwork(file.checkpoint)?.modelFile;
  if (!modelFile) return;
  throw new UserError(`${file.checkpoint} is of a network of its own (${modelFile.path}), which a page cannot start`, {
    hint: 'thrive show-augment and thrive score take it with --teacher-model',
  });
}

async function sheet(job: Job & { kind: 'sheet' }): Promise<void> {
  const { kind: _, ...options } = job;
  const { bands, images, leftOut, opinions } = await augmentSheet({ ...options, opinions: true });
  tell({
    type: 'sheet',
    images,
    leftOut,
    bands: bands.map(({ title, note, rows }, b) => ({
      title,
      note: note ?? '',
      rows: rows.map((row, r) =>
        row.map((cell, c) => ({
          png: toPng(cell),
          caption: cell.caption ?? '',
          framed: cell.framed ?? false,
          opinion: opinions[b]?.[r]?.[c] ?? [],
        })),
      ),
    })),
  });
}

/** Often enough to be watched. */
const EVERY = 700;

async function stddev(job: Job & { kind: 'stddev' }): Promise<void> {
  const { kind: _, teacher, ...options } = job;
  let told = 0;
  const shown = (scores: Awaited<ReturnType<typeof scoreAugmentations>>['schemes']): object[] =>
    scores.map((score) => ({
      name: viewName(score),
      title: viewTitle(score),
      tStddev: score.tStddev,
      standardError: score.standardError,
      vectors: score.vectors,
      paper: score.paper ?? null,
    }));
  const found = await scoreAugmentations({
    ...options,
    teacher: teacher!,
    onStep(done, total, _forwards, scores) {
      if (performance.now() - told < EVERY) return;
      told = performance.now();
      tell({ type: 'scores', done, total, schemes: shown(scores(200)) });
    },
  });
  tell({ type: 'scores', done: 1, total: 1, schemes: shown(found.schemes), leftOut: found.leftOut, finished: true });
}

try {
  // Trainings go first.
  os.setPriority(10);
} catch {
  // Not allowed here.
}
process.stdout.on('error', () => process.exit(0));
try {
  const job = JSON.parse(await text(process.stdin)) as Job;
  checkHarmless(job.teacher);
  checkHarmless(job.student);
  if (job.kind === 'sheet') await sheet(job);
  else await stddev(job);
} catch (error) {
  const hint = error instanceof UserError ? error.hint : undefined;
  tell({ type: 'error', error: errorMessage(error), ...(hint ? { hint } : {}) });
}
