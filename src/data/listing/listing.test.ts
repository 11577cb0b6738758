import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { because, sharedPath } from '../../../test/shared.ts';
import { listImages } from './folder.ts';
import { byName } from './listing.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'thrive-listing-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const touch = (...paths: string[]): void => {
  for (const path of paths) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), '');
  }
};
const write = (path: string, text: string): void => {
  touch(path);
  writeFileSync(join(root, path), text);
};

describe('a folder of classes', () => {
  test("is read in the order of torchvision's ImageFolder: nested, mixed case, links followed once", () => {
    touch('train/dog/b.jpg', 'train/dog/B.JPG', 'train/dog/sub/a.Png', 'train/dog/.hidden.jpg', 'train/Cat/1.webp');
    touch(
      'train/Cat/notes.txt',
      'train/Cat/README',
      'VAL/dog/1.jpeg',
      'VAL/Cat/2.jpg',
      'elsewhere/far.jpg',
      '.git/x.jpg',
    );
    symlinkSync(join(root, 'elsewhere'), join(root, 'train/dog/linked'));
    symlinkSync(join(root, 'train'), join(root, 'train/dog/sub/loop'));
    symlinkSync(join(root, 'nowhere'), join(root, 'train/Cat/broken.jpg'));
    const listing = listImages(root);
    expect(listing.classNames).toEqual(['Cat', 'dog']);
    expect(listing.lists.train.names).toEqual([
      'train/Cat/1.webp',
      'train/dog/B.JPG',
      'train/dog/b.jpg',
      'train/dog/linked/far.jpg',
      'train/dog/sub/a.Png',
    ]);
    // The loop would have put a cat among the dogs; the other link leads nowhere.
    expect(listing.ignored.links).toBe(2);
  });

  test('hidden and other files are counted', () => {
    touch(
      'a/1.jpg',
      'a/2.jpg',
      'a/.DS_Store',
      'a/x.txt',
      'b/1.jpg',
      'b/2.jpg',
      'b/y.BMP',
      'b/z.txt',
      'list.md',
      '.x/1.jpg',
    );
    const { ignored, split, lists } = listImages(root, { split: 0.5, splitSeed: 4 });
    expect(ignored).toEqual({ hidden: 2, others: { '.txt': 2, '.bmp': 1, '.md': 1 }, links: 0 });
    expect(split).toEqual({ fraction: 0.5, seed: 4 });
    expect([lists.train.names.length, lists.test.names.length]).toEqual([2, 2]);
  });

  test('without test images a share of each class is kept apart: by the seed alone, never all of a class', () => {
    for (let i = 0; i < 20; i++) touch(`a/${i}.jpg`, ...(i < 2 ? [`b/${i}.jpg`] : []));
    const once = listImages(root, { split: 0.2 });
    expect(Array.from(once.lists.test.labels)).toEqual([0, 0, 0, 0, 1]);
    expect([...once.lists.train.names, ...once.lists.test.names].sort()).toHaveLength(22);
    expect(new Set([...once.lists.train.names, ...once.lists.test.names]).size).toBe(22);
    expect(listImages(root, { split: 0.2 }).lists.test.names).toEqual(once.lists.test.names);
    expect(listImages(root, { split: 0.2, splitSeed: 1 }).lists.test.names).not.toEqual(once.lists.test.names);
    once.lists.test.names.forEach((name, i) => {
      expect(once.lists.test.ref(i).path).toBe(join(root, name));
    });
  });

  test.each<[string, string[], RegExp]>([
    ['no folders', ['1.jpg', '2.jpg'], /has 0 folders: one folder a class is needed/],
    ['one class', ['a/1.jpg'], /has 1 folder: /],
    ['an empty class', ['a/1.jpg', 'a/2.jpg', 'b/x.txt'], /the class b has no images/],
    ['one image of a class', ['a/1.jpg', 'a/2.jpg', 'b/1.jpg'], /the class b has 1 image: none can be kept apart/],
    [
      'a class for testing only',
      ['train/a/1.jpg', 'train/b/1.jpg', 'test/c/1.jpg'],
      /test\/c is a class that train does not have/,
    ],
  ])('refused: %s', (_, files, message) => {
    touch(...files);
    expect(() => listImages(root)).toThrow(message);
  });

  test('refused: nothing there, a split that is none', () => {
    expect(() => listImages(join(root, 'none'))).toThrow(/there is no folder or list of images at/);
    touch('a/1.jpg', 'a/2.jpg', 'b/1.jpg', 'b/2.jpg');
    expect(() => listImages(root, { split: 1 })).toThrow('between 0 and 1, not 1');
  });
});

test('names sort as in Python, by code point', () => {
  const names = ['b', 'B', 'a10', 'a2', '\u{1F600}', '\uFF21', 'é', 'a'];
  // sorted(names) of Python 3
  expect(names.sort(byName)).toEqual(['B', 'a', 'a10', 'a2', 'b', 'é', '\uFF21', '\u{1F600}']);
});

describe('a list', () => {
  test('CSV with quotes, a split column and another order of columns', () => {
    write(
      'list.csv',
      '\uFEFFlabel,Path,split\r\n"cat, black","a ""b"".jpg",train\ndog,sub/2.jpg,TEST\n\n"cat, black",3.jpg,val\n',
    );
    const { classNames, lists, split } = listImages(join(root, 'list.csv'));
    expect(classNames).toEqual(['cat, black', 'dog']);
    expect(lists.train.names).toEqual(['a "b".jpg']);
    expect(lists.test.names).toEqual(['sub/2.jpg', '3.jpg']);
    expect(Array.from(lists.test.labels)).toEqual([1, 0]);
    expect(lists.test.ref(0).path).toBe(join(root, 'sub/2.jpg'));
    expect(split).toBeNull();
  });

  test('JSON lines; numbers are classes in order of size', () => {
    const rows = [10, 9, 10, 9, 2, 2].map((label, i) => JSON.stringify({ path: `${i}.jpg`, label }));
    write('list.jsonl', rows.join('\n'));
    const { classNames, lists } = listImages(join(root, 'list.jsonl'), { split: 0.5 });
    expect(classNames).toEqual(['2', '9', '10']);
    expect(lists.train.names).toHaveLength(3);
  });

  test.each([
    ['list.csv', 'name,label\n1.jpg,a\n', /line 1: the header must name the columns path and label/],
    ['list.csv', 'path,label\n1.jpg,a,b\n', /line 2: 3 values where the header has 2/],
    ['list.csv', 'path,label\n1.jpg,\n', /line 2: there is no path or no label/],
    ['list.csv', 'path,label\n1.jpg,a\n2.jpg,a\n', /has 1 classes/],
    ['list.jsonl', '{"path": "1.jpg", "label": "a"}\n{"path": 1', /line 2: /],
    ['list.txt', 'x', /is no list of images/],
  ])('refused: %s %j', (name, text, message) => {
    write(name, text);
    expect(() => listImages(join(root, name))).toThrow(message);
  });
});

describe('ImageNet', () => {
  const wnids = ['n01440764', 'n01443537'];

  test('validation images in one folder take their classes from a list', () => {
    for (const wnid of wnids) touch(`train/${wnid}/${wnid}_1.JPEG`);
    for (let i = 1; i <= 3; i++) touch(`val/ILSVRC2012_val_0000000${i}.JPEG`);
    const rows = [
      'ILSVRC2012_val_00000001.JPEG n01443537',
      'ILSVRC2012_val_00000002.JPEG n01440764',
      // Of a class that is not here: left out.
      'ILSVRC2012_val_00000003.JPEG n09999999',
    ];
    write('val.txt', rows.join('\n'));
    const { lists, title } = listImages(root);
    expect([title, Array.from(lists.test.labels)]).toEqual(['ImageNet', [1, 0]]);
    write('val.txt', rows.slice(1).join('\n'));
    expect(() => listImages(root)).toThrow(/ILSVRC2012_val_00000001\.JPEG is not in .*val\.txt/);
    write('val.txt', `${rows[0]}\nILSVRC2012_val_00000002.JPEG what`);
    expect(() => listImages(root)).toThrow(/line 2: 'what' is no class of the training images/);
  });

  test("Kaggle's CSV of boxes", () => {
    for (const wnid of wnids) touch(`train/${wnid}/${wnid}_1.JPEG`);
    touch('val/ILSVRC2012_val_00000001.JPEG');
    write('LOC_val_solution.csv', 'ImageId,PredictionString\nILSVRC2012_val_00000001,n01443537 111 108 441 193 \n');
    expect(Array.from(listImages(root).lists.test.labels)).toEqual([1]);
  });
});

const tiny = sharedPath('data/tiny-imagenet-20');
describe.skipIf(!tiny)(`Tiny ImageNet${because(tiny, 'tiny-imagenet-20')}`, () => {
  test('as it is distributed', () => {
    const { classNames, lists, title } = listImages(tiny!);
    expect([title, classNames.length, lists.train.names.length, lists.test.names.length]).toEqual([
      'Tiny ImageNet',
      20,
      6000,
      1000,
    ]);
    expect(classNames[0]).toBe('goldfish');
    // val_2.JPEG n04070727 4 0 60 55
    const label = lists.test.labels[lists.test.names.indexOf('val/images/val_2.JPEG')]!;
    expect(lists.train.names[lists.train.labels.indexOf(label)]).toContain('n04070727');
  });

  test('a class of an annotation that wnids.txt lacks is refused', () => {
    write('wnids.txt', 'n1\nn2\n');
    touch('train/n1/images/1.JPEG', 'train/n2/images/1.JPEG');
    write('val/val_annotations.txt', 'val_0.JPEG\tn3\t0\t0\t1\t1\n');
    expect(() => listImages(root)).toThrow(/line 1: the class n3 is not in wnids\.txt/);
  });
});
