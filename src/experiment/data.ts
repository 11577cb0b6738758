import type { StandardOptions } from '../augment/index.ts';
import { UserError } from '../base/errors.ts';
import { type TensorSet, toTensorSet } from '../data/batches.ts';
import { type DatasetInfo, datasetInfo, holdout, type ImageSet, limitPerClass, loadDataset } from '../data/index.ts';
import type { TrainData } from '../train/loop.ts';
import type { Config } from './config.ts';

export const normalizationOf = ({ mean, std }: DatasetInfo): { mean: readonly number[]; std: readonly number[] } => ({
  mean,
  std,
});

/**
 * The standard augmentation of a data set, as the configuration asks for it.
 *
 * @throws UserError where pictures are to be flipped and nothing else, but a flipped one would be of another class
 */
export function standardOptions(config: Pick<Config, 'standard'>, info: DatasetInfo): StandardOptions {
  if (config.standard === 'flip' && !info.flip) {
    throw new UserError(`--base-augment flip: a mirrored picture of ${info.title} is of another class`, {
      hint: 'choose crop or none',
    });
  }
  const crop = config.standard === 'crop+flip' || config.standard === 'crop';
  // A mirrored digit is another character: sets that say so are never flipped.
  const flip = (config.standard === 'crop+flip' || config.standard === 'flip') && info.flip;
  return { padding: crop ? info.padding : 0, flip };
}

/** One split of a data set, limited as asked. `flag` is what the limit is called, for the error. */
export function loadSplit(
  config: Pick<Config, 'data' | 'dataDir'>,
  split: 'train' | 'test',
  limit?: number,
  flag = `--limit-${split}`,
): ImageSet {
  const tooMany = (count: number): UserError =>
    new UserError(`${flag} ${limit}: ${config.data} has ${count} ${split} pictures`);
  const { count } = datasetInfo(config.data);
  if (limit !== undefined && config.data === 'synthetic') {
    // Its classes take turns, so that the limited set is the beginning, and no more need be generated.
    if (limit > count[split]) throw tooMany(count[split]);
    return loadDataset(config.data, { split, count: limit });
  }
  const set = loadDataset(config.data, { split, ...(config.dataDir ? { dir: config.dataDir } : {}) });
  if (limit === undefined) return set;
  if (limit > set.count) throw tooMany(set.count);
  return limitPerClass(set, limit);
}

/** Training, test and dev sets as tensors on the run's device. */
export function loadTrainData(config: Config): TrainData & { dispose(): void } {
  const all = loadSplit(config, 'train', config.limitTrain);
  const test = loadSplit(config, 'test', config.limitTest);
  // One split for every seed, so that runs with several seeds are chosen by the same pictures.
  const split = config.holdout > 0 ? holdout(all, config.holdout, 0) : null;
  if (split?.dev.count === 0) {
    throw new UserError(`--holdout ${config.holdout}: ${all.count} training pictures are too few to keep any apart`);
  }
  const sets: TensorSet[] = [];
  const toDevice = (set: ImageSet): TensorSet => {
    const made = toTensorSet(set, config.device);
    sets.push(made);
    return made;
  };
  const dispose = (): void => {
    for (const set of sets) set.dispose();
  };
  try {
    const train = toDevice(split ? split.train : all);
    return { train, dev: split ? toDevice(split.dev) : null, test: toDevice(test), dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}

export { datasetInfo };
