/** Datasets in memory: readers for CIFAR and IDX files, folders and lists of images, generated images, their registry, and downloading. */

export { checkImages, type ImageReport } from './check-images.ts';
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
export { type ImageDatasetOptions, imageDataset } from './image-dataset.ts';
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
