/** @file One run from configuration to summary: checks everything, loads, trains, records. */
import { arch, cpus, platform } from 'node:os';
import { schemeByName, schemeSettings, standardOptions } from '../augment/index.ts';
import { checkMixing } from '../augment/mixing.ts';
import { UserError } from '../base/errors.ts';
import { partLabel } from '../base/registry.ts';
import { packageVersion } from '../base/version.ts';
import { type Config, type ConfigInput, type Resolution, resolve } from '../config/config.ts';
import { kdOf, methodsOf, networkOf, scheduleOf, teachersOf, viewOf } from '../config/derive.ts';
import { checkSameRun, type Fingerprint, fingerprint, teacherIdentity } from '../config/fingerprint.ts';
import { continueConfig, withAbsolutePaths } from '../config/merge.ts';
import { type ExperimentInput, loadParts } from '../config/own-parts.ts';
import { batchCount, type TensorSet } from '../data/batches.ts';
import { datasetInfo, normalizationOf } from '../data/index.ts';
import type { Methods } from '../distill/methods.ts';
import type { TeacherModel } from '../distill/teacher.ts';
import type { ImageModel } from '../models/index.ts';
import { checkModel, modelFile, modelLabel } from '../networks/model-reference.ts';
import { datasetReference } from '../parts/index.ts';
import { checkDevice, defaultThreads, engineInfo, setNumThreads, tidy } from '../torch/index.ts';
import { loadTraining, type NetworkInfo, type Position } from '../train/checkpoint.ts';
import { distillation, type StrongView } from '../train/distillation.ts';
import { checkLastBatch } from '../train/last-batch.ts';
import { prefersChannelsLast } from '../train/layout.ts';
import { startPosition, type TrainOptions, train } from '../train/loop.ts';
import { supervised, type Task } from '../train/task.ts';
import { checkMethods, type MethodsContext, makeMethods } from './methods.ts';
import { epochForwards, initForwards } from './passes.ts';
import { type Reporter, recorder } from './recorder.ts';
import { RunFolder, type RunRecord } from './run-folder.ts';
import { lockRun } from './run-lock.ts';
import { makeStudent } from './student.ts';
import { isMeasured, type RunSummary, summarize } from './summary.ts';
import { type LoadedTeacher, loadTeachers, measureTeacher } from './teachers.ts';
import { loadTrainData } from './train-data.ts';

export type { Reporter, RunSummary };

export interface RunOptions {
  /** The run's folder. */
  out: string;
  /** Continue the run that is there, if there is one; one that is finished is not trained again. */
  resume?: boolean;
  reporter?: Reporter;
  signal?: AbortSignal;
}

function trainOptions(config: Config): TrainOptions {
  const info = datasetInfo(config.data);
  return {
    ...config,
    nesterov: config.nesterov ?? false,
    schedule: scheduleOf(config),
    device: checkDevice(config.device),
    channelsLast: prefersChannelsLast(config.precision, config.device),
    standard: standardOptions(config, info),
    normalization: normalizationOf(info),
  };
}

/** Checks that need nothing loaded: names, device, threads. */
function checkNames(config: Config): void {
  datasetInfo(config.data);
  checkModel(networkOf(config));
  for (const { model } of teachersOf(config)) if (model) checkModel(model);
}

/**
 * Train or distil as configured into a run folder, or continue the run that is there.
 *
 * @example
 * const { top1, checkpoint } = await runExperiment({ data: 'cifar100', model: 'resnet20' }, { out: 'runs/alone' });
 * @throws UserError for anything wrong with the input, before the folder is written; DivergedError; InterruptedError
 */
export async function runExperiment(
  settings: ExperimentInput,
  { out, resume = false, ...options }: RunOptions,
): Promise<RunSummary> {
  return run(await prepareRun(settings, out, resume), options);
}

/** A run that is about to begin or to go on. */
export interface PreparedRun extends Resolution {
  out: string;
  opened: ReturnType<typeof RunFolder.open> | null;
}

/**
 * What is to be run: settings of their own, or (`resume`) those of the run at `out` with what may change of them.
 *
 * @throws UserError for settings that are wrong or contradict the run
 */
export async function prepareRun(
  written: ExperimentInput,
  out: string,
  resume: boolean,
  task: Config['task'] | undefined = undefined,
): Promise<PreparedRun> {
  const settings = await loadParts(written);
  const opened = resume && RunFolder.isAt(out) ? RunFolder.open(out) : null;
  const held = opened?.record.config.task;
  if (held && task && held !== task) {
    throw new UserError(`${out} holds a '${held}' run`, { hint: `use thrive ${held} --resume ${out}` });
  }
  if (opened) await loadParts(opened.record.config as ExperimentInput);
  return { out, opened, ...(opened ? continueConfig(opened.record.config, settings) : resolve(settings)) };
}

/** Train what was prepared. `commandLine`: as it was typed. */
export async function run(
  { config, written, out, opened }: PreparedRun,
  { reporter = {}, signal, commandLine }: Omit<RunOptions, 'out' | 'resume'> & { commandLine?: readonly string[] },
): Promise<RunSummary> {
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
  const folder = opened?.run ?? RunFolder.create(out);

  const owned: { dispose(): void }[] = [];
  const own = <T extends { dispose(): void }>(thing: T): T => {
    owned.push(thing);
    return thing;
  };
  try {
    own({ dispose: lockRun(out) });
    // What is wrong most easily comes first: a file of weights, before seconds go by with the data.
    const teacher = await loadTeachers(config, options, (text) => reporter.note?.(text));
    if (teacher) own(teacher.model);
    setNumThreads(config.threads ?? defaultThreads());
    const student = own(await makeStudent(config, info));
    const losses = methodsOf(config);
    if (teacher && losses.length > 0) checkMethods(losses, methodsContext(config, student, teacher));
    reporter.note?.(`loading ${partLabel(config.data)}`);
    const data = own(await loadTrainData(config));
    // Now, not at the end of the first epoch: mixing needs two images, in the last batch too.
    if (config.augment) checkMixing([{ scheme: config.augment }], config.batchSize, data.train.count);
    student.to({ device: options.device, ...(options.channelsLast ? { memoryFormat: 'channelsLast' as const } : {}) });
    const { batchSize } = config;
    checkLastBatch(student, { count: data.train.count, batchSize, imageSize: info.size, device: options.device });
    const methods =
      teacher && losses.length > 0
        ? own(
            makeMethods(losses, {
              ...methodsContext(config, student, teacher),
              samples: data.train.count,
              labels: labelsOf(data.train),
            }),
          )
        : null;

    // The record goes first: a run killed from here on can be resumed.
    const record =
      opened?.record ?? newRecord(withAbsolutePaths(config), withAbsolutePaths(written), print, commandLine);
    const forwards = {
      train: epochForwards(config, data.train.count, methods),
      init: methods?.init ? initForwards(data.train.count, methods) : null,
    };
    record.forwards = forwards;
    folder.writeRecord(record);
    if (teacher && !record.teacher) {
      const onProgress = (done: number, total: number): void => reporter.onEvaluate?.('teacher', done, total);
      const report = { note: (text: string) => reporter.note?.(text), onProgress };
      record.teacher = await measureTeacher(teacher, data, options, report, signal);
      folder.writeRecord(record);
    }

    const file = modelFile(networkOf(config));
    const network: NetworkInfo = {
      model: modelLabel(networkOf(config)),
      ...(file ? { modelFile: file } : {}),
      classes: info.classes,
      imageSize: info.size,
      data: datasetReference(config.data),
      normalization: options.normalization,
      classNames: info.classNames,
    };
    const counts = { trainCount: data.train.count, testCount: data.test.count, devCount: data.dev?.count ?? 0 };
    const stepsPerEpoch = batchCount(counts.trainCount, config.batchSize);
    const work = task(config, teacher?.model ?? null, options, methods);
    const last = await train(
      student,
      work,
      data,
      options,
      recorder({ run: folder, student, network, hasDev: config.holdout > 0, modules: work.modules, reporter }),
      {
        resume: (optimizer) => {
          // A run that died before its first save starts over.
          const saved = opened && folder.hasCheckpoint();
          const load = (): Position => loadTraining(folder.lastCheckpoint, student, optimizer, work.modules);
          const from = saved ? orAnew(folder.lastCheckpoint, load) : startPosition();
          if (opened) folder.rewind(from.epoch, from.epoch * stepsPerEpoch + from.step);
          const initEpochs = work.init?.epochs ?? 0;
          reporter.onStart?.({ ...counts, parameters: student.parameterCount(), epoch: from.epoch, initEpochs });
          return from;
        },
        ...(signal ? { signal } : {}),
      },
    );
    // A run that was killed between its last epoch and its summary has nothing left to train.
    const final = last ?? folder.epochs().at(-1);
    if (!isMeasured(final)) throw new UserError(`${out} is damaged: metrics.jsonl does not hold the last epoch`);
    const summary = summarize({
      config,
      record,
      last: final,
      run: folder,
      methods,
      forwards,
      trainCount: counts.trainCount,
      id: print.id,
    });
    folder.writeSummary(summary);
    return summary;
  } finally {
    folder.close();
    for (const thing of owned.reverse()) thing.dispose();
    folder.discardIfEmpty();
  }
}

/** What a checkpoint that cannot be read leaves a person to do. */
function orAnew<T>(checkpoint: string, load: () => T): T {
  try {
    return load();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(error.message, {
      cause: error,
      hint: `remove ${checkpoint} to begin the run from its first step`,
    });
  }
}

/** What losses are made for, as far as it is known before the data. */
function methodsContext(config: Config, student: ImageModel, teacher: LoadedTeacher): Omit<MethodsContext, 'labels'> {
  const { classes, size, count } = datasetInfo(config.data);
  return {
    student: { name: modelLabel(networkOf(config)), network: student },
    teacher: { name: modelLabel(teacher.name), network: teacher.model },
    classes,
    imageSize: size,
    // Where only loading tells how many there are, memory is checked after it.
    samples: Math.round((config.limitTrain ?? count?.train ?? classes) * (1 - config.holdout)),
    batchSize: config.batchSize,
    seed: config.seed,
    device: config.device,
  };
}

const labelsOf = ({ labels }: TensorSet): Int32Array =>
  Int32Array.from(tidy(() => labels.to({ device: 'cpu', dtype: 'int32' }).data() as Int32Array));

function task(config: Config, teacher: TeacherModel | null, options: TrainOptions, methods: Methods | null): Task {
  if (!teacher) return supervised();
  const strong = viewOf(config);
  if (!strong) return distillation(teacher, kdOf(config), null, methods);
  const view: StrongView = {
    ...strong,
    scheme: schemeByName(strong.scheme, strong.options),
    settings: schemeSettings(datasetInfo(config.data)),
    normalization: options.normalization,
    channelsLast: options.channelsLast,
    seed: config.seed,
  };
  return distillation(teacher, kdOf(config), view, methods);
}

function newRecord(
  config: Config,
  written: ConfigInput,
  print: Fingerprint,
  commandLine: readonly string[] | undefined,
): RunRecord {
  const engine = engineInfo();
  return {
    config,
    written,
    ...(commandLine ? { commandLine } : {}),
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
