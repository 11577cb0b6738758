/** @file What a finished run is worth, and what it cost. */

import type { Config } from '../config/config.ts';
import { networkOf } from '../config/derive.ts';
import type { Methods } from '../distill/methods.ts';
import { modelLabel } from '../networks/model-reference.ts';
import type { Evaluation } from '../train/evaluate.ts';
import type { EpochRecord } from '../train/loop.ts';
import type { RunFolder, RunRecord } from './run-folder.ts';

/** The headline (`top1`, `top5`, `loss`) is the last epoch's, on the test set. */
export interface RunSummary {
  task: Config['task'];
  data: string;
  model: string;
  seed: number;
  /** The run's own epochs, and those of an initialisation before them. */
  epochs: number;
  initEpochs: number;
  top1: number;
  top5: number;
  loss: number;
  /** The best epoch, and the set that chose it: `test` means it was chosen with hindsight and is no fair estimate. */
  best: { epoch: number; top1: number; chosenOn: 'dev' | 'test' };
  train: EpochRecord['train'];
  teacher: RunRecord['teacher'];
  /** Images of x that were trained on, and passes through each network, an initialisation included. */
  imagesSeen: number;
  teacherForwards: number;
  studentForwards: number;
  /** Seconds of training and evaluation, over all sessions. */
  seconds: number;
  imagesPerSecond: number;
  fingerprint: string;
  folder: string;
  /** The trained network, as it is after the last epoch: for `evaluateCheckpoint`, or as a teacher. */
  checkpoint: string;
}

export type MeasuredEpoch = EpochRecord & { test: Evaluation };

export const isMeasured = (record: EpochRecord | undefined): record is MeasuredEpoch => Boolean(record?.test);

export interface Finished {
  config: Config;
  record: RunRecord;
  last: MeasuredEpoch;
  run: RunFolder;
  methods: Methods | null;
  /** Images through each network in an epoch. */
  forwards: NonNullable<RunRecord['forwards']>;
  trainCount: number;
  /** The fingerprint's. */
  id: string;
}

export function summarize({
  config,
  record,
  last,
  run,
  methods,
  forwards: each,
  trainCount,
  id,
}: Finished): RunSummary {
  const epochs = run.epochs();
  const best = epochs.filter(isMeasured).findLast(({ isBest }) => isBest) ?? last;
  const initEpochs = methods?.init?.epochs ?? 0;
  const forwards = (network: 'teacher' | 'student'): number =>
    config.epochs * each.train[network] + initEpochs * (each.init?.[network] ?? 0);
  return {
    task: config.task,
    data: config.data,
    model: modelLabel(networkOf(config)),
    seed: config.seed,
    epochs: config.epochs,
    initEpochs,
    top1: last.test.top1,
    top5: last.test.top5,
    loss: last.test.loss,
    best: { epoch: best.epoch - initEpochs, top1: best.test.top1, chosenOn: config.holdout > 0 ? 'dev' : 'test' },
    train: last.train,
    teacher: record.teacher,
    imagesSeen: trainCount * (config.epochs + initEpochs),
    teacherForwards: forwards('teacher'),
    studentForwards: forwards('student'),
    seconds: last.seconds,
    imagesPerSecond: epochs.reduce((sum, r) => sum + r.train.imagesPerSecond, 0) / Math.max(1, epochs.length),
    fingerprint: id,
    folder: run.path,
    checkpoint: run.lastCheckpoint,
  };
}
