/**
 * @file Tiny ImageNet as it is distributed (Stanford CS231n, tiny-imagenet-200.zip): train/WNID/images/*.JPEG; val/images/*.JPEG with
 * their classes in val/val_annotations.txt; wnids.txt, the classes in the order of their labels; words.txt, what each means.
 * The images of test/ have no labels: the validation images are what is measured on, as in the paper's code.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../../base/errors.ts';
import { withFileErrors } from '../../base/files.ts';
import { filesBelow, type ImageList, type ImageListing, nothingIgnored } from './listing.ts';
import { imagesBelow } from './walk.ts';

export const isTinyImagenet = (root: string): boolean =>
  existsSync(join(root, 'wnids.txt')) && existsSync(join(root, 'val', 'val_annotations.txt'));

const linesOf = (path: string): string[] =>
  withFileErrors('read', path, () => readFileSync(path, 'utf8'))
    .split(/\r?\n/)
    .filter((line) => line.trim() !== '');

/** What the classes mean: the first of the words of each, where words.txt has it. */
export function wordsOf(path: string, wnids: readonly string[]): string[] {
  if (!existsSync(path)) return [...wnids];
  const words = new Map(linesOf(path).map((line) => line.split('\t', 2) as [string, string]));
  const names = wnids.map((wnid) => words.get(wnid)?.split(',')[0]?.trim() || wnid);
  // Two classes may have one word (crane, the bird and the machine): then both keep their number too.
  return names.map((name, i) => (names.indexOf(name) === names.lastIndexOf(name) ? name : `${name} (${wnids[i]})`));
}

export function listTinyImagenet(root: string): ImageListing {
  // The order of the file is sorted by neither name nor meaning; the labels are, as everywhere, in the order of the folders.
  const wnids = linesOf(join(root, 'wnids.txt'))
    .map((line) => line.trim())
    .sort();
  const ignored = nothingIgnored();
  const labelOf = new Map(wnids.map((wnid, label) => [wnid, label]));
  const list = (names: string[], labels: number[]): ImageList => filesBelow(root, names, Int32Array.from(labels));
  const train = wnids.map((wnid) => imagesBelow(root, join('train', wnid), ignored));
  const annotations = join(root, 'val', 'val_annotations.txt');
  const names: string[] = [];
  const labels: number[] = [];
  for (const [number, line] of linesOf(annotations).entries()) {
    const [file, wnid] = line.split('\t');
    const label = labelOf.get(wnid ?? '');
    if (file === undefined || label === undefined) {
      throw new UserError(`${annotations}, line ${number + 1}: the class ${wnid} is not in wnids.txt`);
    }
    names.push(join('val', 'images', file));
    labels.push(label);
  }
  return {
    root,
    title: 'Tiny ImageNet',
    classNames: wordsOf(join(root, 'words.txt'), wnids),
    lists: {
      train: list(
        train.flat(),
        train.flatMap((files, label) => files.map(() => label)),
      ),
      test: list(names, labels),
    },
    ignored,
    split: null,
  };
}
