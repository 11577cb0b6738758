/** Datasets in memory: readers for CIFAR and IDX files, generated images, their registry, and downloading. */
export {
  type AutoAugmentPolicy,
  type DatasetDefinition,
  type DatasetInfo,
  defineDataset,
  type LoadedImages,
  type LoadOptions,
  normalizationOf,
  type Rgb,
} from './dataset.ts';
export { type GetOptions, type GetResult, getDataset } from './download.ts';
export {
  classCounts,
  holdout,
  type ImageSet,
  limitPerClass,
  type Split,
  subset,
} from './image-set.ts';
export { loadSplit } from './load-split.ts';
export { DATASETS, datasetInfo, loadDataset } from './registry.ts';
export { generateSynthetic } from './synthetic.ts';
export type { Progress } from './transfer.ts';
