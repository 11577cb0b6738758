import { UserError } from '../base/errors.ts';
import { toGive } from '../base/speech.ts';
import { type TensorSet, toTensorSet } from '../data/batches.ts';
import { loadSplit, normalizationOf } from '../data/index.ts';
import { type Precision, withPrecision } from '../nn/precision.ts';
import { openDataset } from '../parts/index.ts';
import { checkDevice, defaultThreads, setNumThreads } from '../torch/index.ts';
import { checkpointNetwork } from '../train/checkpoint.ts';
import { type Evaluation, evaluate } from '../train/evaluate.ts';
import { prefersChannelsLast } from '../train/layout.ts';
import { loadNetwork } from './load-network.ts';
import { checkModel, modelLabel } from './model-reference.ts';
import { type NormalizationSetting, teacherNormalization } from './teacher-normalization.ts';

export interface EvaluateCheckpointOptions {
  /** Dataset; a checkpoint written here knows what it was trained on. */
  data?: string;
  dataDir?: string;
  split?: 'train' | 'test';
  limitTest?: number;
  /** Architecture, or a file that exports the network; checkpoints written here say it themselves. */
  model?: string;
  /** Which of several networks in the file. */
  key?: string;
  /** How its images are normalised, where its file does not say it: a name, or mean and std. */
  normalization?: NormalizationSetting;
  batchSize?: number;
  device?: string;
  precision?: Precision;
  threads?: number;
  onProgress?: (done: number, total: number) => void;
  /** Each batch's logits and labels, as `evaluate` gives them. */
  onLogits?: (first: number, logits: Float32Array, labels: Int32Array) => void;
  /** What the person should know beside the numbers. */
  onNote?: (text: string) => void;
}

export interface CheckpointScore extends Evaluation {
  checkpoint: string;
  model: string;
  data: string;
  split: 'train' | 'test';
  precision: Precision;
}

/**
 * Load a checkpoint and measure it on a dataset.
 *
 * @example
 * const { top1 } = await evaluateCheckpoint('runs/student/last.safetensors');
 * @throws UserError for a file, architecture or dataset that does not fit
 */
export async function evaluateCheckpoint(
  path: string,
  options: EvaluateCheckpointOptions = {},
): Promise<CheckpointScore> {
  const { split = 'test', precision = 'fp32', threads = defaultThreads() } = options;
  if (options.model) checkModel(options.model);
  const data = options.data ?? checkpointNetwork(path)?.data;
  if (!data) {
    throw new UserError(`${path} does not say which data it was trained on`, { hint: `give ${toGive('data')}` });
  }
  const info = await openDataset(data);
  const device = checkDevice(options.device ?? 'cpu');
  const channelsLast = prefersChannelsLast(precision, device);
  const loaded = await loadNetwork(path, {
    ...(options.model ? { model: options.model } : {}),
    classes: info.classes,
    imageSize: info.size,
    modelSetting: 'model',
    key: options.key,
    data: info,
  });
  const { network, model, notes } = loaded;
  let set: TensorSet | undefined;
  try {
    const chosen = teacherNormalization(
      path,
      loaded.info,
      options.normalization,
      normalizationOf(info),
      '--normalization',
    );
    if (chosen.note) notes.push(chosen.note);
    for (const note of notes) options.onNote?.(note);
    setNumThreads(threads);
    const source = { data, ...(options.dataDir ? { dataDir: options.dataDir } : {}) };
    set = toTensorSet(await loadSplit(source, split, options.limitTest, 'limitTest'), device);
    network.eval().to({ device, ...(channelsLast ? { memoryFormat: 'channelsLast' as const } : {}) });
    const measured = await evaluate((images) => withPrecision(precision, device, () => network.forward(images)), set, {
      normalization: chosen.normalization,
      channelsLast,
      ...(options.batchSize ? { batchSize: options.batchSize } : {}),
      ...(options.onProgress ? { onProgress: options.onProgress } : {}),
      ...(options.onLogits ? { onLogits: options.onLogits } : {}),
    });
    if (!Number.isFinite(measured.loss)) {
      throw new UserError(
        `${path} is of no use on ${info.name}: its mean loss on ${measured.count} images is ${measured.loss}, as its outputs overflow or are not numbers`,
        { hint: 'the weights are damaged, or the training that wrote them had diverged' },
      );
    }
    return { checkpoint: path, model: modelLabel(model), data: info.name, split, precision, ...measured };
  } finally {
    network.dispose();
    set?.dispose();
  }
}
