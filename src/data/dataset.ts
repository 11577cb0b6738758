/** @file What a dataset says of itself: everything that training, augmentation and the records need to know of it. */
import { UserError } from '../base/errors.ts';
import { remember } from '../base/part.ts';
import type { ImageSet, Split } from './image-set.ts';
import type { Source } from './source.ts';

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

/** The policies that AutoAugment was searched for and has here. */
export type AutoAugmentPolicy = 'cifar10' | 'imagenet';

/** What training needs to know about a dataset before reading it. Nothing is guessed from its name. */
export interface DatasetInfo {
  readonly kind: 'dataset';
  name: string;
  title: string;
  classes: number;
  classNames: readonly string[];
  /** Height and width of the images, in pixels. */
  size: number;
  /** Mean and standard deviation of the training images on the scale 0 to 1, for normalising. */
  mean: Rgb;
  std: Rgb;
  /** Pixels of black border that a random crop adds. */
  padding: number;
  /** Whether a mirrored image is still of its class. */
  flip: boolean;
  /** Side of cutout's hole in pixels. */
  cutout: number;
  /** The policy that AutoAugment uses; undefined where none was searched for images like these. */
  policy?: AutoAugmentPolicy | undefined;
  /** Images in each split; undefined where only loading tells. */
  count?: Readonly<Record<Split, number>> | undefined;
  /** Made when they are loaded, class after class in turn: of a limited set, no more need be made. */
  generated?: boolean | undefined;
  /** Where it can be downloaded. */
  source?: Source | undefined;
  /** The folder its files are in; undefined when there are none. @throws UserError when they are missing */
  folder(split: Split, dir?: string): string | undefined;
  load(options: LoadOptions): ImageSet | Promise<ImageSet>;
}

/** What a dataset of the user's loads: bytes and classes. */
export interface LoadedImages {
  /** count · 3 · size · size bytes, each image planar (all of red, then green, then blue), 0 to 255. */
  images: Uint8Array;
  /** One class an image, from 0. */
  labels: ArrayLike<number>;
}

/** A dataset as it is written down: what is left out follows from the size of the images. */
export interface DatasetDefinition
  extends Omit<DatasetInfo, 'kind' | 'title' | 'classes' | 'padding' | 'flip' | 'cutout' | 'folder' | 'load'> {
  /** As it is written in prose. Default: the name. */
  title?: string;
  /** Default: an eighth of the size, 4 at 32 pixels. */
  padding?: number;
  /** Default: true. */
  flip?: boolean;
  /** Default: a quarter of the size, 8 at 32 pixels. */
  cutout?: number;
  folder?: DatasetInfo['folder'];
  /** The images of a split. May be asynchronous. `dir` is `--data-dir`, where it is given. */
  load(options: LoadOptions): LoadedImages | Promise<LoadedImages>;
}

const isName = (text: unknown): boolean => typeof text === 'string' && /^[\w][\w.-]*$/.test(text);

function checkDefinition(given: DatasetDefinition): void {
  const whose = `the dataset ${String(given.name)}`;
  const refuse = (what: string, hint: string): never => {
    throw new UserError(`${whose}: ${what}`, { hint });
  };
  if (!isName(given.name)) refuse('its name is a word', 'letters, digits, - and _, as in my-data');
  if (!Array.isArray(given.classNames) || given.classNames.length < 2) {
    refuse('classNames lists the names of two or more classes', "classNames: ['cat', 'dog']");
  }
  if (!(Number.isInteger(given.size) && given.size >= 1)) {
    refuse(`size is the height and width of its images in pixels, not ${given.size}`, 'size: 32');
  }
  for (const key of ['mean', 'std'] as const) {
    const values: unknown = given[key];
    const fits = Array.isArray(values) && values.length === 3 && values.every((value) => Number.isFinite(value));
    if (!fits || (key === 'std' && given.std.some((value) => !(value > 0)))) {
      refuse(
        `${key} is three numbers on the scale 0 to 1${key === 'std' ? ', above 0' : ''}`,
        `${key} of the training images, for red, green and blue`,
      );
    }
  }
  if (typeof given.load !== 'function') refuse('it has no load', 'load({ split, dir }) returns { images, labels }');
}

/** What came from a dataset's `load`, as every reader here returns it. @throws UserError for what does not fit */
function checkLoaded(info: DatasetInfo, split: Split, loaded: LoadedImages): ImageSet {
  const { classNames, size, name } = info;
  const bytes = 3 * size * size;
  const refuse = (what: string): UserError =>
    new UserError(`the dataset ${name}: load({ split: '${split}' }) ${what}`, {
      hint: `it returns { images: Uint8Array of count · 3 · ${size} · ${size} bytes, labels: one class an image }`,
    });
  const { images, labels } = (loaded ?? {}) as Partial<LoadedImages>;
  if (!(images instanceof Uint8Array)) throw refuse('must give its images as a Uint8Array');
  if (typeof labels?.length !== 'number') throw refuse('must give its labels as a list of numbers');
  const count = labels.length;
  if (count === 0) throw refuse('gives no images');
  if (images.length !== count * bytes) {
    throw refuse(
      `gives ${images.length} bytes for ${count} images; ${count} · 3 · ${size} · ${size} is ${count * bytes}`,
    );
  }
  const classes = Int32Array.from(labels);
  const wrong = classes.findIndex((label, i) => label !== labels[i] || label < 0 || label >= classNames.length);
  if (wrong >= 0) {
    throw refuse(`gives image ${wrong} the label ${labels[wrong]}; classes are 0 to ${classNames.length - 1}`);
  }
  return { images, labels: classes, count, channels: 3, height: size, width: size, classNames };
}

/**
 * A dataset of one's own: as `--data ./my-data.ts`, or in a configuration.
 *
 * @example
 * export default defineDataset({
 *   name: 'my-data', classNames: ['cat', 'dog'], size: 32, mean: [0.49, 0.45, 0.41], std: [0.25, 0.24, 0.26],
 *   load: ({ split }) => ({ images: bytesOf(split), labels: classesOf(split) }),
 * });
 * @throws UserError for a definition that does not fit; and from `load`, for images or labels that do not fit it
 */
export function defineDataset(definition: DatasetDefinition): DatasetInfo {
  checkDefinition(definition);
  const { name, title = name, size, padding = Math.round(size / 8), flip = true } = definition;
  const { cutout = Math.round(size / 4), folder = () => undefined, classNames } = definition;
  const info: DatasetInfo = {
    ...definition,
    kind: 'dataset',
    title,
    classes: classNames.length,
    padding,
    flip,
    cutout,
    folder,
    load(options) {
      const loaded = definition.load(options);
      return loaded instanceof Promise
        ? loaded.then((given) => checkLoaded(info, options.split, given))
        : checkLoaded(info, options.split, loaded);
    },
  };
  return remember(info, definition);
}

/** How a dataset's images are normalised: mean and standard deviation a channel. */
export const normalizationOf = ({ mean, std }: Pick<DatasetInfo, 'mean' | 'std'>): { mean: Rgb; std: Rgb } => ({
  mean,
  std,
});
