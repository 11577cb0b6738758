/** @file Runs with a user's own loss, augmentation, criterion and dataset: distilled, recorded, continued, refused where a file changed. */
import { appendFileSync, copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { codeHash } from '../src/base/code-hash.ts';
import type { ExperimentInput } from '../src/config/own-parts.ts';
import { defineLoss } from '../src/distill/losses/index.ts';
import { readSafetensors } from '../src/formats/index.ts';
import { evaluateCheckpoint } from '../src/networks/evaluate-checkpoint.ts';
import { type RunSummary, runExperiment } from '../src/run/run.ts';
import { memory } from '../src/torch/index.ts';
import { InterruptedError } from '../src/train/loop.ts';
import { thrive } from './cli.ts';

let root: string;
let teacher: RunSummary;
const part = (name: string): string => join(root, `${name}.ts`);
const shared = (): ExperimentInput => ({
  data: part('my-data'),
  limitTrain: 40,
  limitTest: 20,
  epochs: 1,
  batchSize: 8,
  lr: 0.02,
  seed: 3,
  threads: 1,
});
const distilled = (more: ExperimentInput = {}): ExperimentInput => ({
  ...shared(),
  student: 'resnet8',
  teacher: teacher.checkpoint,
  method: `${part('my-loss')}+kd`,
  methodOption: { 'logit-mse': { scale: 0.2 } },
  augment: part('my-augmentation'),
  augmentOption: { dim: { least: 0.3 } },
  pick: part('my-criterion'),
  ...more,
});
const config = (out: string) => JSON.parse(readFileSync(join(out, 'config.json'), 'utf8'));
const weights = (path: string): string[] =>
  [...readSafetensors(path).tensors].map(([name, { data }]) => `${name} ${Buffer.from(data).toString('base64')}`);

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'thrive-own-parts-'));
  for (const name of ['my-loss', 'my-augmentation', 'my-criterion', 'my-data']) {
    copyFileSync(fileURLToPath(new URL(`../examples/${name}.ts`, import.meta.url)), part(name));
  }
  teacher = await runExperiment({ ...shared(), model: 'resnet8' }, { out: join(root, 'teacher') });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('all four at once', () => {
  test('are distilled with, recorded by path and hash, and the student is measured without naming them', async () => {
    const before = memory().tensors;
    const out = join(root, 'all');
    const summary = await runExperiment(distilled(), { out });
    expect(memory().tensors).toBe(before);
    const { config: recorded, fingerprint } = config(out);
    expect(recorded).toMatchObject({
      data: part('my-data'),
      augment: part('my-augmentation'),
      pick: part('my-criterion'),
    });
    expect(recorded.methodOption).toEqual({ 'logit-mse': { scale: 0.2 } });
    expect(fingerprint.fields).toMatchObject({
      data: 'my-data.ts',
      augment: 'my-augmentation.ts',
      pick: 'my-criterion.ts',
    });
    expect(fingerprint.fields.parts).toEqual({
      data: [codeHash(part('my-data'))],
      augment: [codeHash(part('my-augmentation'))],
      pick: [codeHash(part('my-criterion'))],
      method: [codeHash(part('my-loss'))],
    });
    const again = await evaluateCheckpoint(summary.checkpoint, { limitTest: 20, threads: 1 });
    expect(again.loss).toBe(summary.loss);
    const metrics = readFileSync(join(out, 'metrics.jsonl'), 'utf8');
    expect(metrics).toContain('logit-mse');
    expect(metrics).toContain('pick_ratio');
  });

  test('go on to the bit after a stop; a changed file is refused', async () => {
    const out = join(root, 'stopped');
    const controller = new AbortController();
    await expect(
      runExperiment(distilled(), { out, reporter: { onStep: () => controller.abort() }, signal: controller.signal }),
    ).rejects.toThrow(InterruptedError);
    const loss = readFileSync(part('my-loss'));
    appendFileSync(part('my-loss'), '// changed\n');
    await expect(runExperiment(distilled(), { out, resume: true })).rejects.toThrow(
      'was started with another loss, augmentation, criterion or dataset file than now',
    );
    const { writeFileSync } = await import('node:fs');
    writeFileSync(part('my-loss'), loss);
    const summary = await runExperiment(distilled(), { out, resume: true });
    expect(weights(summary.checkpoint)).toEqual(weights(join(root, 'all', 'last.safetensors')));
  });
});

test('a loss given as an object is told by its text', async () => {
  const mine = defineLoss({
    name: 'mine',
    create: () => ({ terms: ({ student, teacher: said }) => ({ d: student.logits.sub(said.logits).abs().mean() }) }),
  });
  const out = join(root, 'object');
  await runExperiment({ ...shared(), student: 'resnet8', teacher: teacher.checkpoint, method: [mine, 'kd'] }, { out });
  expect(config(out).fingerprint.fields.parts.method[0]).toMatch(/^[0-9a-f]{64}$/);
  await expect(thrive(['distill', '--resume', out])).resolves.toMatchObject({ code: 2 });
});

test('the command line: distil, refuse what is wrong', async () => {
  const args = [
    '--data',
    part('my-data'),
    '--limit-train',
    '24',
    '--limit-test',
    '10',
    '--epochs',
    '1',
    '--batch-size',
    '8',
  ];
  const networks = ['--teacher', teacher.checkpoint, '--student', 'resnet8', '--threads', '1'];
  const run = (...more: string[]) =>
    thrive(['distill', ...args, ...networks, '--out', join(root, `cli-${more.length}`), '--json', ...more]);
  const done = await run(
    '--method',
    part('my-loss'),
    '--augment',
    part('my-augmentation'),
    '--strong-weight',
    '1',
    '--augment-option',
    'dim.least=0.2',
  );
  expect(done.stderr).not.toContain('hint:');
  expect(done.code).toBe(0);
  const wrong = await run('--augment', 'cutmix', '--augment-option', 'cutmix.alfa=1');
  expect(wrong.stderr).toContain("cutmix has no option 'alfa'; did you mean 'alpha'?");
  const absent = await run('--method', './absent-loss.ts');
  expect(absent.stderr).toContain('there is no file ./absent-loss.ts that could export a loss');
});
