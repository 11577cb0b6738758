/** @file Who judges augmented images, a teacher and perhaps a student: checked, then loaded. */
import { renormalizer } from '../augment/index.ts';
import { UserError } from '../base/errors.ts';
import { named as spoken, toGive } from '../base/speech.ts';
import { type DatasetInfo, datasetInfo, normalizationOf } from '../data/index.ts';
import { criterionNeeds } from '../distill/pick/index.ts';
import { Teacher } from '../distill/teacher.ts';
import { loadNetwork } from '../networks/load-network.ts';
import { checkModel, modelLabel } from '../networks/model-reference.ts';
import { isOnnx } from '../networks/onnx-metadata.ts';
import { openOnnxTeacher } from '../networks/onnx-teacher.ts';
import { type NormalizationSetting, teacherNormalization } from '../networks/teacher-normalization.ts';
import { withoutStatistics } from '../nn/index.ts';
import { type Precision, withPrecision } from '../nn/precision.ts';
import { loadPart } from '../parts/index.ts';
import { checkDevice, noGrad, type Tensor, tidy } from '../torch/index.ts';
import { checkSeed } from '../torch/random.ts';
import { prefersChannelsLast } from '../train/layout.ts';
import type { Judges } from './view-pool.ts';
import { type OptionsByName, parseViews, type ViewSpec, viewFiles, viewName, viewNames } from './views.ts';

/** A checkpoint, and its architecture (or a file that exports the network) where the checkpoint does not say it. */
export interface CheckpointOptions {
  checkpoint: string;
  model?: string | undefined;
  /** How a teacher's images are normalised, where its file does not say it. The dataset's unless given. */
  normalization?: NormalizationSetting | undefined;
}

/** Who judges images, and how the engine runs: what `thrive score` and `thrive show-augment` share. */
export interface JudgeOptions {
  data: string;
  dataDir?: string | undefined;
  /** Use the first n / classes training images of each class. */
  limitTrain?: number | undefined;
  /** Schemes and SCHEME+pick:CRITERION, separated by commas; `all` is the paper's nine. */
  augment?: string | undefined;
  /** Views of each batch in a pool, and the share of it that is kept. The paper's: 2 and 0.5. */
  pickFactor?: number | undefined;
  pickKeep?: number | undefined;
  /** Options of the schemes and of the criteria in use, by their names: `{ cutmix: { alpha: 0.5 } }`. */
  augmentOption?: OptionsByName | undefined;
  pickOption?: OptionsByName | undefined;
  /** Of picking by `kl`. Default 4. */
  temperature?: number | undefined;
  /** A draw for each image, or one for the batch. */
  draw?: 'sample' | 'batch' | undefined;
  seed?: number | undefined;
  device?: string | undefined;
  precision?: Precision | undefined;
  threads?: number | undefined;
  /** A trained student, for picking by what it says. */
  student?: CheckpointOptions | undefined;
  /** What the person should know beside the numbers. */
  onNote?: ((text: string) => void) | undefined;
}

/** An augmentation of `all` that was not measured. */
export interface LeftOut extends ViewSpec {
  reason: string;
}

export interface CheckedJudges {
  info: DatasetInfo;
  specs: ViewSpec[];
  leftOut: LeftOut[];
  device: string;
  seed: number;
  temperature: number;
}

/** Load the dataset, the augmentations and the criteria that are files of the user's. @throws UserError */
export async function loadViewParts({ data, augment = 'all' }: Pick<JudgeOptions, 'data' | 'augment'>): Promise<void> {
  const files = viewFiles(augment);
  await loadPart('dataset', data);
  for (const file of files.augmentations) await loadPart('augmentation', file);
  for (const file of files.criteria) await loadPart('criterion', file);
}

/**
 * Everything about the judges and views that can be wrong without a file being read.
 *
 * @throws UserError
 */
export function checkJudges(options: JudgeOptions, hasTeacher: boolean): CheckedJudges {
  const { augment = 'all', temperature = 4, seed = 0, draw, student } = options;
  const { pickFactor: factor, pickKeep: keep, augmentOption, pickOption } = options;
  const views = parseViews(augment, { factor, keep, augmentOption, pickOption });
  const one = viewNames(augment).filter((name) => name !== 'all');
  const named = new Set(one.length > 0 ? parseViews(one.join(','), { factor, keep }).map(viewName) : []);
  const info = datasetInfo(options.data);
  if (!(temperature > 0 && Number.isFinite(temperature))) {
    throw new UserError(`${spoken('temperature')} must be above 0, got ${temperature}`, { hint: "the paper's is 4" });
  }
  if (draw !== undefined && draw !== 'sample' && draw !== 'batch') {
    throw new UserError(`${spoken('draw')} must be sample or batch, not '${draw}'`);
  }
  const { precision = 'fp32' } = options;
  if (precision !== 'fp32' && precision !== 'bf16') {
    throw new UserError(`${spoken('precision')} must be fp32 or bf16, not '${precision}'`);
  }
  checkSeed(seed);
  if (student?.model) checkModel(student.model);
  const picks = views.flatMap(({ pick }) => (pick ? [pick] : []));
  for (const [key, value] of [
    ['pickFactor', options.pickFactor],
    ['pickKeep', options.pickKeep],
  ] as const) {
    if (value === undefined || picks.length > 0) continue;
    throw new UserError(`${spoken(key)} ${value} has no effect: nothing is picked`, {
      hint: `name a criterion: ${toGive('augment', 'cutmix+pick:kl')}`,
    });
  }
  if (options.temperature !== undefined && !picks.some(({ criterion }) => criterion === 'kl')) {
    throw new UserError(`${spoken('temperature')} belongs to picking by kl, and nothing is picked by it`);
  }
  if (student && !picks.some(({ criterion }) => criterionNeeds(criterion).student)) {
    throw new UserError(`${spoken('student')}: no augmentation is picked by what a student says`, {
      hint: 'leave it out, or pick by student-entropy or kl',
    });
  }
  const { limitTrain } = options;
  if (limitTrain !== undefined && !(Number.isInteger(limitTrain) && limitTrain >= 1)) {
    throw new UserError(`${spoken('limitTrain')} must be a whole number from 1 up, got ${limitTrain}`);
  }
  if (limitTrain !== undefined && info.count && limitTrain > info.count.train) {
    throw new UserError(`${spoken('limitTrain')} ${limitTrain}: ${info.name} has ${info.count.train} train images`);
  }
  const specs: ViewSpec[] = [];
  const leftOut: LeftOut[] = [];
  for (const spec of views) {
    const needs = spec.pick && criterionNeeds(spec.pick.criterion);
    const lacking = needs?.student && !student ? 'student' : needs?.teacher && !hasTeacher ? 'teacher' : null;
    if (!lacking) specs.push(spec);
    // `all` measures what it can; who names a view wants that one.
    else if (!named.has(viewName(spec))) {
      leftOut.push({ ...spec, reason: `it is picked by what a ${lacking} says: give one with ${toGive(lacking)}` });
    } else {
      throw new UserError(`${viewName(spec)} is picked by what a ${lacking} says, and there is none`, {
        hint: `give its checkpoint: ${toGive(lacking)}`,
      });
    }
  }
  return { info, specs, leftOut, device: checkDevice(options.device ?? 'cpu'), seed, temperature };
}

/** Teacher and student, loaded, and who they are. Free them with `dispose`. */
export interface LoadedJudges extends Judges {
  teacherModel: string | null;
  studentModel: string | null;
  dispose(): void;
}

/**
 * Load who judges. The teacher is in eval mode. The student picks in training mode, as in the paper's code and in `thrive
 * distill`: its batch norm uses the statistics of the pool; the running ones, which play no part then, are left alone.
 */
export async function loadJudges(
  {
    teacher,
    student,
    precision = 'fp32',
    threads,
    onNote,
  }: Pick<JudgeOptions, 'student' | 'precision' | 'threads' | 'onNote'> & { teacher?: CheckpointOptions },
  { info, device, temperature }: CheckedJudges,
): Promise<LoadedJudges> {
  const owned: { dispose(): void }[] = [];
  const dispose = (): void => {
    for (const thing of owned.splice(0)) thing.dispose();
  };
  const normalization = normalizationOf(info);
  const memoryFormat = prefersChannelsLast(precision, device) ? { memoryFormat: 'channelsLast' as const } : {};
  const load = async ({ checkpoint, model }: CheckpointOptions, modelSetting: string) => {
    const found = await loadNetwork(checkpoint, {
      ...(model ? { model } : {}),
      classes: info.classes,
      imageSize: info.size,
      modelSetting,
    });
    for (const note of found.notes) onNote?.(note);
    return {
      network: found.network,
      model: modelLabel(found.model),
      info: found.info,
    };
  };
  try {
    let ofTeacher: { model: string; logits(images: Tensor): Tensor } | null = null;
    if (teacher && isOnnx(teacher.checkpoint)) {
      const opened = await openOnnxTeacher(teacher.checkpoint, { ...teacher, data: info, threads });
      owned.push(opened.teacher);
      for (const note of opened.notes) onNote?.(note);
      ofTeacher = { model: opened.name, logits: (images) => opened.teacher.logits(images) };
    } else if (teacher) {
      const { network, model, info: says } = await load(teacher, 'teacherModel');
      network.to({ device, ...memoryFormat });
      const chosen = teacherNormalization(teacher.checkpoint, says, teacher.normalization, normalization);
      if (chosen.note) onNote?.(chosen.note);
      const frozen = new Teacher(network, {
        normalization: chosen.normalization,
        inputNormalization: normalization,
        precision,
        device,
      });
      owned.push(frozen);
      ofTeacher = { model, logits: (images) => frozen.logits(images) };
    }
    let ofStudent: { model: string; logits(images: Tensor): Tensor } | null = null;
    if (student) {
      const { network, model, info: says } = await load(student, 'studentModel');
      const own = says?.normalization ?? normalization;
      owned.push(network);
      network.to({ device, ...memoryFormat }).train();
      const renormalize = renormalizer(normalization, own);
      const forward = (images: Tensor): Tensor =>
        withPrecision(precision, device, () => network.forward(renormalize ? renormalize(images) : images));
      const logits = (images: Tensor): Tensor =>
        tidy(() => noGrad(() => withoutStatistics(network, () => forward(images)).to('float32')));
      ofStudent = { model, logits };
    }
    return {
      classes: info.classes,
      temperature,
      teacher(images) {
        if (!ofTeacher) throw new TypeError('there is no teacher to ask');
        return ofTeacher.logits(images);
      },
      ...(ofStudent ? { student: ofStudent.logits } : {}),
      teacherModel: ofTeacher?.model ?? null,
      studentModel: ofStudent?.model ?? null,
      dispose,
    };
  } catch (error) {
    dispose();
    throw error;
  }
}
