/**
 * @file ImageNet's validation images as they are distributed: 50,000 files in one folder, and their classes in a list beside them. The
 * list is a text file of one line an image, `ILSVRC2012_val_00000001.JPEG n01751748` (as Caffe's val.txt with folders for numbers),
 * or a CSV of ImageId and PredictionString (as on Kaggle, whose first word is the class).
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { UserError } from '../../base/errors.ts';
import { withFileErrors } from '../../base/files.ts';
import { filesBelow, type Ignored, type ImageList } from './listing.ts';
import { imagesBelow, readFolder } from './walk.ts';

const lists = ['val.txt', 'val_labels.txt', 'LOC_val_solution.csv', 'labels.txt'];

const listFor = (folder: string): string | undefined =>
  [folder, dirname(folder)].flatMap((at) => lists.map((name) => join(at, name))).find((path) => existsSync(path));

/** Whether a folder holds images that a list names, and no folders. */
export function isFlatImagenet(folder: string): boolean {
  return listFor(folder) !== undefined && readFolder(folder, { hidden: 0, others: {}, links: 0 }).folders.length === 0;
}

/** The images of a flat folder with the classes of its list. @throws UserError for an image that the list lacks */
export function listFlatImagenet(
  root: string,
  folder: string,
  classNames: readonly string[],
  ignored: Ignored,
): ImageList {
  const path = listFor(join(root, folder))!;
  const classes = new Map(classNames.map((name, label) => [name, label]));
  const labelOf = new Map<string, number>();
  const text = withFileErrors('read', path, () => readFileSync(path, 'utf8'));
  for (const [number, line] of text.split(/\r?\n/).entries()) {
    const [file, wnid] = line.trim().split(/[\s,]+/);
    if (!file || !wnid || file === 'ImageId') continue;
    const label = classes.get(wnid);
    // A set of fewer classes than the list has: imagenet100.
    if (label === undefined && !/^n\d{8}$/.test(wnid)) {
      throw new UserError(`${path}, line ${number + 1}: '${wnid}' is no class of the training images`, {
        hint: 'a line is an image and its class: ILSVRC2012_val_00000001.JPEG n01751748',
      });
    }
    labelOf.set(file.replace(/^.*[/\\]/, '').replace(/\.jpe?g$/i, ''), label ?? -1);
  }
  const names: string[] = [];
  const labels: number[] = [];
  for (const name of imagesBelow(root, folder, ignored)) {
    const label = labelOf.get(name.replace(/^.*[/\\]/, '').replace(/\.jpe?g$/i, ''));
    if (label === undefined) throw new UserError(`${join(root, name)} is not in ${path}`);
    if (label < 0) continue;
    names.push(name);
    labels.push(label);
  }
  return filesBelow(root, names, Int32Array.from(labels));
}
