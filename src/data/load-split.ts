import { UserError } from '../base/errors.ts';
import { partLabel } from '../base/registry.ts';
import { named } from '../base/speech.ts';
import { type ImageSet, limitPerClass } from './image-set.ts';
import { datasetInfo, loadDataset } from './registry.ts';

/** One split of a dataset, limited as asked; `setting` says how much of it. */
export async function loadSplit(
  config: { data: string; dataDir?: string | undefined },
  split: 'train' | 'test',
  limit?: number,
  setting = split === 'train' ? 'limitTrain' : 'limitTest',
): Promise<ImageSet> {
  const tooMany = (count: number): UserError =>
    new UserError(`${named(setting)} ${limit}: ${partLabel(config.data)} has ${count} ${split} images`);
  const { count, generated } = datasetInfo(config.data);
  const dir = config.dataDir ? { dir: config.dataDir } : {};
  if (limit !== undefined && generated && count) {
    // Its classes take turns, so that the limited set is the beginning, and no more need be generated.
    if (limit > count[split]) throw tooMany(count[split]);
    return loadDataset(config.data, { split, count: limit, ...dir });
  }
  const set = await loadDataset(config.data, { split, ...dir });
  if (limit === undefined) return set;
  if (limit > set.count) throw tooMany(set.count);
  return limitPerClass(set, limit);
}
