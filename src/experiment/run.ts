/** @file One run from configuration to summary: checks everything, loads, trains, records. */
import { arch, cpus, platform } from 'node:os';
import { schemeByName, schemeSettings } from '../augment/index.ts';
import { UserError } from '../base/errors.ts';
import { batchCount } from '../data/batches.ts';
import { datasetInfo } from '../data/index.ts';
import { criterionNeeds } from '../distill/pick.ts';
import { Teacher, type TeacherModel } from '../distill/teacher.ts';
import type { ImageModel } from '../models/index.ts';
import { checkDevice, defaultThreads, engineInfo, setNumThreads } from '../torch/index.ts';
import { loadTraining, type NetworkInfo, saveNetwork, saveTraining } from '../train/checkpoint.ts';
import { distillation } from '../train/distillation.ts';
import { type Evaluation, evaluate } from '../train/evaluate.ts';
import { prefersChannelsLast } from '../train/layout.ts';
import {
  type EpochRecord,
  startPosition,
  type TrainData,
  type TrainObserver,
  type TrainOptions,
  train,
} from '../train/loop.ts';
import { supervised, type Task } from '../train/task.ts';
import { type Config, type ConfigInput, resolveConfig } from './config.ts';
import { loadTrainData, normalizationOf, standardOptions } from './data.ts';
import { checkSameRun, type Fingerprint, fingerprint, teacherIdentity } from './fingerprint.ts';
import { loadNetwork } from './load-network.ts';
import { continueConfig, withAbsolutePaths } from './merge.ts';
import { checkModel, modelFile, modelLabel } from './model-reference.ts';
import { RunFolder, type RunRecord } from './run-folder.ts';
import { lockRun } from './run-lock.ts';
import { makeStudent } from './student.ts';
import { packageVersion } from './version.ts';

/** What a finished run is worth. The headline (`top1`, `top5`, `loss`) is the last epoch's, on the test set. */
export interface RunSummary {
  task: Config['task'];
  data: string;
  model: string;
  seed: number;
  epochs: number;
  top1: number;
  top5: number;
  loss: number;
  /** The best epoch, and the set that chose it: `test` means it was chosen with hindsight and is no fair estimate. */
  best: { epoch: number; top1: number; chosenOn: 'dev' | 'test' };
  train: EpochRecord['train'];
  teacher: RunRecord['teacher'];
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

/** What a run tells whoever watches; the command line prints it. */
export interface Reporter extends Pick<TrainObserver, 'onStep' | 'onEpoch'> {
  onEvaluate?(set: 'test' | 'dev' | 'teacher', done: number, total: number): void;
  note?(text: string): void;
  /** Called before the first step with what the run will do. */
  onStart?(start: { trainCount: number; testCount: number; devCount: number; parameters: number; epoch: number }): void;
}

export interface RunOptions {
  /** The run's folder. */
  out: string;
  /** Continue the run that is there, if there is one; one that is finished is not trained again. */
  resume?: boolean;
  reporter?: Reporter;
  signal?: AbortSignal;
}

/** Steps between two step records in metrics.jsonl. */
const LOG_EVERY = 10;

function trainOptions(config: Config): TrainOptions {
  const info = datasetInfo(config.data);
  return {
    ...config,
    device: checkDevice(config.device),
    channelsLast: prefersChannelsLast(config.precision, config.device),
    standard: standardOptions(config, info),
    normalization: normalizationOf(info),
  };
}

async function loadTeacher(config: Config, options: TrainOptions, reporter: Reporter): Promise<TeacherModel> {
  const info = datasetInfo(config.data);
  const { checkpoint, model } = config.teacher!;
  const loaded = await loadNetwork(checkpoint, {
    ...(model ? { model } : {}),
    classes: info.classes,
    imageSize: info.size,
    modelFlag: '--teacher-model',
    taps: config.teacherTaps,
    classesHint:
      'choose the data set it was trained on, other weights, or train it on this one first: thrive train --init FILE --reset-head',
  });
  for (const note of loaded.notes) reporter.note?.(note);
  if (options.channelsLast) loaded.network.to({ memoryFormat: 'channelsLast' });
  return new Teacher(loaded.network.to({ device: options.device }), {
    normalization: loaded.info?.normalization ?? options.normalization,
    inputNormalization: options.normalization,
    precision: options.precision,
    device: options.device,
  });
}

/** Checks that need nothing loaded: names, device, threads. */
function checkNames(config: Config): void {
  datasetInfo(config.data);
  checkModel(config.model);
  if (config.teacher?.model) checkModel(config.teacher.model);
}

/**
 * Train or distil as configured into a run folder, or continue the run that is there.
 *
 * @example
 * const { top1, checkpoint } = await runExperiment({ data: 'cifar100', model: 'resnet20' }, { out: 'runs/alone' });
 * @throws UserError for anything wrong with the input, before the folder is written; DivergedError; InterruptedError
 */
export async function runExperiment(
  settings: ConfigInput,
  { out, resume = false, reporter = {}, signal }: RunOptions,
): Promise<RunSummary> {
  const opened = resume && RunFolder.isAt(out) ? RunFolder.open(out) : null;
  const config = opened ? continueConfig(opened.record.config, settings) : resolveConfig(settings);
  checkNames(config);
  const done = opened?.run.readSummary<RunSummary>();
  if (done) {
    reporter.note?.(`${out} is finished; nothing to do`);
    return done;
  }
  const options = trainOptions(config);
  const info = datasetInfo(config.data);
  const print = fingerprint(config, teacherIdentity(config));
  if (opened) checkSameRun(out, opened.record.fingerprint, print);
  const run = opened?.run ?? RunFolder.create(out);

  const owned: { dispose(): void }[] = [];
  const own = <T extends { dispose(): void }>(thing: T): T => {
    owned.push(thing);
    return thing;
  };
  try {
    own({ dispose: lockRun(out) });
    // What is wrong most easily comes first: a file of weights, before seconds go by with the data.
    const teacher = config.teacher ? own(await loadTeacher(config, options, reporter)) : null;
    setNumThreads(config.threads ?? defaultThreads());
    const student = own(await makeStudent(config, info));
    reporter.note?.(`loading ${config.data}`);
    const data = own(loadTrainData(config));
    checkLastBatch(config, data.train.count);
    student.to({ device: options.device, ...(options.channelsLast ? { memoryFormat: 'channelsLast' as const } : {}) });

    // The record goes first: a run killed from here on can be resumed.
    const record = opened?.record ?? newRecord(withAbsolutePaths(config), print);
    run.writeRecord(record);
    if (teacher && !record.teacher) {
      record.teacher = await judge(teacher, data, options, reporter, signal);
      run.writeRecord(record);
    }

    const file = modelFile(config.model);
    const network: NetworkInfo = {
      model: modelLabel(config.model),
      ...(file ? { modelFile: file } : {}),
      classes: info.classes,
      imageSize: info.size,
      data: config.data,
      normalization: options.normalization,
      classNames: info.classNames,
    };
    const counts = { trainCount: data.train.count, testCount: data.test.count, devCount: data.dev?.count ?? 0 };
    const stepsPerEpoch = batchCount(counts.trainCount, config.batchSize);
    const last = await train(
      student,
      task(config, teacher, options),
      data,
      options,
      recorder(run, student, network, config, reporter),
      {
        resume: (optimizer) => {
          // A run that died before its first save starts over.
          const saved = opened && run.hasCheckpoint();
          const from = saved ? loadTraining(run.lastCheckpoint, student, optimizer) : startPosition();
          if (opened) run.rewind(from.epoch, from.epoch * stepsPerEpoch + from.step);
          reporter.onStart?.({ ...counts, parameters: student.parameterCount(), epoch: from.epoch });
          return from;
        },
        ...(signal ? { signal } : {}),
      },
    );
    // A run that was killed between its last epoch and its summary has nothing left to train.
    const final = last ?? run.epochs().at(-1);
    if (!isMeasured(final)) throw new UserError(`${out} is damaged: metrics.jsonl does not hold the last epoch`);
    const summary = summarize(config, record, final, run, counts.trainCount, print.id);
    run.writeSummary(summary);
    return summary;
  } finally {
    run.close();
    for (const thing of owned.reverse()) thing.dispose();
    run.discardIfEmpty();
  }
}

function task(config: Config, teacher: TeacherModel | null, options: TrainOptions): Task {
  if (!teacher) return supervised();
  const { strong, kd, seed } = config;
  if (!strong) return distillation(teacher, kd);
  const { size } = datasetInfo(config.data);
  return distillation(teacher, kd, {
    ...strong,
    scheme: schemeByName(strong.scheme),
    settings: schemeSettings(config.data, size),
    normalization: options.normalization,
    channelsLast: options.channelsLast,
    seed,
    weight: strong.weight ?? kd.alpha,
    pick: strong.pick ?? null,
  });
}

/** Mixing needs two pictures: find out now, not at the end of the first epoch, that the last batch has one. */
function checkLastBatch({ strong, batchSize }: Config, trainCount: number): void {
  if (!strong || !schemeByName(strong.scheme).mixes) return;
  if (batchSize > 1 && trainCount % batchSize !== 1) return;
  throw new UserError(
    `${strong.scheme} mixes pictures of a batch, but batches of ${batchSize} leave a batch of one of ${trainCount} pictures`,
    { hint: 'choose another --batch-size or --limit-train' },
  );
}

/** Pictures that pass through each network in a step, as multiples of the batch. */
export function passes({ task, strong }: Pick<Config, 'task' | 'strong'>): { teacher: number; student: number } {
  if (task === 'train') return { teacher: 0, student: 1 };
  if (!strong) return { teacher: 1, student: 1 };
  const { pick } = strong;
  if (!pick) return { teacher: strong.labels === 'mixed' ? 1 : 2, student: 2 };
  const kept = pick.factor * pick.keep;
  const needs = criterionNeeds(pick.criterion);
  // Where the teacher scored the pool its logits are used again.
  return { teacher: 1 + (needs.teacher ? pick.factor : kept), student: 1 + kept + (needs.student ? pick.factor : 0) };
}

function newRecord(config: Config, print: Fingerprint): RunRecord {
  const engine = engineInfo();
  return {
    config,
    fingerprint: print,
    versions: {
      thrive: packageVersion(),
      node: process.version,
      libtorch: engine.version,
      cpu: cpus()[0]?.model ?? 'unknown',
      capability: engine.cpuCapability,
      threads: String(engine.threads),
      platform: `${platform()} ${arch()}`,
    },
    created: new Date().toISOString(),
    teacher: null,
  };
}

/** What the teacher scores on the test set: a teacher loaded wrongly shows here, before any student is trained. */
async function judge(
  teacher: TeacherModel,
  data: TrainData,
  options: TrainOptions,
  reporter: Reporter,
  signal?: AbortSignal,
): Promise<NonNullable<RunRecord['teacher']>> {
  const { top1, top5, loss, count } = await evaluate((images) => teacher.logits(images), data.test, {
    normalization: options.normalization,
    channelsLast: options.channelsLast,
    onProgress: (done, total) => reporter.onEvaluate?.('teacher', done, total),
    ...(signal ? { signal } : {}),
  });
  const percent = (value: number): string => `${value.toFixed(2)} %`;
  reporter.note?.(
    `teacher: top-1 ${percent(top1)}, top-5 ${percent(top5)}, loss ${loss.toFixed(4)} on ${count} test pictures`,
  );
  return { top1, top5, loss };
}

/** The observer that writes the run folder and passes everything on. */
function recorder(
  run: RunFolder,
  student: ImageModel,
  network: NetworkInfo,
  config: Config,
  reporter: Reporter,
): TrainObserver {
  let metrics: Record<string, number> | undefined;
  return {
    onStep(result, at) {
      const step = at.epoch * at.stepsPerEpoch + at.step + 1;
      if (step % LOG_EVERY === 0) {
        run.append({ type: 'step', epoch: at.epoch + 1, step, lr: at.lr, loss: result.loss, terms: result.terms });
      }
      reporter.onStep?.(result, at);
    },
    onEvaluate: (set, count, total) => reporter.onEvaluate?.(set, count, total),
    // The order matters for a crash in between: what is recorded beyond the last checkpoint is dropped and done again.
    onEpoch(record) {
      run.append({ type: 'epoch', ...record });
      metrics = scores(record) ?? metrics;
      if (record.isBest) {
        saveNetwork(run.bestCheckpoint(config.holdout > 0), student, {
          network,
          metrics: metrics ?? {},
          epoch: record.epoch,
        });
      }
      reporter.onEpoch?.(record);
    },
    save(position, optimizer) {
      metrics ??= scores(run.epochs().findLast(({ test }) => test)) ?? {};
      saveTraining(run.lastCheckpoint, student, optimizer, position, { network, metrics });
    },
  };
}

/** What a checkpoint says it scored; undefined where the epoch was not measured. */
const scores = (record: EpochRecord | undefined): Record<string, number> | undefined =>
  record?.test ? { top1: record.test.top1, top5: record.test.top5, loss: record.test.loss } : undefined;

type Measured = EpochRecord & { test: Evaluation };

const isMeasured = (record: EpochRecord | undefined): record is Measured => Boolean(record?.test);

function summarize(
  config: Config,
  record: RunRecord,
  last: Measured,
  run: RunFolder,
  trainCount: number,
  id: string,
): RunSummary {
  const epochs = run.epochs();
  const best = epochs.filter(isMeasured).findLast((r) => r.isBest) ?? last;
  const imagesSeen = trainCount * config.epochs;
  const forwards = passes(config);
  return {
    task: config.task,
    data: config.data,
    model: modelLabel(config.model),
    seed: config.seed,
    epochs: config.epochs,
    top1: last.test.top1,
    top5: last.test.top5,
    loss: last.test.loss,
    best: { epoch: best.epoch, top1: best.test.top1, chosenOn: config.holdout > 0 ? 'dev' : 'test' },
    train: last.train,
    teacher: record.teacher,
    imagesSeen,
    teacherForwards: Math.round(imagesSeen * forwards.teacher),
    studentForwards: Math.round(imagesSeen * forwards.student),
    seconds: last.seconds,
    imagesPerSecond: epochs.reduce((sum, r) => sum + r.train.imagesPerSecond, 0) / Math.max(1, epochs.length),
    fingerprint: id,
    folder: run.path,
    checkpoint: run.lastCheckpoint,
  };
}
