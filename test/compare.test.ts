/** @file Comparing runs: rows over seeds, what is unfair, curves, bad input. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { UserError } from '../src/base/errors.ts';
import { compareRuns } from '../src/compare/index.ts';
import { distilled, type FakeRun, writeRun, writeRuns } from './run-folders.ts';

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
      ...seeds(distilled({ augment: 'cutmix' }), [70]),
    });
    const { rows, notes } = compareRuns([at]);
    expect(notes).toEqual([]);
    expect(rows.map(({ label }) => label).sort()).toEqual(['ce', 'kd+cutmix']);
    const ce = rows.find(({ label }) => label === 'ce')!;
    // Mean 63; deviations -3, -1, 4: (9 + 1 + 16) / 2 = 13.
    expect(ce).toMatchObject({ seeds: [0, 1, 2], finished: true, top1: { mean: 63, std: Math.sqrt(13), n: 3 } });
    expect(ce).toMatchObject({ imagesSeen: 100_000, teacherForwards: 0, studentForwards: 100_000, seconds: 100 });
    expect(ce.best).toMatchObject({ mean: 63, chosenOn: 'test' });
    const kd = rows.find(({ label }) => label === 'kd+cutmix')!;
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
    // A name that every object has.
    expect(() => compareRuns([at], { metric: 'constructor' })).toThrow(/unknown metric 'constructor'/);
  });

  test('unfinished runs: shown with the epoch they reached, and never averaged with finished ones', () => {
    const strong = distilled({ augment: 'cutmix', epochs: 4 });
    const at = runs({
      a: { settings: { epochs: 4, seed: 0 }, top1: [10, 20, 30, 40] },
      b: { settings: { epochs: 4, seed: 1 }, top1: [10, 99], finished: false },
      c: { settings: { ...strong, seed: 0 }, top1: [15, 25, 35], finished: false, seconds: 30 },
      d: { settings: { ...strong, seed: 1 }, top1: [17, 29], finished: false, seconds: 20 },
      e: { settings: distilled({ epochs: 4 }), top1: [], finished: false },
    });
    const { rows, notes } = compareRuns([at]);
    expect(notes).toEqual([expect.stringMatching(/b is unfinished \(2 of 4 epochs\): not counted/)]);
    expect(rows[0]).toMatchObject({ label: 'ce', finished: true, seeds: [0], top1: { mean: 40, n: 1 } });
    expect(rows[0]!.runs.map(({ counted }) => counted)).toEqual([true, false]);
    // At epoch 2, the last that both have.
    expect(rows[1]).toMatchObject({
      label: 'kd+cutmix',
      finished: false,
      epoch: 2,
      epochs: 4,
      top1: { mean: 27, n: 2 },
    });
    expect(rows[1]!.flags[0]!.text).toBe('unfinished: after 2 of 4 epochs');
    // 3 and 2 epochs of 50,000; x and x' through the teacher.
    expect(rows[1]).toMatchObject({ imagesSeen: 125_000, teacherForwards: 250_000, seconds: 25 });
    expect(rows[2]).toMatchObject({
      label: 'kd',
      epoch: 0,
      best: null,
      flags: [{ text: 'unfinished: nothing measured yet' }],
    });
    expect(rows[2]!.top1.mean).toBeNaN();
  });

  test('that is unfinished cost what it wrote down; without that, what its settings tell, if they do', () => {
    const forwards = { train: { teacher: 100_000, student: 50_000 }, init: null };
    const at = runs({
      a: { settings: distilled({ epochs: 4, method: ['crd'] }), finished: false, forwards },
      b: { settings: distilled({ epochs: 4, method: ['at'] }), finished: false },
      c: {
        settings: distilled({ epochs: 4, augment: 'cutmix', pick: 'kl' }),
        finished: false,
      },
    });
    const { rows } = compareRuns([at]);
    expect(rows.map(({ teacherForwards, studentForwards }) => [teacherForwards, studentForwards])).toEqual([
      [200_000, 100_000],
      [Number.NaN, Number.NaN],
      [300_000, 400_000],
    ]);
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
    const strong = (more: object) => distilled({ augment: 'cutmix', ...more });
    const at = runs({
      a: {},
      b: { settings: distilled() },
      c: { settings: strong({}) },
      d: { settings: strong({ pick: 'kl' }) },
      e: { settings: strong({ strongLabels: 'mixed' }) },
      f: { settings: distilled({ method: ['crd'] }) },
      g: { settings: distilled({ method: ['crd', 'kd'] }) },
    });
    expect(compareRuns([at]).rows.map(({ label }) => label)).toEqual([
      'ce',
      'kd',
      'kd+cutmix',
      'kd+cutmix pick kl',
      'kd+cutmix mixed labels',
      'crd',
      'crd+kd',
    ]);
    const more = runs({ a: { settings: { epochs: 3 }, top1: [1, 2, 3] }, b: { settings: { model: 'resnet8' } } });
    expect(compareRuns([more]).rows.map(({ label }) => label)).toEqual(['ce resnet20', 'ce resnet8']);
  });

  test('differ between rows, whatever differs', () => {
    const settings = fc.record(
      {
        lr: fc.constantFrom(0.05, 0.1),
        epochs: fc.constantFrom(2, 3),
        batchSize: fc.constantFrom(64, 128),
        nesterov: fc.boolean(),
        precision: fc.constantFrom('fp32' as const, 'bf16' as const),
        augment: fc.constantFrom('cutmix', 'mixup'),
        passes: fc.constantFrom('separate' as const, 'joint' as const),
        schedule: fc.constantFrom('constant' as const, 'cosine' as const),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.array(settings, { minLength: 2, maxLength: 5 }), (list) => {
        const made = list.map(({ passes, ...own }) => distilled(own.augment && passes ? { ...own, passes } : own));
        const at = runs(Object.fromEntries(made.map((own, i) => [`r${i}`, { settings: own }])));
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
    expect(unfair({ a: {}, b: { settings: distilled() }, c: { settings: distilled({ augment: 'cutmix' }) } })).toEqual(
      [],
    );
  });

  const base = distilled();
  test.each<[string, string[], FakeRun]>([
    [
      'epochs; milestones in proportion are the same rule',
      ['epochs'],
      { settings: { ...base, epochs: 4 }, top1: [1, 2, 3, 4] },
    ],
    ['the dataset', ['data'], { settings: { ...base, data: 'cifar10' } }],
    ['fewer training images', ['limitTrain'], { settings: { ...base, limitTrain: 1000 } }],
    ['fewer test images', ['limitTest'], { settings: { ...base, limitTest: 1000 } }],
    ['batch size', ['batchSize'], { settings: { ...base, batchSize: 128 } }],
    ['learning rate', ['lr'], { settings: { ...base, lr: 0.1 } }],
    ['schedule', ['schedule'], { settings: { ...base, schedule: 'cosine' } }],
    ['precision', ['precision'], { settings: { ...base, precision: 'bf16' } }],
    ['base augmentation', ['baseAugment'], { settings: { ...base, baseAugment: 'flip' } }],
    ["the teacher's weights", ['teacher.sha256'], { settings: base, teacherHash: 'b'.repeat(64) }],
    ['a held-out split', ['holdout'], { settings: { ...base, holdout: 0.1 } }],
    ['the student', ['model'], { settings: { ...base, student: 'resnet8' } }],
    ['libtorch', ['libtorch'], { settings: base, versions: { libtorch: '2.5.1' } }],
    ['the version', ['thrive'], { settings: base, versions: { thrive: '0.2.0' } }],
    [
      'temperature beside other terms',
      ['temperature'],
      { settings: { ...base, temperature: 2, method: ['at', 'kd'] } },
    ],
  ])('flagged: %s', (_, expected, odd) => {
    const strong = { settings: { ...base, augment: 'cutmix' } };
    const two = { a: { settings: base }, b: strong };
    const settings = { ...(odd.settings ?? {}), augment: 'mixup' };
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
      runs({ a: { settings: base }, b: { settings: { ...base, temperature: 2 } } }),
    ]);
    expect(rows.map(({ label, flags }) => [label, flags])).toEqual([
      ['kd T 4', []],
      ['kd T 2', []],
    ]);
    expect(differences.map(({ setting, kind }) => [setting, kind])).toEqual([['temperature', 'compared']]);
  });

  test("a recipe's own weights are its matter, not a difference", () => {
    expect(unfair({ a: { settings: base }, b: { settings: distilled({ method: ['crd'] }) } })).toEqual([]);
  });

  test('compute and machine are reported, and are no unfairness', () => {
    const { rows, differences } = compareRuns([
      runs({
        a: {},
        b: { settings: base, versions: { threads: '8' } },
        c: { settings: { ...base, evaluateEvery: 2, augment: 'flip' } },
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
    expect(rows.map(({ label }) => label)).toEqual(['ce', 'kd']);
    expect(rows[1]!.flags).toEqual([{ setting: 'labelSmoothing', text: 'differs in: labelSmoothing (none, 0.1)' }]);
  });

  test('a misspelt name of what is compared', () => {
    expect(() => compareRuns([runs({ a: {} })], { vary: ['epoch'] })).toThrow(
      /unknown setting 'epoch'; did you mean 'epochs'/,
    );
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
    expect(rows.map(({ label }) => label)).toEqual(['ce']);
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
      a: { settings: distilled({ augment: 'cutmix', pick: 'kl' }), top1: [1, 2, 3] },
    });
    const open = runs({
      a: {
        settings: distilled({ epochs: 5, augment: 'cutmix', pick: 'kl' }),
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
