import { UserError } from '../base/errors.ts';
import { named } from '../base/speech.ts';
import type { Config } from '../config/config.ts';
import { type TensorSet, toTensorSet } from '../data/batches.ts';
import { holdout, type ImageSet } from '../data/index.ts';
import { loadSplit } from '../data/load-split.ts';
import type { TrainData } from '../train/loop.ts';

/** Training, test and dev sets as tensors on the run's device. */
export async function loadTrainData(config: Config): Promise<TrainData & { dispose(): void }> {
  const all = await loadSplit(config, 'train', config.limitTrain);
  const test = await loadSplit(config, 'test', config.limitTest);
  // One split for every seed, so that runs with several seeds are chosen by the same images.
  const split = config.holdout > 0 ? holdout(all, config.holdout, 0) : null;
  if (split?.dev.count === 0) {
    throw new UserError(
      `${named('holdout')} ${config.holdout}: ${all.count} training images are too few to keep any apart`,
    );
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
