/** @file Who watches a run: what is written to its folder, and what is passed on to the person. */
import type { ImageModel } from '../models/index.ts';
import type { Module } from '../nn/index.ts';
import { type NetworkInfo, saveNetwork, saveTraining } from '../train/checkpoint.ts';
import type { EpochRecord, TrainObserver } from '../train/loop.ts';
import type { RunFolder } from './run-folder.ts';

/** What a run tells whoever watches; the command line prints it. */
export interface Reporter extends Pick<TrainObserver, 'onStep' | 'onEpoch'> {
  onEvaluate?(set: 'test' | 'dev' | 'teacher', done: number, total: number): void;
  note?(text: string): void;
  /** Called before the first step with what the run will do. */
  onStart?(start: RunStart): void;
}

export interface RunStart {
  trainCount: number;
  testCount: number;
  devCount: number;
  parameters: number;
  /** Complete epochs, those of an initialisation first. */
  epoch: number;
  /** Epochs of an initialisation before the run's own. */
  initEpochs: number;
}

/** Steps between two step records in metrics.jsonl. */
const LOG_EVERY = 10;

export interface Recorded {
  run: RunFolder;
  student: ImageModel;
  network: NetworkInfo;
  /** Whether the best epoch is chosen on a dev split. */
  hasDev: boolean;
  /** What trains beside the student. */
  modules?: Module | undefined;
  reporter: Reporter;
}

/** The observer that writes the run folder and passes everything on. */
export function recorder({ run, student, network, hasDev, modules, reporter }: Recorded): TrainObserver {
  let metrics: Record<string, number> | undefined;
  return {
    onStep(result, at) {
      const epoch = at.epoch + 1;
      const step = at.epoch * at.stepsPerEpoch + at.step + 1;
      if (step % LOG_EVERY === 0) {
        run.append({ type: 'step', epoch, step, lr: at.lr, loss: result.loss, terms: result.terms });
      }
      if (result.gradients) run.append({ type: 'gradients', epoch, step, terms: result.gradients });
      reporter.onStep?.(result, at);
    },
    onEvaluate: (set, count, total) => reporter.onEvaluate?.(set, count, total),
    // The order matters for a crash in between: what is recorded beyond the last checkpoint is dropped and done again.
    onEpoch(record) {
      run.append({ type: 'epoch', ...record });
      metrics = scores(record) ?? metrics;
      if (record.isBest) {
        saveNetwork(run.bestCheckpoint(hasDev), student, { network, metrics: metrics ?? {}, epoch: record.epoch });
      }
      reporter.onEpoch?.(record);
    },
    save(position, optimizer) {
      metrics ??= scores(run.epochs().findLast(({ test }) => test)) ?? {};
      saveTraining(run.lastCheckpoint, student, optimizer, position, { network, metrics }, modules);
    },
  };
}

/** What a checkpoint says it scored; undefined where the epoch was not measured. */
const scores = (record: EpochRecord | undefined): Record<string, number> | undefined =>
  record?.test ? { top1: record.test.top1, top5: record.test.top5, loss: record.test.loss } : undefined;
