/** @file `thrive show`, and commands that take a run's folder for its weights. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { reportRun } from '../src/cli/run-report.ts';
import { weightsAt } from '../src/networks/run-weights.ts';
import { lockRun } from '../src/run/run-lock.ts';
import { thrive } from './cli.ts';
import { distilled, writeRun } from './run-folders.ts';

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'thrive-show-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('the state of a run', () => {
  test('finished: last and best, and only the settings that are not the defaults', () => {
    const at = writeRun(join(root, 'a'), {
      settings: distilled({ lr: 0.2, seed: 3, method: 'crd+kd' }),
      top1: [40, 55, 50],
    });
    const report = reportRun(at);
    expect(report).toMatchObject({ state: 'finished', objective: 'crd+kd', epoch: 3, epochs: 3, seed: 3 });
    expect(report).toMatchObject({ last: { epoch: 3, top1: 50 }, best: { epoch: 2, top1: 55, chosenOn: 'test' } });
    expect(report.settings).toMatchObject({ lr: 0.2, seed: 3, epochs: 3 });
    expect(Object.keys(report.settings)).not.toContain('momentum');
    expect(Object.keys(report.settings)).not.toContain('milestones');
    expect(report.files.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['config.json', 'metrics.jsonl', 'summary.json']),
    );
  });

  test('stopped, running and failed', () => {
    const at = writeRun(join(root, 'b'), { settings: { epochs: 4 }, top1: [40, 50], finished: false });
    expect(reportRun(at)).toMatchObject({ state: 'stopped', epoch: 2, epochs: 4, detail: null });
    const unlock = lockRun(at);
    expect(reportRun(at)).toMatchObject({ state: 'running', detail: `process ${process.pid}` });
    unlock();
    writeFileSync(join(at, 'console.log'), 'epoch 2/4  loss 1\nerror: the loss is not finite: ce\nhint: lower --lr\n');
    expect(reportRun(at)).toMatchObject({ state: 'failed', detail: 'the loss is not finite: ce' });
    // A later session that went on is what counts.
    writeFileSync(join(at, 'console.log'), 'error: x\na\nb\nc\nstopped; continue with: thrive\n');
    expect(reportRun(at)).toMatchObject({ state: 'stopped' });
  });
});

test('as a person reads it', async () => {
  const at = writeRun(join(root, 'c'), { settings: { epochs: 4, lr: 0.2 }, top1: [40, 50], finished: false });
  const { code, stdout, stderr } = await thrive(['show', at]);
  expect(code, stderr).toBe(0);
  expect(stdout).toContain('ce: resnet20 on cifar100, seed 0');
  expect(stdout).toMatch(/^state {5}stopped after 2 of 4 epochs$/m);
  expect(stdout).toMatch(/^lr {2,}0\.2$/m);
  expect(stdout).toMatch(/continue with\n.*thrive train --resume /);
  const bad = await thrive(['show', root]);
  expect(bad.code).toBe(2);
  expect(bad.stderr).toMatch(/holds no run/);
});

test("a run's folder means its last weights; one without says what to do", () => {
  const at = writeRun(join(root, 'd'));
  expect(() => weightsAt(at)).toThrow(/without last.safetensors/);
  writeFileSync(join(at, 'last.safetensors'), '');
  expect(weightsAt(at)).toEqual({
    file: join(at, 'last.safetensors'),
    note: `${at} is a run's folder: using last.safetensors in it`,
  });
  expect(weightsAt('x.pth')).toEqual({ file: 'x.pth' });
});

test('a teacher may be a run folder; what was said is kept; the command line is shown', async () => {
  const small = ['--data', 'synthetic', '--epochs', '1', '--limit-train', '64', '--limit-test', '50'];
  const [teacher, student] = [join(root, 'teacher'), join(root, 'student')];
  expect((await thrive(['train', ...small, '--model', 'resnet8', '--out', teacher])).code).toBe(0);
  const args = ['distill', ...small, '--student', 'resnet8', '--teacher', teacher, '--out', student];
  const { code, stderr } = await thrive(args);
  expect(code, stderr).toBe(0);
  expect(stderr).toContain('using last.safetensors in it');
  expect(readFileSync(join(student, 'console.log'), 'utf8')).toMatch(/epoch 1\/1 {2}loss/);
  expect(reportRun(student)).toMatchObject({ state: 'finished', objective: 'kd', commandLine: args });
}, 60_000);
