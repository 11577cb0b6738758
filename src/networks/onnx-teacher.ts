/** @file A teacher from an .onnx file, as a run needs it. */
import { UserError } from '../base/errors.ts';
import { named } from '../base/speech.ts';
import type { DatasetInfo } from '../data/index.ts';
import { normalizationOf } from '../data/index.ts';
import { OnnxTeacher, pixelNormalization } from '../distill/onnx-teacher.ts';
import { readOnnxInfo } from '../formats/index.ts';
import { defaultThreads } from '../torch/index.ts';
import { classOrder, orderNote } from './class-order.ts';
import { classNamesIn, imageMetadata } from './onnx-metadata.ts';
import { type NormalizationSetting, teacherNormalization } from './teacher-normalization.ts';

export interface OnnxTeacherSettings {
  data: DatasetInfo;
  /** How its images are normalised, where the file does not say it. */
  normalization?: NormalizationSetting | undefined;
  threads?: number | undefined;
  /** Images in a batch, each size it will be given. */
  batchSizes?: readonly number[] | undefined;
  /** Set where an architecture was named for it, which makes no sense. */
  model?: string | undefined;
}

/**
 * A frozen teacher that gives logits and nothing else. Our own files say how their images are normalised, and whether they
 * do it themselves.
 *
 * @throws UserError if it does not fit the data, or onnxruntime-node is not installed
 */
export async function openOnnxTeacher(
  path: string,
  { data, normalization: setting, threads, model, batchSizes }: OnnxTeacherSettings,
): Promise<{ teacher: OnnxTeacher; name: string; notes: string[] }> {
  if (model !== undefined) {
    throw new UserError(`${path} holds its network itself: leave ${named('teacherModel')} ${model} out`);
  }
  const info = readOnnxInfo(path);
  const facts = imageMetadata(info, path);
  // One that normalises pixels itself is certain of what it takes.
  const own = facts && (facts.takesPixels ? { normalization: pixelNormalization } : facts);
  const { normalization, note } = teacherNormalization(path, own, setting, normalizationOf(data));
  const names = classNamesIn(info, path);
  const order = names && names.length === data.classes ? classOrder(path, names, data) : null;
  const teacher = await OnnxTeacher.open(path, info, {
    classes: data.classes,
    imageSize: data.size,
    normalization,
    inputNormalization: normalizationOf(data),
    threads: threads ?? defaultThreads(),
    batchSizes,
    classOrder: order ?? undefined,
  });
  return {
    teacher,
    name: facts?.model ?? 'onnx',
    notes: [...(note ? [note] : []), ...(order ? [orderNote(path, data.name)] : [])],
  };
}
