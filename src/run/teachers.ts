/** @file The teacher of a run, or several as one: loaded, and measured before any student is trained. */
import { UserError } from '../base/errors.ts';
import { named, toGive } from '../base/speech.ts';
import type { Config } from '../config/config.ts';
import { type TeacherSettings, teachersOf } from '../config/derive.ts';
import { datasetInfo } from '../data/index.ts';
import { Ensemble, type EnsembleKind, Teacher, type TeacherModel } from '../distill/index.ts';
import { loadNetwork } from '../networks/load-network.ts';
import { isOnnx } from '../networks/onnx-metadata.ts';
import { openOnnxTeacher } from '../networks/onnx-teacher.ts';
import { teacherNormalization } from '../networks/teacher-normalization.ts';
import { evaluate } from '../train/evaluate.ts';
import type { TrainData, TrainOptions } from '../train/loop.ts';
import { batchSizesOf } from './batch-sizes.ts';
import type { RunRecord } from './run-folder.ts';

/** A loaded teacher, and what it is called. */
export interface LoadedTeacher {
  name: string;
  model: TeacherModel;
  /** Those an ensemble is made of. */
  members?: readonly LoadedTeacher[];
}

type Note = (text: string) => void;

async function loadOne(
  { checkpoint, model, normalization }: TeacherSettings,
  config: Config,
  options: TrainOptions,
  note: Note,
): Promise<LoadedTeacher> {
  const info = datasetInfo(config.data);
  if (isOnnx(checkpoint)) {
    if (config.teacherTaps) {
      throw new UserError(`${named('teacherTaps')}: ${checkpoint} gives logits and nothing else`, {
        hint: 'leave them out, or give the teacher as .safetensors or .pth',
      });
    }
    const opened = await openOnnxTeacher(checkpoint, {
      data: info,
      normalization,
      threads: config.threads,
      model,
      batchSizes: batchSizesOf(config, info.count),
    });
    for (const text of opened.notes) note(text);
    return { name: opened.name, model: opened.teacher };
  }
  const loaded = await loadNetwork(checkpoint, {
    ...(model ? { model } : {}),
    classes: info.classes,
    imageSize: info.size,
    modelSetting: 'teacherModel',
    keyFlag: 'thrive import --key',
    data: info,
    taps: config.teacherTaps,
    classesHint: `choose the dataset it was trained on, other weights, or train it on this one first: ${toGive('init')} and ${toGive('resetHead')}`,
  });
  for (const text of loaded.notes) note(text);
  if (options.channelsLast) loaded.network.to({ memoryFormat: 'channelsLast' });
  const chosen = teacherNormalization(checkpoint, loaded.info, normalization, options.normalization);
  if (chosen.note) note(chosen.note);
  const teacher = new Teacher(loaded.network.to({ device: options.device }), {
    normalization: chosen.normalization,
    inputNormalization: options.normalization,
    precision: options.precision,
    device: options.device,
  });
  return { name: loaded.model, model: teacher };
}

/** Load the teacher, or all of them; null where the configuration has none. The caller disposes it. */
export async function loadTeachers(config: Config, options: TrainOptions, note: Note): Promise<LoadedTeacher | null> {
  const settings = teachersOf(config);
  const loaded: LoadedTeacher[] = [];
  try {
    for (const teacher of settings) loaded.push(await loadOne(teacher, config, options, note));
    if (loaded.length < 2) return loaded[0] ?? null;
    const members = loaded.map(({ model }, i) => ({ teacher: model, weight: settings[i]!.weight }));
    const model = new Ensemble(members, config.ensemble as EnsembleKind, config.temperature ?? 4);
    return { name: loaded.map(({ name }) => name).join('+'), model, members: loaded };
  } catch (error) {
    for (const { model } of loaded) model.dispose();
    throw error;
  }
}

/** What the teacher scores on the test set: a teacher loaded wrongly shows here, before any student is trained. */
export async function measureTeacher(
  { name, model, members = [] }: LoadedTeacher,
  data: TrainData,
  options: TrainOptions,
  report: { note: Note; onProgress(done: number, total: number): void },
  signal?: AbortSignal,
): Promise<NonNullable<RunRecord['teacher']>> {
  for (const member of members) await measureTeacher(member, data, options, report, signal);
  const { top1, top5, loss, count } = await evaluate((images) => model.logits(images), data.test, {
    normalization: options.normalization,
    channelsLast: options.channelsLast,
    onProgress: report.onProgress,
    ...(signal ? { signal } : {}),
  });
  const percent = (value: number): string => `${value.toFixed(2)} %`;
  report.note(
    `teacher ${name}: top-1 ${percent(top1)}, top-5 ${percent(top5)}, loss ${loss.toFixed(4)} on ${count} test images`,
  );
  if (!Number.isFinite(loss)) {
    throw new UserError(`the teacher ${name} is of no use: its mean loss on ${count} test images is ${loss}`, {
      hint: 'its outputs overflow or are not numbers: take other weights, or --precision fp32',
    });
  }
  // Within three standard errors of guessing.
  const chance = 1 / model.classes;
  if (top1 / 100 <= chance + 3 * Math.sqrt((chance * (1 - chance)) / count)) {
    report.note(
      `note: teacher ${name} is no better than guessing (${percent(100 * chance)}): is it of this dataset, with its classes in this order, and its images normalised so (--teacher-normalization)?`,
    );
  }
  return { top1, top5, loss };
}
