/** @file T. stddev of augmentations under a teacher: what `thrive score` measures, before any student is trained. */
import { schemeSettings, standardOptions } from '../augment/index.ts';
import { checkMixing } from '../augment/mixing.ts';
import { type Correlation, pearson, spearman } from '../base/correlation.ts';
import { UserError } from '../base/errors.ts';
import { fileHash } from '../base/file-hash.ts';
import { named, toGive } from '../base/speech.ts';
import { batchCount, type TensorSet, toTensorSet } from '../data/batches.ts';
import { loadSplit, normalizationOf } from '../data/index.ts';
import { criterionNeeds } from '../distill/pick/index.ts';
import { checkModel } from '../networks/model-reference.ts';
import type { Precision } from '../nn/precision.ts';
import { defaultThreads, setNumThreads } from '../torch/index.ts';
import { prefersChannelsLast } from '../train/layout.ts';
import { InterruptedError } from '../train/loop.ts';
import { paperColumn } from './paper-stddev.ts';
import { type Forwards, forwardsPerImage, scorePass, type ViewScore } from './score-pass.ts';
import {
  type CheckpointOptions,
  checkJudges,
  type JudgeOptions,
  type LeftOut,
  loadJudges,
  loadViewParts,
} from './scorers.ts';
import { paperIndex, viewName } from './views.ts';

export interface ScoreOptions extends JudgeOptions {
  teacher: CheckpointOptions;
  /** Passes over the training set. The paper's: 10. */
  epochs?: number | undefined;
  /** The paper's: 64. */
  batchSize?: number | undefined;
  /** Steps whose outputs are averaged to one vector. The paper's: 5. */
  group?: number | undefined;
  onStart?: (plan: { views: string[]; images: number; forwards: Forwards; leftOut: LeftOut[] }) => void;
  /** `scores` is what has been measured so far, its error by so many resamples. */
  onStep?: (done: number, total: number, forwards: Forwards, scores: (resamples?: number) => ViewScore[]) => void;
  /** Stops after the step; what was measured until then is returned. */
  signal?: AbortSignal | undefined;
}

export interface SchemeScore extends ViewScore {
  /** The paper's T. stddev for this augmentation, teacher architecture and dataset, where it has one. */
  paper?: number;
}

/** What was measured, and how; `thrive score --json` and `--out` write it as it is. */
export interface AugmentationScore {
  teacher: { path: string; model: string; hash: string };
  student: { path: string; model: string; hash: string } | null;
  data: string;
  /** Training images gone through in each epoch. */
  images: number;
  epochs: number;
  batchSize: number;
  group: number;
  draw: 'sample' | 'batch';
  seed: number;
  precision: Precision;
  /** In the order asked for. */
  schemes: SchemeScore[];
  leftOut: LeftOut[];
  /** Against the paper's figures, where three or more augmentations have one. */
  paper: { teacher: string; data: string; spearman: Correlation; pearson: Correlation } | null;
  forwards: Forwards;
  /** Fewer than asked for when it was stopped. */
  steps: { taken: number; asked: number };
  seconds: number;
}

function checkWhole(name: string, value: number): void {
  if (!(Number.isInteger(value) && value >= 1)) {
    throw new UserError(`${name} must be a whole number from 1 up, got ${value}`);
  }
}

/** The paper's figure beside each scheme that has one, and how well the two lists agree. */
function besidePaper(
  schemes: ViewScore[],
  teacher: string,
  data: string,
): Pick<AugmentationScore, 'schemes' | 'paper'> {
  const column = paperColumn(teacher, data);
  const beside = schemes.map((score): SchemeScore => {
    const paper = column?.tStddev[paperIndex(score)];
    return paper === undefined ? score : { ...score, paper };
  });
  const matched = beside.filter((score): score is SchemeScore & { paper: number } => score.paper !== undefined);
  if (matched.length < 3) return { schemes: beside, paper: null };
  const ours = matched.map(({ tStddev }) => tStddev);
  const theirs = matched.map(({ paper }) => paper);
  return {
    schemes: beside,
    paper: { teacher, data, spearman: spearman(ours, theirs), pearson: pearson(ours, theirs) },
  };
}

/**
 * Measure T. stddev of augmentations under a teacher. Costs forward passes only; none is made twice.
 *
 * @example
 * const { schemes } = await scoreAugmentations({
 *   teacher: { checkpoint: 'resnet56.pth', model: 'resnet56' }, data: 'cifar100', augment: 'identity,mixup,cutmix',
 * });
 * @throws UserError for anything wrong with the input, before anything is loaded where that can be known; InterruptedError
 * where the signal came too early for any result
 */
export async function scoreAugmentations(options: ScoreOptions): Promise<AugmentationScore> {
  const { epochs = 10, batchSize = 64, group = 5, draw = 'batch', precision = 'fp32', teacher, student } = options;
  await loadViewParts(options);
  const checked = checkJudges(options, true);
  const { info, specs, leftOut, device, seed } = checked;
  if (teacher.model) checkModel(teacher.model);
  checkWhole(named('epochs'), epochs);
  checkWhole(named('batchSize'), batchSize);
  checkWhole(named('group'), group);
  const checkSteps = (count: number): void => {
    checkMixing(specs, batchSize, count);
    const steps = epochs * batchCount(count, batchSize);
    if (steps >= 2 * group) return;
    throw new UserError(
      `${steps} steps make ${steps < group ? 'no mean vector' : 'one mean vector'} of ${group} steps: a deviation needs two or more`,
      { hint: `more ${toGive('epochs')} or images, a smaller ${toGive('batchSize')}, or a smaller ${toGive('group')}` },
    );
  };
  const known = options.limitTrain ?? info.count?.train;
  if (known !== undefined) checkSteps(known);
  const needStudent = specs.some(({ pick }) => pick && criterionNeeds(pick.criterion).student);

  const begin = performance.now();
  setNumThreads(options.threads ?? defaultThreads());
  const judges = await loadJudges(
    { teacher, precision, threads: options.threads, onNote: options.onNote, ...(needStudent ? { student } : {}) },
    checked,
  );
  let set: TensorSet | undefined;
  try {
    const source = { data: options.data, ...(options.dataDir ? { dataDir: options.dataDir } : {}) };
    set = toTensorSet(await loadSplit(source, 'train', options.limitTrain), device);
    // A folder may hold fewer images than the set is known for.
    checkSteps(set.count);
    const each = forwardsPerImage(specs);
    options.onStart?.({
      views: specs.map(viewName),
      images: set.count,
      forwards: {
        teacher: Math.round(each.teacher * epochs * set.count),
        student: Math.round(each.student * epochs * set.count),
      },
      leftOut,
    });
    const pass = await scorePass(
      specs,
      judges,
      set,
      {
        seed,
        epochs,
        batchSize,
        group,
        draw,
        standard: standardOptions({ baseAugment: 'crop+flip' }, info),
        settings: schemeSettings(info),
        normalization: normalizationOf(info),
        channelsLast: prefersChannelsLast(precision, device),
      },
      options.onStep ? { onStep: options.onStep } : {},
      options.signal,
    );
    if (pass.steps < 2 * group) {
      throw new InterruptedError(
        `stopped after ${pass.steps} steps: too few to say anything (${2 * group} are the least)`,
      );
    }
    return {
      teacher: { path: teacher.checkpoint, model: judges.teacherModel!, hash: fileHash(teacher.checkpoint) },
      student:
        needStudent && student
          ? { path: student.checkpoint, model: judges.studentModel!, hash: fileHash(student.checkpoint) }
          : null,
      data: info.name,
      images: set.count,
      epochs,
      batchSize,
      group,
      draw,
      seed,
      precision,
      ...besidePaper(pass.schemes, judges.teacherModel!, info.name),
      leftOut,
      forwards: pass.forwards,
      steps: { taken: pass.steps, asked: pass.stepsAsked },
      seconds: (performance.now() - begin) / 1000,
    };
  } finally {
    judges.dispose();
    set?.dispose();
  }
}
