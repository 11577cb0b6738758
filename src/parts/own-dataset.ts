/** @file A dataset of the user's: what it throws says where. What it loads, `defineDataset` checks. */
import type { DatasetInfo } from '../data/index.ts';
import { failure, guarded, type Origin } from './errors.ts';

/** The same dataset, with its functions guarded. */
export function ownDataset(dataset: DatasetInfo, origin: Origin): DatasetInfo {
  return {
    ...dataset,
    folder: (split, dir) => guarded(origin, 'folder', () => dataset.folder(split, dir)),
    load(options) {
      const loaded = guarded(origin, 'load', () => dataset.load(options));
      if (!(loaded instanceof Promise)) return loaded;
      return loaded.catch((error: unknown) => {
        throw failure(origin, 'load', error);
      });
    },
  };
}
