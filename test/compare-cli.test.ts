/** @file `thrive compare` as it is run, and T. stddev against the students' test loss. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { UserError } from '../src/base/errors.ts';
import { describeComparison } from '../src/cli/comparison.ts';
import { compareProject, compareRuns } from '../src/compare/index.ts';
import { thrive } from './cli.ts';
import { distilled, type FakeRun, writeRun, writeRuns } from './run-folders.ts';
import { elements, parseXml } from './xml.ts';

let root: string;
let next = 0;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'thrive-compare-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const folder = (): string => join(root, String(next++));
const runs = (list: Readonly<Record<string, FakeRun>>): string => {
  const at = folder();
  writeRuns(at, list);
  return at;
};

/** Figure of the paper's later version, resnet56 and resnet20 on CIFAR-100: scheme, T. stddev, the student's test loss. */
const paper: [string, string | null, number, number][] = [
  ['identity', null, 0.005248, 1.1783],
  ['flip', null, 0.005232, 1.1668],
  ['crop+flip', null, 0.005121, 1.1763],
  ['cutout', null, 0.004983, 1.1687],
  ['autoaugment', null, 0.004904, 1.1478],
  ['mixup', null, 0.004719, 1.1621],
  ['cutmix', null, 0.004443, 1.144],
  ['cutmix', 'student-entropy', 0.004039, 1.1269],
  ['cutmix', 'teacher-entropy', 0.003788, 1.0924],
];

const pool = { factor: 2, keep: 0.5 };

function writeScore(points = paper, hash = 'a'.repeat(64)): string {
  const file = join(root, `score-${next++}.json`);
  const schemes = points.map(([scheme, criterion, tStddev]) => ({
    scheme,
    pick: criterion && { criterion, ...pool },
    tStddev,
    standardError: 1e-6,
    meanEntropy: 1,
  }));
  writeFileSync(
    file,
    JSON.stringify({ teacher: { path: 't', model: 'resnet56', hash }, data: 'cifar100', draw: 'batch', schemes }),
  );
  return file;
}

function paperRuns(count = paper.length): string {
  const at = folder();
  for (const [i, [scheme, criterion, , loss]] of paper.slice(0, count).entries()) {
    const pick = criterion ? { pick: criterion, pickFactor: 2, pickKeep: 0.5 } : {};
    const draw = scheme === 'identity' ? {} : { draw: 'batch' as const };
    // Two seeds whose mean is the paper's loss.
    for (const seed of [0, 1]) {
      writeRun(join(at, `r${i}-${seed}`), {
        settings: distilled({ seed, augment: scheme, ...draw, ...pick }),
        loss: [2, loss + (seed === 0 ? 0.01 : -0.01)],
      });
    }
  }
  return at;
}

describe('T. stddev against the loss', () => {
  test("the paper's points give the paper's correlations and p-values", () => {
    const at = paperRuns();
    writeRun(join(at, 'ce'), {});
    writeRun(join(at, 'kd'), { settings: distilled() });
    writeRun(join(at, 'mixed'), { settings: distilled({ augment: 'cutmix', strongLabels: 'mixed' }) });
    const { correlation } = compareRuns([at], { score: writeScore() });
    expect(correlation!.points).toHaveLength(9);
    expect(correlation!.notes).toEqual([]);
    // Pearson 0.9404 (0.02 %), Spearman 0.9333 (0.02 %), Kendall 0.8333 (0.09 %), as printed in the paper.
    for (const [name, value, p] of [
      ['pearson', 0.9404, 0.02],
      ['spearman', 0.9333, 0.02],
      ['kendall', 0.8333, 0.09],
    ] as const) {
      expect(correlation![name]!.value).toBeCloseTo(value, 3);
      expect(Math.abs(100 * correlation![name]!.p - p)).toBeLessThan(0.011);
    }
  });

  test('too few points, another teacher, another draw, an unfinished row', () => {
    const two = compareRuns([paperRuns(2)], { score: writeScore() }).correlation!;
    expect(two.pearson).toBeNull();
    expect(two.notes).toEqual([expect.stringMatching(/at least 3 rows .* here are 2/)]);
    const at = paperRuns(3);
    writeRun(join(at, 'cut'), {
      settings: distilled({ augment: 'cutmix', draw: 'sample' }),
      teacherHash: 'c'.repeat(64),
    });
    writeRun(join(at, 'cutout'), {
      settings: distilled({ augment: 'cutout', draw: 'batch', epochs: 5 }),
      finished: false,
    });
    writeRun(join(at, 'patchmix'), { settings: distilled({ augment: 'patchmix', draw: 'batch' }) });
    const { correlation } = compareRuns([at], { score: writeScore() });
    expect(correlation!.points).toHaveLength(4);
    expect(correlation!.notes).toEqual([
      expect.stringMatching(/teacher is not the one that was scored \(resnet56\)/),
      expect.stringMatching(/one draw a sample, scored with one a batch/),
      expect.stringMatching(/unfinished, left out of the correlation/),
      expect.stringMatching(/its augmentation was not scored/),
    ]);
  });

  test('a file that is not a score is refused, whatever it holds', () => {
    const at = paperRuns(1);
    const file = join(root, 'bad.json');
    const good = JSON.parse(readFileSync(writeScore(), 'utf8')) as Record<string, unknown>;
    for (const content of [
      '',
      '{"a":',
      'null',
      '[]',
      '{}',
      JSON.stringify({ ...good, schemes: [] }),
      JSON.stringify({ ...good, schemes: [{ scheme: 'cutmix' }] }),
      JSON.stringify({ ...good, teacher: null }),
    ]) {
      writeFileSync(file, content);
      expect(() => compareRuns([at], { score: file }), content).toThrow(UserError);
    }
    expect(() => compareRuns([at], { score: join(root, 'none.json') })).toThrow(/no such file/);
  });
});

describe('thrive compare', () => {
  test('table, what differs, and curves', async () => {
    const at = runs({
      a0: { settings: { seed: 0 }, top1: [40, 60] },
      a1: { settings: { seed: 1 }, top1: [42, 62] },
      b: {
        settings: distilled({ augment: 'cutmix', batchSize: 128 }),
        top1: [41, 66.5],
        loss: [2, 1.25],
        seconds: 3700,
      },
      c: { settings: distilled({ epochs: 2 }), top1: [40], finished: false },
    });
    const { code, stdout, stderr } = await thrive(['compare', at]);
    expect(code, stderr).toBe(0);
    const lines = stdout.split('\n');
    expect(lines[0]).toBe('cifar100, student resnet20, teacher resnet56 (top-1 72.41 %), 2 epochs');
    const row = (label: string): string[] => lines.find((line) => line.includes(`  ${label} `))!.split(/ {2,}/);
    expect(row('ce')).toEqual([
      'b',
      'ce',
      '2',
      '2',
      '61.00 ± 1.41',
      '1.0000 ± 0.0000',
      '61.00 ± 1.41',
      '100,000',
      '0',
      '100,000',
      '1:40',
    ]);
    expect(row('kd+cutmix')).toEqual([
      'a',
      'kd+cutmix',
      '1',
      '2',
      '66.50',
      '1.2500',
      '66.50',
      '100,000',
      '200,000',
      '200,000',
      '1:01:40',
    ]);
    expect(stdout).toMatch(/^unfinished {2,}c$/m);
    expect(stdout).toMatch(/^batch size {2,}64 \(b, c\); 128 \(a\)$/m);
    expect(stdout).toContain('Best on test was chosen with hindsight');
    expect(stdout).toMatch(/[\u2801-\u28ff]/);
    expect(stdout).not.toContain('\u001b');
    expect((await thrive(['compare', at, '--no-curves'])).stdout).not.toMatch(/[\u2801-\u28ff]/);
  });

  test('--json, --svg, --markdown', async () => {
    const at = runs({ a: { top1: [40, Number.NaN] }, b: { settings: distilled({ temperature: 2 }) } });
    const svg = join(root, 'curves.svg');
    const { code, stdout, stderr } = await thrive(['compare', at, '--json', '--svg', svg, '--metric', 'loss']);
    expect(code, stderr).toBe(0);
    const parsed = JSON.parse(stdout);
    expect(parsed.rows.map(({ label }: { label: string }) => label)).toEqual(['kd', 'ce']);
    expect(parsed.rows[1].top1).toEqual({ mean: null, std: null, n: 1 });
    const document = parseXml(readFileSync(svg, 'utf8'));
    expect(elements(document, (e) => e.attributes['data-series'] !== undefined)).toHaveLength(2);
    const markdown = await thrive(['compare', at, '--markdown']);
    expect(markdown.stdout.split('\n')[2]).toMatch(/^\| run \| row \| seeds \| epochs \| top-1 % \|/);
    expect(markdown.stdout).not.toMatch(/[\u2801-\u28ff]/);
    expect(markdown.stdout).toContain('Rows differ only in what is compared.');
  });

  test('a folder of several datasets: a group each, sorted, tested against a baseline', async () => {
    const list: Record<string, FakeRun> = {};
    for (const [i, data] of (['cifar100', 'synthetic'] as const).entries()) {
      for (const seed of [1, 2, 3]) {
        const own = { data, seed };
        list[`ce${i}${seed}`] = { settings: own, top1: [10, 50 + seed] };
        list[`kd${i}${seed}`] = { settings: distilled(own), top1: [10, 55 + 2 * seed] };
        list[`pick${i}${seed}`] = {
          settings: distilled({ ...own, augment: 'cutmix', pick: 'kl' }),
          top1: [10, 40 + seed],
        };
      }
    }
    const at = runs(list);
    const { groups } = compareProject([at], { sort: 'top1', baseline: 'ce' });
    expect(groups.map(({ data, student }) => [data, student])).toEqual([
      ['cifar100', 'resnet20'],
      ['synthetic', 'resnet20'],
    ]);
    const { rows } = groups[0]!.comparison;
    expect(rows.map(({ label }) => label)).toEqual(['kd', 'ce', 'kd+cutmix pick kl']);
    // 57, 59, 61 against 51, 52, 53: t = 7 / sqrt(4/3 + 1/3), by hand.
    expect(rows[0]!.against).toMatchObject({ baseline: 'ce', difference: 7 });
    expect(rows[0]!.against!.test!.t).toBeCloseTo(7 / Math.sqrt(5 / 3), 12);
    expect(rows[1]!.against).toBeUndefined();
    expect(() => compareProject([at], { baseline: 'kdd' })).toThrow(/did you mean 'kd'/);
    expect(() => compareProject([at], { sort: 'top' as 'top1' })).toThrow(/did you mean 'top1'/);

    const csv = await thrive(['compare', at, '--csv']);
    const lines = csv.stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(7);
    expect(lines[0]).toMatch(/^data,student,run,seeds,n,/);
    expect(lines[1]).toMatch(/^cifar100,resnet20,kd,1 2 3,3,true,2,2,59,2,/);
    const json = JSON.parse((await thrive(['compare', at, '--json'])).stdout);
    expect(json.rows).toHaveLength(6);
    expect(json.groups).toHaveLength(2);
  });

  test('every line is within the width, and no word is broken', () => {
    const at = runs({
      ...Object.fromEntries(
        [1, 2, 3, 4, 5, 6, 7, 8].map((i): [string, FakeRun] => [
          `r${i}`,
          {
            settings: distilled({
              lr: i / 100,
              batchSize: 32 * i,
              method: 'crd+kd',
              methodOption: { crd: { negatives: 1024 * i } },
              augment: 'cutmix',
              pick: 'teacher-entropy',
            }),
          },
        ]),
      ),
      ce: {},
    });
    const { groups } = compareProject([at], { sort: 'top1' });
    for (const width of [60, 80, 140]) {
      const text = describeComparison(groups, { style: 'terminal', width });
      expect(Math.max(...text.split('\n').map((line) => [...line].length))).toBeLessThanOrEqual(width);
      expect(text).not.toMatch(/[{}"]/);
      expect(text).not.toContain('…');
    }
  });

  test('--score and --scatter', async () => {
    const at = paperRuns();
    const file = join(root, 'scatter.svg');
    const { code, stdout, stderr } = await thrive(['compare', at, '--score', writeScore(), '--scatter', file]);
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(
      /Pearson 0\.940\d \(p 0\.02 %\), Spearman 0\.9333 \(p 0\.02 %\), Kendall 0\.8333 \(p 0\.09 %\) over 9 points/,
    );
    const document = parseXml(readFileSync(file, 'utf8'));
    expect(elements(document, (e) => e.attributes['data-point'] !== undefined)).toHaveLength(9);
  });

  test('errors are for the person, and exit with 2', async () => {
    const at = runs({ a: {} });
    for (const [args, message] of [
      [['compare'], /missing required argument/],
      [['compare', join(root, 'nowhere')], /cannot read .*nowhere: there is no such file or folder/],
      [['compare', at, '--vary', 'epoch'], /did you mean 'epochs'/],
      [['compare', at, '--scatter', join(root, 'x.svg')], /--scatter draws T. stddev, and there is none/],
      [['compare', at, '--svg', root], /is a folder/],
      [['compare', at, '--svg', `${writeScore()}/x.svg`], /x\.svg: a part of the path is not a folder/],
    ] as const) {
      const { code, stdout, stderr } = await thrive(args);
      expect(code).toBe(2);
      expect(stderr).toMatch(message);
      expect(stderr).not.toMatch(/\n {4}at /);
      expect(stdout).toBe('');
    }
  });
});
