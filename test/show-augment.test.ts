/** @file `thrive show-augment` as a user meets it. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { thrive } from './cli.ts';
import { decode } from './png.ts';
import { writeTinyData } from './tiny-data.ts';
import { writeTinyNetwork } from './tiny-network.ts';

let root: string;
let out: string;
let teacher: string;
let base: string[];
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'thrive-show-'));
  out = join(root, 'sheet.png');
  const data = writeTinyData(join(root, 'data'), { train: 64, test: 16 });
  teacher = writeTinyNetwork(join(root, 'teacher.safetensors'));
  base = ['show-augment', '--data', 'fashion-mnist', '--data-dir', data, '--threads', '1', '--out', out];
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('thrive show-augment', () => {
  test('writes a PNG and says what is on it', async () => {
    const args = [
      '--augment',
      'mixup,cutmix+pick:teacher-entropy',
      '--teacher',
      teacher,
      '--count',
      '5',
      '--scale',
      '2',
    ];
    const { code, stdout, stderr } = await thrive([...base, ...args, '--json']);
    expect(code, stderr).toBe(0);
    const sheet = JSON.parse(stdout);
    expect(sheet).toMatchObject({ out, data: 'fashion-mnist', leftOut: [] });
    expect(sheet.images).toHaveLength(5);
    expect(sheet.views).toMatchObject([
      { scheme: 'mixup', pick: null, scores: null, picked: null },
      { scheme: 'cutmix', pick: { criterion: 'teacher-entropy', factor: 2, keep: 0.5 } },
    ]);
    expect(sheet.views[1].scores).toHaveLength(10);
    expect(sheet.views[1].picked).toHaveLength(5);
    const { width, height } = decode(readFileSync(out));
    expect({ width, height }).toEqual({ width: sheet.width, height: sheet.height });
    rmSync(out);
  });

  test('without a teacher, all shows what needs none', async () => {
    const { code, stdout, stderr } = await thrive([...base, '--count', '2']);
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/sheet\.png: \d+ by \d+ pixels\n$/);
    expect(stderr).toMatch(/left out: cutmix\+pick:student-entropy.*--student\n/);
    expect(stderr).toMatch(/left out: cutmix\+pick:teacher-entropy.*--teacher\n/);
    rmSync(out);
  });

  test('of a smaller set, all there is', async () => {
    const { code, stdout, stderr } = await thrive([...base, '--augment', 'flip', '--limit-train', '5', '--json']);
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout).images).toHaveLength(5);
    rmSync(out);
  });

  test.each<[string, () => string[], RegExp]>([
    ['no data', () => ['show-augment'], /no dataset is named/],
    [
      'a teacher that is missing',
      () => [...base, '--augment', 'cutmix+pick:dissimilarity'],
      /picked by what a teacher says, and there is none\nhint: give its checkpoint: --teacher\n/,
    ],
    ['a teacher model alone', () => [...base, '--teacher-model', 'resnet8'], /there is no --teacher/],
    [
      'a normalisation without a teacher',
      () => [...base, '--augment', 'flip', '--teacher-normalization', 'imagenet'],
      /--teacher-normalization .* there is no --teacher\n/,
    ],
    ['too many images', () => [...base, '--count', '65'], /--count must be a whole number from 1 to 64, got 65/],
    [
      'a file in the way',
      () => [...base, '--out', join(teacher, 'sheet.png')],
      /sheet\.png: a part of the path is not a folder/,
    ],
    ['another format', () => [...base, '--out', 'sheet.jpg'], /the sheet is a PNG/],
  ])('%s: refused with what to do, and nothing written', async (_what, args, message) => {
    const { code, stdout, stderr } = await thrive(args());
    expect(stderr).toMatch(message);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).not.toMatch(/\n\s+at .*:\d+:\d+/);
    expect(existsSync(out)).toBe(false);
  });
});
