/** @file What training is made of, from a configuration's flat settings. */
import { schemeByName } from '../augment/index.ts';
import { findLoss } from '../distill/losses/index.ts';
import type { KdOptions } from '../distill/objective.ts';
import { findCriterion } from '../distill/pick/index.ts';
import { isOnnx } from '../networks/onnx-metadata.ts';
import type { NormalizationSetting } from '../networks/teacher-normalization.ts';
import type { ScheduleConfig } from '../nn/schedule.ts';
import { readMethods } from './method-rows.ts';
import type { Config } from './settings.ts';
import { asList } from './values.ts';

/** The network that is trained: an architecture's name, or the path of a file that exports one. */
export const networkOf = ({ model, student }: { model?: string | undefined; student?: string | undefined }): string =>
  model ?? student ?? '';

/** How the learning rate moves. */
export function scheduleOf(config: Config): ScheduleConfig {
  const { milestones = [], lrDecay = 0.1, minLr = 0, warmupEpochs = 0 } = config;
  const { pctStart = 0.3, divFactor = 25, finalDivFactor = 1e4 } = config;
  switch (config.schedule) {
    case 'constant':
      return { kind: 'constant' };
    case 'step':
      return { kind: 'step', milestones, gamma: lrDecay };
    case 'cosine':
      return { kind: 'cosine', minLr, warmupEpochs };
    case 'one-cycle':
      return { kind: 'one-cycle', pctStart, divFactor, finalDivFactor };
  }
}

/** A teacher: its file, its architecture, and its share where there are several. */
export interface TeacherSettings {
  checkpoint: string;
  model?: string | undefined;
  normalization?: NormalizationSetting | undefined;
  weight: number;
}

/** Every teacher: none, one, or the members of an ensemble. */
export function teachersOf(config: Config): TeacherSettings[] {
  const models = asList(config.teacherModel) as string[];
  const normalizations = asList(config.teacherNormalization) as NormalizationSetting[];
  const files = asList(config.teacher) as string[];
  return files.map((checkpoint, i) => {
    // Everybody's but that of an .onnx file, which holds its network itself.
    const shared = files.length > 1 && isOnnx(checkpoint) ? undefined : models[0];
    const model = models.length > 1 ? models[i] : shared;
    const normalization = normalizations.length > 1 ? normalizations[i] : normalizations[0];
    return {
      checkpoint,
      weight: config.teacherWeights?.[i] ?? 1,
      ...(model === undefined ? {} : { model }),
      ...(normalization === undefined ? {} : { normalization }),
    };
  });
}

/** A loss in use, with every number filled in. */
export interface MethodSettings {
  name: string;
  weight: number;
  /** Both: on the second view x' as well. */
  on: 'x' | 'both';
  options: Readonly<Record<string, unknown>>;
}

/** The losses beside cross entropy and KL. */
export function methodsOf({ task, method = [], weight = {}, methodOption = {} }: Config): MethodSettings[] {
  if (task === 'train') return [];
  return readMethods(method)
    .filter(({ name }) => name !== 'kd')
    .map(({ name, on }) => ({
      name,
      on,
      weight: weight[findLoss(name).name] ?? findLoss(name).weight,
      options: methodOption[findLoss(name).name] ?? {},
    }));
}

/** Weights of cross entropy and of KL, and its temperature. */
export const kdOf = ({ gamma = 0.1, alpha = 0, temperature = 4 }: Config): KdOptions => ({ gamma, alpha, temperature });

/** How the second view is made, and what of it is kept. */
export interface ViewSettings {
  scheme: string;
  options: Readonly<Record<string, unknown>> | undefined;
  draw: 'sample' | 'batch';
  labels: 'teacher' | 'mixed';
  /** Of the term on x' that is held against mixed labels. */
  weight: number;
  passes: 'separate' | 'joint';
  pick: {
    criterion: string;
    options?: Readonly<Record<string, unknown>> | undefined;
    factor: number;
    keep: number;
    updateStatistics: boolean;
  } | null;
}

export function viewOf(config: Config): ViewSettings | null {
  const { augment, draw = 'sample', strongLabels = 'teacher', strongWeight = 0, passes = 'separate', pick } = config;
  if (augment === undefined) return null;
  const { augmentOption, pickOption, pickFactor = 2, pickKeep = 0.5, pickUpdatesStatistics = false } = config;
  return {
    scheme: augment,
    options: augmentOption?.[schemeByName(augment).name],
    draw,
    labels: strongLabels,
    weight: strongWeight,
    passes,
    pick:
      pick === undefined
        ? null
        : {
            criterion: pick,
            options: pickOption?.[findCriterion(pick).name],
            factor: pickFactor,
            keep: pickKeep,
            updateStatistics: pickUpdatesStatistics,
          },
  };
}
