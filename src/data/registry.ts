import { UserError } from '../base/errors.ts';
import { unknownName } from '../base/suggest.ts';
import { CIFAR10, CIFAR100, type CifarLayout, cifarFolder, loadCifar } from './cifar.ts';
import { FASHION_MNIST, type IdxLayout, idxFolder, loadIdx, MNIST } from './idx.ts';
import type { ImageSet, Split } from './image-set.ts';
import { generateSynthetic, SYNTHETIC_CLASSES, SYNTHETIC_COUNT } from './synthetic.ts';

/** One number a channel: red, green, blue. */
export type Rgb = readonly [number, number, number];

/** What to load. */
export interface LoadOptions {
  split: Split;
  /** A data folder or the dataset's own folder; by default THRIVE_DATA, then ./data. */
  dir?: string;
  /** How many images to generate; only for generated datasets. */
  count?: number;
  /** Which images to generate, 0 by default; only for generated datasets. */
  seed?: number;
}

/** What training needs to know about a dataset before reading it. */
export interface DatasetInfo {
  name: string;
  title: string;
  classes: number;
  classNames: readonly string[];
  /** Height and width of the images, in pixels. */
  size: number;
  /** Mean and standard deviation of the training images on the scale 0 to 1, for normalising. */
  mean: Rgb;
  std: Rgb;
  /** Pixels of black border the standard random crop adds. */
  padding: number;
  /** Whether a mirrored image is still of its class. */
  flip: boolean;
  /** Images in each split. */
  count: Readonly<Record<Split, number>>;
  /** The folder its files are in; undefined when the images are generated. @throws UserError when there is none */
  folder(split: Split, dir?: string): string | undefined;
  load(options: LoadOptions): ImageSet;
}

const cifar = (layout: CifarLayout, mean: Rgb, std: Rgb): DatasetInfo => ({
  name: layout.name,
  title: layout.title,
  classes: layout.classNames.length,
  classNames: layout.classNames,
  size: 32,
  mean,
  std,
  padding: 4,
  flip: true,
  count: { train: layout.records.train * layout.files.train.length, test: layout.records.test },
  folder: (split, dir) => cifarFolder(layout, split, dir),
  load: (options) => loadCifar(layout, options.split, options.dir),
});

const idx = (layout: IdxLayout, mean: number, std: number, flip: boolean): DatasetInfo => ({
  name: layout.name,
  title: layout.title,
  classes: layout.classNames.length,
  classNames: layout.classNames,
  size: 32,
  mean: [mean, mean, mean],
  std: [std, std, std],
  padding: 4,
  flip,
  count: layout.records,
  folder: (split, dir) => idxFolder(layout, split, dir),
  load: (options) => loadIdx(layout, options.split, options.dir),
});

/**
 * The datasets. Mean and standard deviation: CIFAR-100 as in the paper's code, CIFAR-10 per pixel over the training set,
 * MNIST and Fashion-MNIST as usually published, of the 28×28 images without their border; synthetic measured on its 10,000.
 */
export const DATASETS: Readonly<Record<string, DatasetInfo>> = {
  cifar10: cifar(CIFAR10, [0.4914, 0.4822, 0.4465], [0.247, 0.2435, 0.2616]),
  cifar100: cifar(CIFAR100, [0.5071, 0.4867, 0.4408], [0.2675, 0.2565, 0.2761]),
  mnist: idx(MNIST, 0.1307, 0.3081, false),
  'fashion-mnist': idx(FASHION_MNIST, 0.286, 0.353, true),
  synthetic: {
    name: 'synthetic',
    title: 'synthetic shapes',
    classes: SYNTHETIC_CLASSES.length,
    classNames: SYNTHETIC_CLASSES,
    size: 32,
    mean: [0.304, 0.304, 0.304],
    std: [0.228, 0.228, 0.228],
    padding: 4,
    flip: true,
    count: SYNTHETIC_COUNT,
    folder: () => undefined,
    load: (options) => generateSynthetic(options.split, options.count, options.seed),
  },
};

/** How a dataset's images are normalised: mean and standard deviation a channel. */
export const normalizationOf = ({ mean, std }: Pick<DatasetInfo, 'mean' | 'std'>): { mean: Rgb; std: Rgb } => ({
  mean,
  std,
});

const plain = (name: string): string => name.toLowerCase().replace(/[-_ ]/g, '');

/** The dataset of a name; case, '-' and '_' do not matter. @throws UserError that names the nearest one */
export function datasetInfo(name: string): DatasetInfo {
  const info = Object.values(DATASETS).find((known) => plain(known.name) === plain(name));
  if (!info) throw unknownName('dataset', name, Object.keys(DATASETS));
  return info;
}

/**
 * Load a split of a dataset.
 *
 * @example loadDataset('cifar100', { split: 'train' })
 * @throws UserError for an unknown name and for anything wrong with the files
 */
export function loadDataset(name: string, options: LoadOptions): ImageSet {
  const info = datasetInfo(name);
  if (info.name !== 'synthetic' && (options.count !== undefined || options.seed !== undefined)) {
    throw new UserError(
      `${info.title} is read from files: a count or a seed means something for synthetic images only`,
      {
        hint: 'use --limit-train and --limit-test to take a part of it',
      },
    );
  }
  return info.load(options);
}
