/**
 * @file A folder of images: one folder a class, as torchvision's ImageFolder has it; or train/ and val/ or test/ of such; or one
 * of the layouts that are recognised by their files.
 */
import { existsSync, statSync } from 'node:fs';
import { basename, extname, join, resolve } from 'node:path';
import { UserError } from '../../base/errors.ts';
import { isFlatImagenet, listFlatImagenet } from './imagenet.ts';
import { listLabelled } from './labelled.ts';
import { filesBelow, type Ignored, type ImageList, type ImageListing, nothingIgnored, splitList } from './listing.ts';
import { isTinyImagenet, listTinyImagenet } from './tiny-imagenet.ts';
import { imagesBelow, readFolder } from './walk.ts';

export interface ListOptions {
  /** Share of the images kept apart for testing, where they lie in one heap. Default 0.1. */
  split?: number;
  /** What the split depends on. Default 0. */
  splitSeed?: number;
}

/** Folder names that mean the test images, the preferred first. */
const testNames = ['val', 'valid', 'validation', 'test'];

/**
 * The images of a folder, or of a .csv or .jsonl list.
 *
 * @throws UserError where there is none, a class is empty, or the test images have a class that the training images lack
 */
export function listImages(path: string, options: ListOptions = {}): ImageListing {
  const root = resolve(path);
  const found = statSync(root, { throwIfNoEntry: false });
  if (!found) throw new UserError(`there is no folder or list of images at ${path}`);
  if (found.isFile()) return listLabelled(root, options);
  if (isTinyImagenet(root)) return listTinyImagenet(root);
  const ignored = nothingIgnored();
  const { folders } = readFolder(root, nothingIgnored());
  const named = (names: readonly string[]): string | undefined =>
    names.map((name) => folders.find((folder) => folder.toLowerCase() === name)).find((folder) => folder !== undefined);
  const train = named(['train', 'training']);
  const test = named(testNames);
  if (!train || !test) return splitFolder(root, train, options, ignored);
  const classNames = readFolder(join(root, train), nothingIgnored()).folders;
  const trainList = listClasses(root, train, classNames, ignored);
  if (isFlatImagenet(join(root, test))) {
    const testList = listFlatImagenet(root, test, classNames, ignored);
    return { root, title: 'ImageNet', classNames, lists: { train: trainList, test: testList }, ignored, split: null };
  }
  const unknown = readFolder(join(root, test), nothingIgnored()).folders.find((name) => !classNames.includes(name));
  if (unknown !== undefined) {
    throw new UserError(`${join(test, unknown)} is a class that ${train} does not have`, {
      hint: `${train} and ${test} hold the same classes, spelt alike`,
    });
  }
  const testList = listClasses(root, test, classNames, ignored, false);
  return { root, title: titleOf(root), classNames, lists: { train: trainList, test: testList }, ignored, split: null };
}

const titleOf = (root: string): string => `the images in ${basename(root)}`;

/** One heap of classes: the root itself, or its train/ where there is no folder for testing. */
function splitFolder(root: string, below: string | undefined, options: ListOptions, ignored: Ignored): ImageListing {
  const classNames = readFolder(join(root, below ?? ''), nothingIgnored()).folders;
  const all = listClasses(root, below ?? '', classNames, ignored);
  const { split: fraction = 0.1, splitSeed: seed = 0 } = options;
  const lists = splitList(all, classNames, fraction, seed);
  return { root, title: titleOf(root), classNames, lists, ignored, split: { fraction, seed } };
}

/** The images of each class's folder, classes in order. */
function listClasses(
  root: string,
  below: string,
  classNames: readonly string[],
  ignored: Ignored,
  allNeeded = true,
): ImageList {
  if (classNames.length < 2) {
    throw new UserError(
      `${join(root, below)} has ${classNames.length} folder${classNames.length === 1 ? '' : 's'}: one folder a class is needed, two classes at least`,
      { hint: 'for example photos/cat/1.jpg and photos/dog/1.jpg, or a .csv list of path,label' },
    );
  }
  // Files beside the classes belong to none.
  for (const name of readFolder(join(root, below), ignored).files) {
    const kind = extname(name).toLowerCase() || 'no extension';
    ignored.others[kind] = (ignored.others[kind] ?? 0) + 1;
  }
  const names: string[] = [];
  const labels: number[] = [];
  classNames.forEach((name, label) => {
    const folder = join(below, name);
    const images = existsSync(join(root, folder)) ? imagesBelow(root, folder, ignored) : [];
    if (images.length === 0 && allNeeded) {
      throw new UserError(
        `the class ${name} has no images: nothing in ${join(root, folder)} is a JPEG, PNG, WebP, AVIF, GIF or TIFF`,
        {
          hint: 'remove the folder, or put its images there',
        },
      );
    }
    for (const image of images) {
      names.push(image);
      labels.push(label);
    }
  });
  return filesBelow(root, names, Int32Array.from(labels));
}
