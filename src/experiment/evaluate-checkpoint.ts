import { UserError } from '../base/errors.ts';
import { toTensorSet } from '../data/batches.ts';
import { checkModelName } from '../models/index.ts';
import { type Precision, withPrecision } from '../nn/precision.ts';
import { checkDevice, defaultThreads, setNumThreads } from '../torch/index.ts';
import { type Evaluation, evaluate } from '../train/evaluate.ts';
import { prefersChannelsLast } from '../train/layout.ts';
import { datasetInfo, loadSplit, normalizationOf } from './data.ts';
import { loadNetwork } from './load-network.ts';

export interface EvaluateCheckpointOptions {
  /** Data set; a checkpoint written here knows what it was trained on. */
  data?: string;
  dataDir?: string;
  split?: 'train' | 'test';
  limitTest?: number;
  model?: string;
  batchSize?: number;
  device?: string;
  precision?: Precision;
  threads?: number;
  onProgress?: (done: number, total: number) => void;
}

export interface CheckpointScore extends Evaluation {
  checkpoint: string;
  model: string;
  data: string;
  split: 'train' | 'test';
  precision: Precision;
}

/** Load a checkpoint and measure it on a data set. */
export async function evaluateCheckpoint(
  path: string,
  options: EvaluateCheckpointOptions = {},
): Promise<CheckpointScore> {
  const { split = 'test', precision = 'fp32', threads = defaultThreads() } = options;
  if (options.model) checkModelName(options.model);
  if (options.data) datasetInfo(options.data);
  const data = options.data ?? (await trainedOn(path));
  const info = datasetInfo(data);
  setNumThreads(threads);
  const device = checkDevice(options.device ?? 'cpu');
  const {
    network,
    model,
    info: written,
  } = await loadNetwork(path, {
    ...(options.model ? { model: options.model } : {}),
    classes: info.classes,
    imageSize: info.size,
    modelFlag: '--model',
  });
  const source = { data, ...(options.dataDir ? { dataDir: options.dataDir } : {}) };
  const set = toTensorSet(loadSplit(source, split, options.limitTest), device);
  const channelsLast = prefersChannelsLast(precision, device);
  try {
    network.eval().to({ device, ...(channelsLast ? { memoryFormat: 'channelsLast' as const } : {}) });
    const measured = await evaluate((images) => withPrecision(precision, device, () => network.forward(images)), set, {
      normalization: written?.normalization ?? normalizationOf(info),
      channelsLast,
      ...(options.batchSize ? { batchSize: options.batchSize } : {}),
      ...(options.onProgress ? { onProgress: options.onProgress } : {}),
    });
    return { checkpoint: path, model, data, split, precision, ...measured };
  } finally {
    network.dispose();
    set.dispose();
  }
}

async function trainedOn(path: string): Promise<string> {
  const { readWeights } = await import('../formats/index.ts');
  const { networkOf } = await import('../train/checkpoint.ts');
  const { format, extra } = await readWeights(path);
  const info = format === 'safetensors' ? networkOf(path, extra as Record<string, string>) : null;
  if (!info) throw new UserError(`${path} does not say which data it was trained on`, { hint: 'name it with --data' });
  return info.data;
}
