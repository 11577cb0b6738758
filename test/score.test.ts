/** @file `thrive score` as a user meets it. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AugmentationScore } from '../src/score/index.ts';
import { start, thrive } from './cli.ts';
import { writeTinyData } from './tiny-data.ts';
import { writeTinyNetwork } from './tiny-network.ts';

let root: string;
let teacher: string;
let student: string;
let base: string[];
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'thrive-score-'));
  const data = writeTinyData(join(root, 'data'), { train: 64, test: 16 });
  teacher = writeTinyNetwork(join(root, 'teacher.safetensors'), { seed: 3 });
  student = writeTinyNetwork(join(root, 'student.safetensors'), { seed: 4 });
  base = ['score', '--data', 'fashion-mnist', '--data-dir', data, '--teacher', teacher, '--threads', '1'];
  base.push('--batch-size', '8', '--group', '2', '--epochs', '2');
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('thrive score', () => {
  test('all nine with a student: one JSON object, the same in --out, forwards counted', async () => {
    const out = join(root, 'made', 'score.json');
    const { code, stdout, stderr } = await thrive([
      ...base,
      '--student',
      student,
      '--json',
      '--out',
      out,
      '--seed',
      '2',
    ]);
    expect(code, stderr).toBe(0);
    const score = JSON.parse(stdout) as AugmentationScore;
    expect(JSON.parse(readFileSync(out, 'utf8'))).toEqual(score);
    expect(score).toMatchObject({
      teacher: { path: teacher, model: 'resnet8', hash: expect.stringMatching(/^[0-9a-f]{64}$/) },
      student: { path: student, model: 'resnet8' },
      data: 'fashion-mnist',
      images: 64,
      ...{ epochs: 2, batchSize: 8, group: 2, draw: 'batch', seed: 2, precision: 'fp32', paper: null, leftOut: [] },
      steps: { taken: 16, asked: 16 },
    });
    expect(score.schemes.map(({ scheme, pick }) => [scheme, pick?.criterion])).toEqual([
      ['identity', undefined],
      ['flip', undefined],
      ['crop+flip', undefined],
      ['cutout', undefined],
      ['autoaugment', undefined],
      ['mixup', undefined],
      ['cutmix', undefined],
      ['cutmix', 'student-entropy'],
      ['cutmix', 'teacher-entropy'],
    ]);
    for (const { tStddev, standardError, meanEntropy, vectors, pick } of score.schemes) {
      expect(tStddev).toBeGreaterThan(0);
      expect(standardError).toBeGreaterThan(0);
      expect(meanEntropy).toBeGreaterThan(0);
      expect(vectors).toBe(8);
      if (pick) expect(pick).toMatchObject({ factor: 2, keep: 0.5 });
    }
    // Nothing costs more than x and the eight other views.
    expect(score.forwards.teacher).toBeLessThanOrEqual(8 * 128);
    expect(score.forwards.student).toBe(2 * 128);
    expect(stderr).toMatch(/9 augmentations, 64 images, 2 epochs: at most 1,024 teacher and 256 student forwards/);
    expect(stderr).toMatch(/scoring ━+ 128\/128/);
    // What is asked for beside it changes nothing about a figure.
    const some = ['--augment', 'cutmix+pick:student-entropy,mixup', '--student', student];
    const fewer = JSON.parse((await thrive([...base, ...some, '--json', '--seed', '2'])).stdout) as AugmentationScore;
    expect(fewer.forwards).toEqual({ teacher: 3 * 128, student: 2 * 128 });
    for (const [i, j] of [
      [0, 7],
      [1, 5],
    ] as const) {
      const [one, other] = [fewer.schemes[i]!, score.schemes[j]!];
      expect(Math.abs(one.tStddev / other.tStddev - 1)).toBeLessThan(1e-4);
      expect(Math.abs(one.meanEntropy / other.meanEntropy - 1)).toBeLessThan(1e-4);
    }
  });

  test('as text: a table best first, a plot, and a note of what all leaves out', async () => {
    const { code, stdout, stderr } = await thrive([
      ...base,
      '--augment',
      'all,randaugment',
      '--draw',
      'sample',
      '--epochs',
      '1',
    ]);
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(/left out: cutmix\+pick:student-entropy; .*--student/);
    const lines = stdout.split('\n');
    expect(lines[0]).toMatch(/^rank +augmentation +T\. stddev +± s\.e\. +entropy$/);
    const rows = lines
      .slice(2, 11)
      .map((line) => /^ *(\d) +(\S.*?) {2,}([\d.]+) +[\d.]+ +[\d.]+$/.exec(line)!.slice(1));
    expect(rows.map(([rank]) => rank)).toEqual([...'123456789']);
    const values = rows.map(([, , value]) => Number(value));
    expect(values).toEqual([...values].sort((a, b) => a - b));
    expect(rows.map(([, name]) => name)).toContain('CutMixPick (T. ent.)');
    const plot = lines.slice(13, 22);
    expect(plot.map((line) => line.slice(0, 20).trimEnd())).toEqual(rows.map(([, name]) => name));
    for (const line of plot) expect([...line]).toHaveLength(80);
    expect(stdout).toMatch(/one draw a sample\n/);
  });

  test('Ctrl-C ends it with what was measured', async () => {
    const { child, finished } = start([...base, '--epochs', '500', '--augment', 'cutmix', '--json']);
    let seen = '';
    child.stderr!.on('data', (chunk: Buffer) => {
      seen += chunk.toString();
      if (/scoring .*images\/s/.test(seen) && !child.killed) child.kill('SIGINT');
    });
    const { code, stdout, stderr } = await finished;
    expect(code, stderr).toBe(130);
    const score = JSON.parse(stdout) as AugmentationScore;
    expect(score.steps.asked).toBe(4000);
    expect(score.steps.taken).toBeLessThan(4000);
    expect(score.schemes[0]!.vectors).toBe(Math.floor(score.steps.taken / 2));
    expect(stderr).toMatch(/stopped after \d+ of 4000 steps/);
  });

  test.each<[string, () => string[], RegExp]>([
    ['no teacher', () => ['score', '--data', 'cifar100'], /no teacher to ask\nhint: .*--teacher FILE/],
    ['no data', () => ['score', '--teacher', teacher], /no dataset is named/],
    ['another scheme', () => [...base, '--augment', 'cutmx'], /did you mean 'cutmix'\?\nhint: known: all, identity/],
    [
      'temperature 0',
      () => [...base, '--augment', 'cutmix+pick:kl', '--temperature', '0'],
      /--temperature: must be > 0, got 0\n/,
    ],
    ['a student model alone', () => [...base, '--student-model', 'resnet8'], /there is no --student/],
    ['no epochs', () => [...base, '--epochs', '0'], /--epochs <n>.*must be at least 1/],
    ['a folder to write to', () => [...base, '--out', root], /is a folder/],
    [
      'a file in the way',
      () => [...base, '--out', join(teacher, 'score.json')],
      /score\.json: a part of the path is not a/,
    ],
    ['no such teacher', () => [...base, '--teacher', '/nonexistent.pth'], /\/nonexistent\.pth/],
  ])('%s: refused with what to do', async (_what, args, message) => {
    const { code, stdout, stderr } = await thrive(args());
    expect(stderr).toMatch(message);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).not.toMatch(/\n\s+at .*:\d+:\d+|scoring/);
  });

  test('--help says what --augment takes and where the paper draws', async () => {
    const { code, stdout } = await thrive(['score', '--help']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/SCHEME\+pick:CRITERION/);
    // However wide the terminal is.
    expect(stdout.replace(/\s+/g, ' ')).toContain(
      'sample: a draw for each image; batch: one for all, as in the paper (default: batch)',
    );
  });
});
