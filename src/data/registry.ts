/** @file The datasets by name. Adding one: its file in datasets/, one line here, its test. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { UserError } from '../base/errors.ts';
import { Registry } from '../base/registry.ts';
import { toGive } from '../base/speech.ts';
import type { DatasetInfo, LoadOptions } from './dataset.ts';
import { cifar10 } from './datasets/cifar10.ts';
import { cifar100 } from './datasets/cifar100.ts';
import { fashionMnist } from './datasets/fashion-mnist.ts';
import { mnist } from './datasets/mnist.ts';
import { synthetic } from './datasets/synthetic.ts';
import { imageDataset } from './image-dataset.ts';
import type { ImageSet } from './image-set.ts';

/** Case, '-' and '_' do not matter. */
export const datasets = new Registry<DatasetInfo>('dataset', [cifar10, cifar100, mnist, fashionMnist, synthetic], {
  alike: (name) => name.toLowerCase().replace(/[-_ ]/g, ''),
});

/** The datasets that are here, by name. */
export const DATASETS: Readonly<Record<string, DatasetInfo>> = Object.fromEntries(
  datasets.list.map((info) => [info.name, info]),
);

/** Folders and lists that were looked at, by path: what a run is made of does not change while it runs. */
const imageDatasets = new Map<string, ReturnType<typeof imageDataset>>();

const isScript = (name: string): boolean => /\.[cm]?[jt]s$/i.test(name);

/** Whether a dataset is given by the path of a folder of images, or of a list of them. */
export function isImagePath(name: string): boolean {
  if (isScript(name) || name.startsWith('object:')) return false;
  if (/[\\/]/.test(name) || /\.(csv|jsonl)$/i.test(name)) return true;
  return !datasets.names.includes(name) && existsSync(name);
}

/** The images of a folder or a list, listed once. @throws UserError as `listImages` */
export function imagesAt(path: string): ReturnType<typeof imageDataset> {
  const root = resolve(path);
  const found = imageDatasets.get(root) ?? imageDataset(root);
  imageDatasets.set(root, found);
  return found;
}

/**
 * The dataset of a name, of a folder or list of images, or of a file that was loaded.
 *
 * @throws UserError that names the nearest one
 */
export const datasetInfo = (name: string): DatasetInfo => (isImagePath(name) ? imagesAt(name) : datasets.get(name));

/**
 * Load a split of a dataset.
 *
 * @example await loadDataset('cifar100', { split: 'train' })
 * @throws UserError for an unknown name and for anything wrong with the files
 */
export async function loadDataset(name: string, options: LoadOptions): Promise<ImageSet> {
  const info = datasetInfo(name);
  if (!info.generated && (options.count !== undefined || options.seed !== undefined)) {
    throw new UserError(
      `${info.title} is read from files: a count or a seed means something for generated images only`,
      {
        hint: `use ${toGive('limitTrain')} and ${toGive('limitTest')} to take a part of it`,
      },
    );
  }
  return info.load(options);
}
