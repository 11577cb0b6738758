/** @file A dataset of image files, brought to one size and held in memory. */
import { createHash } from 'node:crypto';
import type { DatasetInfo } from './dataset.ts';
import { BadImages, type OnBadImage } from './decode/bad-images.ts';
import { decodeDefaults } from './decode/image.ts';
import { loadImages } from './decode/load-images.ts';
import type { View } from './decode/task.ts';
import { type ListOptions, listImages } from './listing/folder.ts';
import type { ImageListing } from './listing/listing.ts';

export interface ImageDatasetOptions extends ListOptions {
  /** Height and width in pixels that images are brought to. Default 64. */
  size?: number;
  /** What to do about images that cannot be decoded. Default: stop, naming the file. */
  onBadImage?: OnBadImage;
  /** Turn images as their EXIF orientation says. Default true; torchvision does not. */
  exif?: boolean;
  /** Decoding threads; by default one a processor. */
  workers?: number;
  /** Told of each image that is skipped, once. */
  onSkip?: (image: { name: string; reason: string }) => void;
}

/** ImageNet's, on which most networks for photographs were trained (torchvision). */
const photographs = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] } as const;

/** The images as they are measured: the short side resized, the middle kept. */
export const middleView = (size: number): View => ({ kind: 'eval', size, resize: size });

/**
 * The images of a folder or a list as a dataset. Its classes and files are known at once, the images when they are loaded.
 *
 * @throws UserError as `listImages`
 */
export function imageDataset(path: string, options: ImageDatasetOptions = {}): DatasetInfo & { listing: ImageListing } {
  const { size = 64, onBadImage = 'error', exif = true, workers, onSkip } = options;
  const listing = listImages(path, options);
  const { classNames, lists, root } = listing;
  return {
    kind: 'dataset',
    name: path,
    title: listing.title,
    classes: classNames.length,
    classNames,
    size,
    ...photographs,
    // As in the paper for Tiny ImageNet: RandomCrop with a border of 8 at 64 pixels, a hole of 16.
    padding: Math.round(size / 8),
    flip: true,
    cutout: Math.round(size / 4),
    policy: 'imagenet',
    count: { train: lists.train.names.length, test: lists.test.names.length },
    folder: () => root,
    load: ({ split }) =>
      loadImages(lists[split], classNames, {
        view: middleView(size),
        bad: new BadImages(onBadImage, onSkip),
        decode: { ...decodeDefaults, exif },
        ...(workers === undefined ? {} : { workers }),
      }),
    listing,
  };
}

/** What tells a listing from others: its files and their classes, not what is in them. */
export function listingHash({ lists, classNames }: ImageListing): string {
  const hash = createHash('sha256').update(JSON.stringify(classNames));
  for (const { names, labels } of [lists.train, lists.test]) {
    hash.update(names.join('\n'));
    hash.update(new Uint8Array(labels.buffer, labels.byteOffset, labels.byteLength));
  }
  return hash.digest('hex');
}
