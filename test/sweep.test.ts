/** @file Sweeps: what is crossed, and one run from plan to comparison, stopped and gone on with. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { costOf, planSweep } from '../src/run/sweep.ts';
import { thrive } from './cli.ts';

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'thrive-sweep-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('the plan', () => {
  test('crosses seeds, methods and augmentations; the student alone once a seed', () => {
    const runs = planSweep({
      seeds: [1, 2],
      methods: ['ce', 'kd', 'crd+kd'],
      augmentations: ['none', 'cutmix+pick:kl'],
    });
    expect(runs.map(({ name }) => name)).toEqual(
      [1, 2].flatMap((seed) =>
        ['ce', 'kd', 'kd+cutmix-pick-kl', 'crd+kd', 'crd+kd+cutmix-pick-kl'].map((name) => `${name}-s${seed}`),
      ),
    );
    expect(runs[4]).toMatchObject({
      task: 'distill',
      flags: ['--method', 'crd+kd', '--augment', 'cutmix', '--pick', 'kl', '--seed', '1'],
    });
  });

  test('its cost, by hand: 100 images, 3 epochs, batches of 64', () => {
    const runs = planSweep({ seeds: [1], methods: ['ce', 'kd'], augmentations: ['none', 'cutmix'] });
    // ce, kd, kd+cutmix: 300 images each in 6 steps; teacher 0 + 1 + 2 passes, student 1 + 1 + 2.
    expect(costOf(runs, 100, 3, 64)).toEqual({ runs: 3, steps: 18, images: 900, teacher: 900, student: 1200 });
  });

  test('what is unknown or given twice is named', () => {
    const axes = { seeds: [1], methods: ['kd'], augmentations: ['none'] };
    expect(() => planSweep({ ...axes, methods: ['crdd'] })).toThrow(/did you mean 'crd'/);
    expect(() => planSweep({ ...axes, augmentations: ['cutmx'] })).toThrow(/did you mean 'cutmix'/);
    expect(() => planSweep({ ...axes, augmentations: ['cutmix+pick:k'] })).toThrow(/criterion/);
    expect(() => planSweep({ ...axes, seeds: [1, 1] })).toThrow(/--seeds names 1 twice/);
  });
});

test('planned, run with a failure apart, gone on with, compared', async () => {
  const teacher = join(root, 'teacher');
  const small = ['--data', 'synthetic', '--epochs', '1', '--limit-train', '64'];
  const trained = await thrive(['train', ...small, '--limit-test', '50', '--model', 'resnet8', '--out', teacher]);
  expect(trained.code, trained.stderr).toBe(0);
  const out = join(root, 'sweep');
  const args = ['sweep', ...small, '--limit-test', '50', '--student', 'resnet8', '--teacher', teacher];
  args.push('--method', 'ce,kd', '--augment', 'none,cutmix', '--seeds', '1', '--out', out);

  const dry = await thrive([...args, '--dry-run']);
  expect(dry.code, dry.stderr).toBe(0);
  expect(dry.stderr).toMatch(
    /3 of 3 runs to do: 3 steps, 192 images, 192 teacher and 256 student forwards; about 0:\d\d/,
  );
  expect(existsSync(out)).toBe(false);

  // A folder that is in the way of one run: it fails, the others do not.
  mkdirSync(join(out, 'kd-s1'), { recursive: true });
  writeFileSync(join(out, 'kd-s1', 'metrics.jsonl'), '');
  const failed = await thrive(args);
  expect(failed.code).toBe(1);
  expect(failed.stderr).toMatch(/kd-s1: failed: error: .*holds what is left of a run/);
  expect(failed.stdout).toMatch(/ kd\+cutmix /);
  const before = statSync(join(out, 'ce-s1', 'summary.json')).mtimeMs;

  rmSync(join(out, 'kd-s1'), { recursive: true });
  const again = await thrive(args);
  expect(again.code, again.stderr).toBe(0);
  expect(again.stderr).toMatch(/1 of 3 runs to do/);
  expect(statSync(join(out, 'ce-s1', 'summary.json')).mtimeMs).toBe(before);
  for (const label of ['ce', 'kd', 'kd+cutmix']) expect(again.stdout).toContain(`  ${label} `);
  expect(readdirSync(out).filter((name) => !name.includes('.'))).toHaveLength(3);

  const other = await thrive([...args, '--lr', '0.2']);
  expect(other.code).toBe(2);
  expect(other.stderr).toMatch(/holds a sweep of other settings/);
  const typo = await thrive([...args, '--lrr', '0.2']);
  expect(typo.stderr).toMatch(/unknown flag '--lrr'; did you mean '--lr'/);
  const jobs = await thrive([...args, '--jobs', '999']);
  expect(jobs.stderr).toMatch(/--jobs 999: this process may use \d+ threads/);
}, 120_000);
