/** @file Comparing runs: rows over seeds, what is unfair, curves, T. stddev against the loss, bad input. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { UserError } from '../src/base/errors.ts';
import { compareRuns } from '../src/experiment/index.ts';
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

const seeds = (settings: FakeRun['settings'], top1: readonly number[], more: FakeRun = {}): Record<string, FakeRun> =>
  Object.fromEntries(
    top1.map((value, seed): [string, FakeRun] => [
      `${JSON.stringify(settings).replace(/\W+/g, '-').slice(0, 60)}-${seed}`,
      { settings: { ...settings, seed }, top1: [30, value], ...more },
    ]),
  );

describe('rows', () => {
  test('seeds of one experiment are averaged; figures by hand', () => {
    const at = runs({
      ...seeds({}, [60, 62, 67]),
      ...seeds(distilled({ strong: { scheme: 'cutmix' } }), [70]),
    });
    const { rows, notes } = compareRuns([at]);
    expect(notes).toEqual([]);
    expect(rows.map(({ label }) => label).sort()).toEqual(['CE', 'KD + cutmix']);
    const ce = rows.find(({ label }) => label === 'CE')!;
    // Mean 63; deviations -3, -1, 4: (9 + 1 + 16) / 2 = 13.
    expect(ce).toMatchObject({ seeds: [0, 1, 2], finished: true, top1: { mean: 63, std: Math.sqrt(13), n: 3 } });
    expect(ce).toMatchObject({ imagesSeen: 100_000, teacherForwards: 0, studentForwards: 100_000, seconds: 100 });
    expect(ce.best).toMatchObject({ mean: 63, chosenOn: 'test' });
    const kd = rows.find(({ label }) => label === 'KD + cutmix')!;
    expect(kd).toMatchObject({ top1: { mean: 70, std: null, n: 1 }, teacherForwards: 200_000, flags: [] });
  });

  test('the headline is the last epoch, not the best', () => {
    const [row] = compareRuns([writeRun(folder(), { top1: [40, 70, 61], loss: [3, 1, 1.5] })]).rows;
    expect(row).toMatchObject({ top1: { mean: 61 }, loss: { mean: 1.5 }, best: { mean: 70, chosenOn: 'test' } });
  });

  test('curves: mean and deviation an epoch, gaps where nothing was measured', () => {
    const at = runs({
      a: { settings: { seed: 0 }, top1: [10, null, 30] },
      b: { settings: { seed: 1 }, top1: [20, 25, 40] },
    });
    expect(compareRuns([at]).curves).toEqual({
      metric: 'top1',
      title: 'test top-1 (%)',
      rows: [
        [
          { epoch: 1, mean: 15, std: Math.sqrt(50), n: 2 },
          { epoch: 2, mean: 25, std: null, n: 1 },
          { epoch: 3, mean: 35, std: Math.sqrt(50), n: 2 },
        ],
      ],
    });
    expect(compareRuns([at], { metric: 'train-ce' }).curves.rows[0]!.map(({ mean }) => mean)).toEqual([3, 1.5, 1]);
    expect(() => compareRuns([at], { metric: 'train-los' })).toThrow(/did you mean 'train-loss'/);
  });

  test('unfinished runs: shown with the epoch they reached, and never averaged with finished ones', () => {
    const strong = distilled({ strong: { scheme: 'cutmix' }, epochs: 4 });
    const at = runs({
      a: { settings: { epochs: 4, seed: 0 }, top1: [10, 20, 30, 40] },
      b: { settings: { epochs: 4, seed: 1 }, top1: [10, 99], finished: false },
      c: { settings: { ...strong, seed: 0 }, top1: [15, 25, 35], finished: false, seconds: 30 },
      d: { settings: { ...strong, seed: 1 }, top1: [17, 29], finished: false, seconds: 20 },
      e: { settings: distilled({ epochs: 4 }), top1: [], finished: false },
    });
    const { rows, notes } = compareRuns([at]);
    expect(notes).toEqual([expect.stringMatching(/b is unfinished \(2 of 4 epochs\): not counted/)]);
    expect(rows[0]).toMatchObject({ label: 'CE', finished: true, seeds: [0], top1: { mean: 40, n: 1 } });
    expect(rows[0]!.runs.map(({ counted }) => counted)).toEqual([true, false]);
    // At epoch 2, the last that both have.
    expect(rows[1]).toMatchObject({
      label: 'KD + cutmix',
      finished: false,
      epoch: 2,
      epochs: 4,
      top1: { mean: 27, n: 2 },
    });
    expect(rows[1]!.flags[0]!.text).toBe('unfinished: after 2 of 4 epochs');
    // 3 and 2 epochs of 50,000; x and x' through the teacher.
    expect(rows[1]).toMatchObject({ imagesSeen: 125_000, teacherForwards: 250_000, seconds: 25 });
    expect(rows[2]).toMatchObject({
      label: 'KD',
      epoch: 0,
      best: null,
      flags: [{ text: 'unfinished: nothing measured yet' }],
    });
    expect(rows[2]!.top1.mean).toBeNaN();
  });

  test('the same folder twice, a link to it, and a seed twice each count once', () => {
    const at = runs({ a: { settings: { seed: 3 }, top1: [1, 60] } });
    cpSync(join(at, 'a'), join(at, 'copy'), { recursive: true });
    symlinkSync(join(at, 'a'), join(at, 'link'));
    const { rows, notes } = compareRuns([join(at, 'a'), join(at, 'a'), join(at, 'link'), join(at, 'copy')]);
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({ seeds: [3], top1: { mean: 60, n: 1 } });
    expect(notes).toHaveLength(3);
    expect(notes[2]).toMatch(/copy repeats seed 3 of .*a: not counted/);
  });
});

describe('labels', () => {
  test('say what a student learns from, and what else differs', () => {
    const strong = (more: object) => distilled({ strong: { scheme: 'cutmix', ...more } });
    const at = runs({
      a: {},
      b: { settings: distilled() },
      c: { settings: strong({}) },
      d: { settings: strong({ pick: { criterion: 'kl' } }) },
      e: { settings: strong({ labels: 'mixed' }) },
      f: { settings: distilled({ methods: ['crd'] }) },
      g: { settings: distilled({ methods: ['crd', 'kd'] }) },
    });
    expect(compareRuns([at]).rows.map(({ label }) => label)).toEqual([
      'CE',
      'KD',
      'KD + cutmix',
      'KD + cutmix + pick kl',
      'KD + cutmix (mixed labels)',
      'crd',
      'KD + crd',
    ]);
    const more = runs({ a: { settings: { epochs: 3 }, top1: [1, 2, 3] }, b: { settings: { model: 'resnet8' } } });
    expect(compareRuns([more]).rows.map(({ label }) => label)).toEqual([
      'CE, resnet20, 3 epochs',
      'CE, resnet8, 2 epochs',
    ]);
  });

  test('differ between rows, whatever differs', () => {
    const settings = fc.record(
      {
        lr: fc.constantFrom(0.05, 0.1),
        epochs: fc.constantFrom(2, 3),
        batchSize: fc.constantFrom(64, 128),
        nesterov: fc.boolean(),
        precision: fc.constantFrom('fp32' as const, 'bf16' as const),
        strong: fc.constantFrom(
          { scheme: 'cutmix' },
          { scheme: 'cutmix', draw: 'batch' as const },
          { scheme: 'mixup' },
        ),
        schedule: fc.constantFrom({ kind: 'constant' as const }, { kind: 'cosine' as const }),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.array(settings, { minLength: 2, maxLength: 5 }), (list) => {
        const at = runs(Object.fromEntries(list.map((own, i) => [`r${i}`, { settings: distilled(own) }])));
        const labels = compareRuns([at]).rows.map(({ label }) => label);
        expect(new Set(labels).size).toBe(labels.length);
      }),
      { numRuns: 15 },
    );
  });
});

describe('fairness', () => {
  const unfair = (list: Readonly<Record<string, FakeRun>>, vary?: string[]): string[] =>
    compareRuns([runs(list)], { vary })
      .differences.filter(({ kind }) => kind === 'unfair')
      .map(({ setting }) => setting);

  test('objectives alone are a fair comparison', () => {
    expect(
      unfair({ a: {}, b: { settings: distilled() }, c: { settings: distilled({ strong: { scheme: 'cutmix' } }) } }),
    ).toEqual([]);
  });

  const base = distilled();
  test.each<[string, string[], FakeRun]>([
    [
      'epochs; milestones in proportion are the same rule',
      ['epochs'],
      { settings: { ...base, epochs: 4 }, top1: [1, 2, 3, 4] },
    ],
    ['the data set', ['data'], { settings: { ...base, data: 'cifar10' } }],
    ['fewer training pictures', ['limitTrain'], { settings: { ...base, limitTrain: 1000 } }],
    ['fewer test pictures', ['limitTest'], { settings: { ...base, limitTest: 1000 } }],
    ['batch size', ['batchSize'], { settings: { ...base, batchSize: 128 } }],
    ['learning rate', ['lr'], { settings: { ...base, lr: 0.1 } }],
    ['schedule', ['schedule'], { settings: { ...base, schedule: { kind: 'cosine' } } }],
    ['precision', ['precision'], { settings: { ...base, precision: 'bf16' } }],
    ['base augmentation', ['standard'], { settings: { ...base, standard: 'flip' } }],
    ["the teacher's weights", ['teacher.sha256'], { settings: base, teacherHash: 'b'.repeat(64) }],
    ['a held-out split', ['holdout'], { settings: { ...base, holdout: 0.1 } }],
    ['the student', ['model'], { settings: { ...base, model: 'resnet8' } }],
    ['libtorch', ['libtorch'], { settings: base, versions: { libtorch: '2.5.1' } }],
    ['the version', ['thrive'], { settings: base, versions: { thrive: '0.2.0' } }],
    [
      'temperature beside other terms',
      ['kd.temperature'],
      { settings: { ...base, kd: { temperature: 2 }, methods: ['at', 'kd'] } },
    ],
  ])('flagged: %s', (_, expected, odd) => {
    const strong = { settings: { ...base, strong: { scheme: 'cutmix' } } };
    const two = { a: { settings: base }, b: strong };
    const settings = { ...(odd.settings ?? {}), strong: { scheme: 'mixup' } };
    expect(unfair({ ...two, odd: { ...odd, settings } })).toEqual(expected);
    // The odd one is flagged, the two that agree are not.
    const { rows } = compareRuns([runs({ ...two, odd: { ...odd, settings } })]);
    expect(rows.map(({ flags }) => flags.map(({ setting }) => setting))).toEqual([[], [], expected]);
    // Named as what is compared, it is none; then the objective is.
    expect(unfair({ ...two, odd: { ...odd, settings } }, ['objective', ...expected])).toEqual([]);
    expect(unfair({ ...two, odd: { ...odd, settings } }, expected)).toContain('objective');
  });

  test('between two rows there is no odd one: both are flagged, with both values', () => {
    const { rows } = compareRuns([runs({ a: {}, b: { settings: { epochs: 4 }, top1: [1, 2, 3, 4] } })]);
    expect(rows.map(({ flags }) => flags.map(({ text }) => text))).toEqual([
      ['differs in: epochs (2, 4)'],
      ['differs in: epochs (2, 4)'],
    ]);
  });

  test('where all learn from the same terms, their numbers are what is compared', () => {
    const { rows, differences } = compareRuns([
      runs({ a: { settings: base }, b: { settings: { ...base, kd: { temperature: 2 } } } }),
    ]);
    expect(rows.map(({ label, flags }) => [label, flags])).toEqual([
      ['KD, T 4', []],
      ['KD, T 2', []],
    ]);
    expect(differences.map(({ setting, kind }) => [setting, kind])).toEqual([['kd.temperature', 'compared']]);
  });

  test("a recipe's own weights are its matter, not a difference", () => {
    expect(unfair({ a: { settings: base }, b: { settings: distilled({ methods: ['crd'] }) } })).toEqual([]);
  });

  test('compute and machine are reported, and are no unfairness', () => {
    const { rows, differences } = compareRuns([
      runs({
        a: {},
        b: { settings: base, versions: { threads: '8' } },
        c: { settings: { ...base, evaluateEvery: 2, strong: { scheme: 'flip' } } },
      }),
    ]);
    expect(rows.every(({ flags }) => flags.length === 0)).toBe(true);
    expect(Object.fromEntries(differences.map(({ setting, kind }) => [setting, kind]))).toEqual({
      objective: 'compared',
      threads: 'machine',
      evaluateEvery: 'hindsight',
      teacherForwards: 'compute',
      studentForwards: 'compute',
    });
  });

  test('a setting of a later version is compared like any other', () => {
    const at = runs({ a: {}, b: { settings: base } });
    const file = join(at, 'b', 'config.json');
    const record = JSON.parse(readFileSync(file, 'utf8'));
    record.fingerprint.fields.labelSmoothing = 0.1;
    writeFileSync(file, JSON.stringify(record));
    const { rows } = compareRuns([at]);
    expect(rows.map(({ label }) => label)).toEqual(['CE, labelSmoothing none', 'KD, labelSmoothing 0.1']);
    expect(rows[1]!.flags).toEqual([{ setting: 'labelSmoothing', text: 'differs in: labelSmoothing (none, 0.1)' }]);
  });

  test('a misspelt name of what is compared', () => {
    expect(() => compareRuns([runs({ a: {} })], { vary: ['epoch'] })).toThrow(
      /unknown setting 'epoch'; did you mean 'epochs'/,
    );
  });
});

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
    const pick = criterion ? { criterion: criterion as 'kl', ...pool } : undefined;
    // Two seeds whose mean is the paper's loss.
    for (const seed of [0, 1]) {
      writeRun(join(at, `r${i}-${seed}`), {
        settings: distilled({ seed, strong: { scheme, draw: 'batch', ...(pick ? { pick } : {}) } }),
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
    writeRun(join(at, 'mixed'), { settings: distilled({ strong: { scheme: 'cutmix', labels: 'mixed' } }) });
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
      settings: distilled({ strong: { scheme: 'cutmix', draw: 'sample' } }),
      teacherHash: 'c'.repeat(64),
    });
    writeRun(join(at, 'cutout'), {
      settings: distilled({ strong: { scheme: 'cutout', draw: 'batch' }, epochs: 5 }),
      finished: false,
    });
    writeRun(join(at, 'patchmix'), { settings: distilled({ strong: { scheme: 'patchmix', draw: 'batch' } }) });
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

describe('bad input', () => {
  test('what is no run', () => {
    const empty = folder();
    mkdirSync(empty);
    writeFileSync(join(empty, 'file'), 'x');
    expect(() => compareRuns([])).toThrow(/no run is named/);
    expect(() => compareRuns([empty])).toThrow(/is no run and holds none/);
    expect(() => compareRuns([join(empty, 'file')])).toThrow(/is not a folder/);
    expect(() => compareRuns([join(empty, 'nowhere')])).toThrow(/no such file or folder/);
  });

  test('a damaged run that was named is an error; one that was found among others is left out', () => {
    const at = runs({ a: {}, b: { settings: distilled() } });
    writeFileSync(join(at, 'b', 'summary.json'), '{"top1": 3');
    expect(() => compareRuns([join(at, 'b')])).toThrow(/summary.json is damaged/);
    const { rows, notes } = compareRuns([at]);
    expect(rows.map(({ label }) => label)).toEqual(['CE']);
    expect(notes).toEqual([expect.stringMatching(/left out: .*summary.json is damaged/)]);
  });

  test('a summary that contradicts the metrics is said', () => {
    const at = runs({ a: {} });
    const file = join(at, 'a', 'summary.json');
    writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), top1: 99 }));
    expect(compareRuns([at]).notes).toEqual([expect.stringMatching(/do not agree/)]);
  });

  test('NaN is kept as NaN, in rows and curves', () => {
    const { rows, curves } = compareRuns([writeRun(folder(), { top1: [10, Number.NaN], loss: [1, Number.NaN] })]);
    expect(rows[0]!.top1.mean).toBeNaN();
    expect(curves.rows[0]!.map(({ mean }) => mean)).toEqual([10, Number.NaN]);
  });

  test('whatever happens to its files: a comparison, or an error that names the file', () => {
    const good = runs({
      a: { settings: distilled({ strong: { scheme: 'cutmix', pick: { criterion: 'kl' } } }), top1: [1, 2, 3] },
    });
    const open = runs({
      a: {
        settings: distilled({ epochs: 5, strong: { scheme: 'cutmix', pick: { criterion: 'kl' } } }),
        finished: false,
      },
    });
    const value = fc.constantFrom<unknown>(null, -1, Number.MAX_VALUE, 'x', [], {}, true, 0.5, [null], { a: null });
    const paths = (json: unknown, path: string[] = []): string[][] =>
      typeof json === 'object' && json !== null
        ? Object.entries(json).flatMap(([key, item]) => [[...path, key], ...paths(item, [...path, key])])
        : [];
    const files = ['config.json', 'metrics.jsonl', 'summary.json'];
    fc.assert(
      fc.property(
        fc.constantFrom(good, open),
        fc.constantFrom(...files),
        fc.nat(),
        value,
        fc.boolean(),
        (from, file, at, put, cut) => {
          const copy = join(root, 'mutant');
          rmSync(copy, { recursive: true, force: true });
          cpSync(join(from, 'a'), copy, { recursive: true });
          const path = join(copy, file);
          let text: string;
          try {
            text = readFileSync(path, 'utf8');
          } catch {
            return; // an unfinished run has no summary
          }
          if (cut) writeFileSync(path, text.slice(0, at % text.length));
          else {
            const lines = file === 'metrics.jsonl' ? text.trimEnd().split('\n') : [text];
            const json = JSON.parse(lines[at % lines.length]!) as Record<string, unknown>;
            const places = paths(json);
            const place = places[at % places.length]!;
            let holder: Record<string, unknown> = json;
            for (const key of place.slice(0, -1)) holder = holder[key] as Record<string, unknown>;
            holder[place.at(-1)!] = put;
            lines[at % lines.length] = JSON.stringify(json);
            writeFileSync(path, lines.join('\n'));
          }
          try {
            expect(compareRuns([copy, join(good, 'a')]).rows.length).toBeGreaterThanOrEqual(1);
          } catch (error) {
            expect(error, (error as Error).stack).toBeInstanceOf(UserError);
            expect((error as Error).message).toContain(file === 'config.json' ? 'mutant' : file);
          }
        },
      ),
      { numRuns: 150 },
    );
  });
});

describe('thrive compare', () => {
  test('table, footnotes and curves', async () => {
    const at = runs({
      a0: { settings: { seed: 0 }, top1: [40, 60] },
      a1: { settings: { seed: 1 }, top1: [42, 62] },
      b: {
        settings: distilled({ strong: { scheme: 'cutmix' }, batchSize: 128 }),
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
    const row = (label: string): string[] => lines.find((line) => line.startsWith(label))!.split(/ {2,}/);
    expect(row('CE, batch size 64')).toEqual([
      'CE, batch size 64',
      '2',
      '2',
      '61.00 ± 1.41',
      '61.00 ± 1.41',
      '1.0000 ± 0.0000',
      '100,000',
      '0',
      '100,000',
      '1:40',
    ]);
    expect(row('KD + cutmix')).toEqual([
      'KD + cutmix, batch size 128',
      '1',
      '2',
      '66.50',
      '66.50',
      '1.2500',
      'b',
      '100,000',
      '200,000',
      '200,000',
      '1:01:40',
    ]);
    expect(stdout).toContain('a: unfinished: KD, batch size 64 after 1 of 2 epochs');
    expect(stdout).toContain('b: differs in batch size: 128 in KD + cutmix, batch size 128 / 64 in the others');
    expect(stdout).toContain('Best on test was chosen with hindsight');
    expect(stdout).toMatch(/[\u2801-\u28ff]/);
    expect(stdout).not.toContain('\u001b');
    expect((await thrive(['compare', at, '--no-curves'])).stdout).not.toMatch(/[\u2801-\u28ff]/);
  });

  test('--json, --svg, --markdown', async () => {
    const at = runs({ a: { top1: [40, Number.NaN] }, b: { settings: distilled({ kd: { temperature: 2 } }) } });
    const svg = join(root, 'curves.svg');
    const { code, stdout, stderr } = await thrive(['compare', at, '--json', '--svg', svg, '--metric', 'loss']);
    expect(code, stderr).toBe(0);
    const parsed = JSON.parse(stdout);
    expect(parsed.rows.map(({ label }: { label: string }) => label)).toEqual(['CE', 'KD']);
    expect(parsed.rows[0].top1).toEqual({ mean: null, std: null, n: 1 });
    const document = parseXml(readFileSync(svg, 'utf8'));
    expect(elements(document, (e) => e.attributes['data-series'] !== undefined)).toHaveLength(2);
    const markdown = await thrive(['compare', at, '--markdown']);
    expect(markdown.stdout.split('\n')[2]).toMatch(/^\| run \| seeds \| epochs \| top-1 % \|/);
    expect(markdown.stdout).not.toMatch(/[\u2801-\u28ff]/);
    expect(markdown.stdout).toContain('Rows differ only in what is compared: objective.');
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
    ] as const) {
      const { code, stdout, stderr } = await thrive(args);
      expect(code).toBe(2);
      expect(stderr).toMatch(message);
      expect(stderr).not.toMatch(/\n {4}at /);
      expect(stdout).toBe('');
    }
  });
});
