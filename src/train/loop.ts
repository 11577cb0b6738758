/**
 * @file The training loop, top to bottom: order, batch, step, evaluation, checkpoint. Everything random is a function of
 * (seed, epoch, sample), so a run continues from any saved position as if it had never stopped.
 */
import {
  drawCropFlip,
  gatherCropFlip,
  type Normalization,
  normalizeImages,
  type StandardOptions,
} from '../augment/index.ts';
import { UserError } from '../base/errors.ts';
import { batchCount, batchIndex, epochOrder, type TensorSet } from '../data/batches.ts';
import type { ImageModel } from '../models/index.ts';
import { lrAt, makeOptimizer, type Optimizer, type OptimizerOptions, type ScheduleConfig } from '../nn/index.ts';
import { type Precision, withPrecision } from '../nn/precision.ts';
import { type Tensor, tensor, tidy } from '../torch/index.ts';
import { type EpochSums, METHOD, type Position } from './checkpoint.ts';
import { type Evaluation, evaluate } from './evaluate.ts';
import { DivergedError, type StepResult, trainStep } from './step.ts';
import type { Stage, Task } from './task.ts';

export interface TrainOptions extends OptimizerOptions {
  seed: number;
  epochs: number;
  batchSize: number;
  /** Scale the gradients so that their norm is at most this. Default: they are left as they are. */
  clipGrad?: number | null;
  schedule: ScheduleConfig;
  precision: Precision;
  device: string;
  channelsLast: boolean;
  standard: StandardOptions;
  normalization: Normalization;
  /** Measure after every so many epochs, and after the last. Default 1. */
  evaluateEvery?: number;
  /** Measure each term's share of the gradient at every so many steps. Default 0: never. */
  gradientEvery?: number;
}

export interface TrainData {
  train: TensorSet;
  test: TensorSet;
  /** A part of the training set kept out of training, on which `best` is chosen. */
  dev: TensorSet | null;
}

export interface EpochRecord {
  /** Counted from 1 over the whole run, the epochs of an `init` stage first. */
  epoch: number;
  /** `init`: a stage before the run's own epochs, which is not measured. */
  stage: Stage['name'];
  /** Steps taken over the whole run. */
  step: number;
  lr: number;
  /** Mean over the epoch's samples, before weights; `loss` is the weighted sum. */
  train: {
    loss: number;
    top1: number;
    terms: Record<string, number>;
    measures: Record<string, number>;
    imagesPerSecond: number;
  };
  /** Null where the epoch was not measured (`evaluateEvery`); the last one always is. */
  test: Evaluation | null;
  dev: Evaluation | null;
  /** Whether this is the best of the measured epochs so far. */
  isBest: boolean;
  /** Seconds since the run began, over all sessions. */
  seconds: number;
}

/** Where a step was: `epoch` counts over the whole run and `step` in the epoch, both from 0; `stage` counts from its own start. */
export interface StepPlace {
  epoch: number;
  step: number;
  stepsPerEpoch: number;
  lr: number;
  stage: Stage;
}

/** What the loop tells the outside; all of it synchronous. */
export interface TrainObserver {
  onStep?(result: StepResult, at: StepPlace): void;
  onEvaluate?(set: 'test' | 'dev', done: number, total: number): void;
  onEpoch?(record: EpochRecord): void;
  /** Save now. Called after each epoch, when asked to stop, and now and then in between. */
  save?(position: Position, optimizer: Optimizer): void;
}

/** Thrown when the signal asked the loop to stop; the position was saved before. */
export class InterruptedError extends Error {
  override readonly name: string = 'InterruptedError';
}

/** What is optimised: the network's parameters, and the task's own under the names that a checkpoint has them by. */
function withModules(student: ImageModel, { modules }: Task): Map<string, Tensor> {
  const all = new Map(student.namedParameters());
  if (modules) for (const [name, parameter] of modules.namedParameters()) all.set(METHOD + name, parameter);
  return all;
}

/** The stage an epoch of the run is in. An `init` stage has its own learning rate, or `lr` as it is given, and no schedule. */
function stageAt(
  { init }: Task,
  options: TrainOptions & { stepsPerEpoch: number },
): (epoch: number, step: number) => Stage & { lr: number } {
  const before = init?.epochs ?? 0;
  return (epoch, step) => {
    if (epoch < before) return { name: 'init', epoch, step, lr: init?.lr ?? options.lr };
    const own = step - before * options.stepsPerEpoch;
    return { name: 'train', epoch: epoch - before, step: own, lr: lrAt(options, own) };
  };
}

export const startPosition = (): Position => ({ epoch: 0, step: 0, sums: emptySums(), best: null, seconds: 0 });

const emptySums = (): EpochSums => ({ samples: 0, correct: 0, seconds: 0, terms: {}, measures: {} });

function addTo(sums: EpochSums, result: StepResult, seconds: number): void {
  sums.samples += result.samples;
  sums.correct += result.correct;
  sums.seconds += seconds;
  const add = (to: Record<string, number>, values: Record<string, number>): void => {
    for (const [name, value] of Object.entries(values)) to[name] = (to[name] ?? 0) + value * result.samples;
  };
  add(sums.terms, { ...result.terms, loss: result.loss });
  add(sums.measures, result.measures);
}

function means({ samples, correct, seconds, terms, measures }: EpochSums): EpochRecord['train'] {
  const average = (sums: Record<string, number>): Record<string, number> =>
    Object.fromEntries(Object.entries(sums).map(([name, sum]) => [name, sum / samples]));
  const { loss = Number.NaN, ...rest } = average(terms);
  return {
    loss,
    top1: (100 * correct) / samples,
    terms: rest,
    measures: average(measures),
    imagesPerSecond: samples / seconds,
  };
}

/** Seconds between saves inside an epoch, so that a crash in a long one costs little. */
const SAVE_EVERY = 300;

/**
 * Train `student` (already on its device, weights drawn or loaded) to the end of `options.epochs`. `resume` loads an earlier
 * position and the optimizer's state. Resolves with the last epoch's record.
 *
 * @throws DivergedError when a loss is not finite, InterruptedError when `signal` asked to stop, UserError for a position
 * that the run does not have
 */
export async function train(
  student: ImageModel,
  task: Task,
  data: TrainData,
  options: TrainOptions,
  observer: TrainObserver = {},
  { resume, signal }: { resume?: (optimizer: Optimizer) => Position; signal?: AbortSignal } = {},
): Promise<EpochRecord | null> {
  const {
    seed,
    epochs,
    batchSize,
    precision,
    device,
    channelsLast,
    normalization,
    standard,
    evaluateEvery = 1,
    gradientEvery = 0,
    clipGrad = null,
  } = options;
  const stepsPerEpoch = batchCount(data.train.count, batchSize);
  const before = task.init?.epochs ?? 0;
  const allEpochs = before + epochs;
  const at = stageAt(task, { ...options, stepsPerEpoch });
  const optimizer = makeOptimizer(withModules(student, task), options);
  let position = startPosition();
  let last: EpochRecord | null = null;
  let savedAt = performance.now();

  const evaluateOn = (set: TensorSet, name: 'test' | 'dev'): Promise<Evaluation> =>
    evaluate((images) => withPrecision(precision, device, () => student.forward(images)), set, {
      normalization,
      channelsLast,
      onProgress: (done, total) => observer.onEvaluate?.(name, done, total),
      ...(signal ? { signal } : {}),
    });

  const stop = (): never => {
    observer.save?.(position, optimizer);
    throw new InterruptedError(
      `stopped in epoch ${position.epoch + 1} after ${position.step} of ${stepsPerEpoch} steps`,
    );
  };

  try {
    if (resume) position = resume(optimizer);
    if (position.epoch > allEpochs || position.step > stepsPerEpoch) {
      const { epoch, step } = position;
      throw new UserError(
        `cannot continue after ${epoch} epochs and ${step} steps: the run has ${allEpochs} epochs of ${stepsPerEpoch} steps`,
      );
    }
    let entered: Stage['name'] | null = null;
    for (; position.epoch < allEpochs; position.epoch++) {
      const { epoch } = position;
      const order = epochOrder(seed, epoch, data.train.count);
      const { name } = at(epoch, epoch * stepsPerEpoch);
      // A stage begins with an optimizer that remembers nothing, whether it follows another or a run is continued there.
      if (epoch === before && position.step === 0 && before > 0) optimizer.reset();
      if (name !== entered) task.enter?.(name);
      entered = name;

      // Train on every sample once.
      student.train();
      for (; position.step < stepsPerEpoch; position.step++) {
        const begin = performance.now();
        const step = epoch * stepsPerEpoch + position.step;
        if (signal?.aborted) stop();
        if (begin - savedAt > SAVE_EVERY * 1000) {
          observer.save?.(position, optimizer);
          savedAt = begin;
        }

        const { lr, ...stage } = at(epoch, step);
        const index = batchIndex(order, position.step, batchSize);
        const result = tidy(() => {
          const crops = drawCropFlip(seed, epoch, index, standard);
          const images = gatherCropFlip(data.train.images, index, crops, standard.padding);
          const x = normalizeImages(images, normalization, channelsLast);
          const labels = data.train.labels.indexSelect(0, tensor(index, { dtype: 'int64', device }));
          const batch = { x, images, labels, index, epoch, step, stage };
          const gradients = gradientEvery > 0 && step % gradientEvery === 0;
          return trainStep(student, task, batch, optimizer, { lr, precision, device, gradients, clipGrad });
        });

        const seconds = (performance.now() - begin) / 1000;
        addTo(position.sums, result, seconds);
        position.seconds += seconds;
        observer.onStep?.(result, { epoch, step: position.step, stepsPerEpoch, lr, stage });
        // The engine blocks this thread: let signals, timers and file writes through once a step.
        await new Promise(setImmediate);
      }

      // Measure. The headline is the last epoch's test accuracy; the best is chosen on the dev split where there is one.
      if (signal?.aborted) stop();
      const begin = performance.now();
      student.eval();
      const done = epoch + 1 - before;
      const measured = name === 'train' && (done % evaluateEvery === 0 || done === epochs);
      const dev = measured && data.dev ? await evaluateOn(data.dev, 'dev') : null;
      const test = measured ? await evaluateOn(data.test, 'test') : null;
      position.seconds += (performance.now() - begin) / 1000;

      const top1 = (dev ?? test)?.top1;
      const isBest = top1 !== undefined && (!position.best || top1 > position.best.top1);
      if (isBest) position.best = { epoch: epoch + 1, top1 };
      const step = (epoch + 1) * stepsPerEpoch;
      last = {
        epoch: epoch + 1,
        stage: name,
        step,
        lr: at(epoch, step - 1).lr,
        train: means(position.sums),
        test,
        dev,
        isBest,
        seconds: position.seconds,
      };
      observer.onEpoch?.(last);

      // The next epoch's start is the position to continue from.
      observer.save?.({ ...position, epoch: epoch + 1, step: 0, sums: emptySums() }, optimizer);
      savedAt = performance.now();
      position.step = 0;
      position.sums = emptySums();
    }
    return last;
  } catch (error) {
    if (error instanceof DivergedError) {
      error.message = `epoch ${position.epoch + 1}, step ${position.step + 1} of ${stepsPerEpoch}: ${error.message}`;
    }
    // Asked to stop during an evaluation: the epoch's steps are done, and the next start begins with measuring.
    if (signal?.aborted && error === signal.reason) stop();
    throw error;
  } finally {
    optimizer.dispose();
  }
}
