/** @file Every distillation loss through whole runs: what trains, what is recorded, stopped in any stage and resumed to the bit. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { losses } from '../src/distill/index.ts';
import { type ConfigInput, defineExperiment } from '../src/experiment/config.ts';
import { evaluateCheckpoint } from '../src/experiment/evaluate-checkpoint.ts';
import type { MethodInput } from '../src/experiment/methods.ts';
import { type Reporter, type RunSummary, runExperiment } from '../src/experiment/run.ts';
import { readSafetensors } from '../src/formats/index.ts';
import { memory } from '../src/torch/index.ts';
import { InterruptedError } from '../src/train/loop.ts';
import { writeTinyData } from './tiny-data.ts';

let root: string;
let shared: ReturnType<typeof settings>;
let teacher: RunSummary;

const settings = (dataDir: string) =>
  defineExperiment({ data: 'fashion-mnist', dataDir, epochs: 1, batchSize: 20, lr: 0.01, seed: 3, threads: 1 });

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'thrive-methods-'));
  shared = settings(writeTinyData(join(root, 'data'), { train: 40, test: 20 }));
  teacher = await runExperiment({ ...shared, model: 'resnet8', seed: 7 }, { out: join(root, 'teacher') });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const fresh = (() => {
  let count = 0;
  return (): string => join(root, `run-${count++}`);
})();

const options: Record<string, Record<string, unknown>> = {
  crd: { negatives: 8 },
  ab: { initEpochs: 1 },
  ft: { initEpochs: 1 },
  fsp: { initEpochs: 1 },
};
const methodOf = (name: string): MethodInput => ({ name, options: options[name] ?? {} });
const distilled = (methods: readonly (string | MethodInput)[], more: Partial<ConfigInput> = {}): ConfigInput => ({
  ...shared,
  model: 'resnet8',
  teacher: teacher.checkpoint,
  methods,
  ...more,
});

const savedOf = (path: string): string[] =>
  [...readSafetensors(path).tensors].map(([name, { data }]) => `${name} ${Buffer.from(data).toString('base64')}`);

interface Line {
  type: 'epoch' | 'step' | 'gradients';
  epoch: number;
  stage?: string;
  test?: { loss: number } | null;
  terms: Record<string, { value: number; weight: number; norm: number; share: number }>;
  train: { loss: number; terms: Record<string, number> };
}
const metricsOf = (out: string): Line[] =>
  readFileSync(join(out, 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);

/** Run, stopping after so many steps. */
async function stopAfter(steps: number, settings: ConfigInput, out: string): Promise<void> {
  const controller = new AbortController();
  let taken = 0;
  const reporter: Reporter = { onStep: () => void (++taken === steps && controller.abort()) };
  await expect(runExperiment(settings, { out, reporter, signal: controller.signal })).rejects.toThrow(InterruptedError);
}

describe.each(losses.lossNames)('%s', (name) => {
  test('trains, is finite, leaves no tensor, and resumes to the bit', { timeout: 120_000 }, async () => {
    const before = memory().tensors;
    const run = distilled([methodOf(name)]);
    const [whole, parts] = [fresh(), fresh()];
    const summary = await runExperiment(run, { out: whole });
    const twoStage = 'initEpochs' in (options[name] ?? {});
    // Two steps an epoch: one is in the middle of the first stage, where there is one.
    for (const steps of twoStage ? [1, 2] : [1]) {
      const out = steps === 1 ? parts : fresh();
      await stopAfter(steps, run, out);
      await runExperiment(run, { out, resume: true });
      expect(savedOf(join(out, 'last.safetensors'))).toEqual(savedOf(summary.checkpoint));
    }
    expect(memory().tensors).toBe(before);

    const epochs = metricsOf(whole).filter(({ type }) => type === 'epoch');
    expect(epochs.map(({ stage }) => stage)).toEqual(twoStage ? ['init', 'train'] : ['train']);
    for (const { train, stage } of epochs) {
      expect(Object.values(train.terms).every(Number.isFinite)).toBe(true);
      // The first stage has no cross entropy.
      expect('ce' in train.terms).toBe(stage === 'train');
    }
    if (twoStage) expect(epochs[0]!.test).toBeNull();
    expect(summary).toMatchObject({ epochs: 1, initEpochs: twoStage ? 1 : 0, imagesSeen: twoStage ? 80 : 40 });
  });
});

describe('a run with several', () => {
  test('records value, weight and share of each term', async () => {
    const out = fresh();
    const methods = [methodOf('crd'), { name: 'at', weight: 10, on: 'both' as const }, 'kd'];
    await runExperiment(distilled(methods, { strong: { scheme: 'cutmix' }, gradientEvery: 1 }), { out });
    const lines = metricsOf(out).filter(({ type }) => type === 'gradients');
    expect(lines).toHaveLength(2);
    for (const { terms } of lines) {
      const at = ['stage1', 'stage2', 'stage3'];
      expect(Object.fromEntries(Object.entries(terms).map(([name, { weight }]) => [name, weight]))).toEqual({
        ce: 1,
        kl: 1,
        kl_strong: 1,
        'crd.student': 0.8,
        'crd.teacher': 0.8,
        ...Object.fromEntries(at.flatMap((tap) => [`at.${tap}`, `at_strong.${tap}`].map((term) => [term, 10]))),
      });
      const shares = Object.values(terms).map(({ share }) => share);
      expect(shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 6);
      // The teacher-anchored part of crd trains its own embedding alone.
      expect(terms['crd.teacher']!.share).toBe(0);
      expect(terms.ce!.norm).toBeGreaterThan(0);
    }
  });

  test('measuring the shares changes nothing that is trained', async () => {
    const methods = ['at', 'kd'];
    const [never, always] = [fresh(), fresh()];
    await runExperiment(distilled(methods, { gradientEvery: 0 }), { out: never });
    await runExperiment(distilled(methods, { gradientEvery: 1 }), { out: always });
    expect(savedOf(join(always, 'last.safetensors'))).toEqual(savedOf(join(never, 'last.safetensors')));
    expect(metricsOf(never).some(({ type }) => type === 'gradients')).toBe(false);
  });

  test('its checkpoint holds memories and embeddings, and still is the student alone to others', async () => {
    const out = fresh();
    const summary = await runExperiment(distilled([methodOf('crd')]), { out });
    const names = [...readSafetensors(summary.checkpoint).tensors.keys()];
    expect(names).toContain('method.crd.contrast.memory_v1');
    expect(names).toContain('optimizer.momentum.method.crd.embed_s.linear.weight');
    expect([...readSafetensors(join(out, 'best-on-test.safetensors')).tensors.keys()].join()).not.toMatch(
      /method|optimizer/,
    );
    const { top1 } = await evaluateCheckpoint(summary.checkpoint, { dataDir: shared.dataDir, threads: 1 });
    expect(top1).toBe(summary.top1);
    // It teaches as well.
    const next = await runExperiment({ ...distilled(['kd']), teacher: summary.checkpoint }, { out: fresh() });
    expect(next.teacher!.top1).toBe(summary.top1);
  });
});

describe('several teachers', () => {
  test('are measured, average, and resume; files may move', async () => {
    const second = await runExperiment({ ...shared, model: 'resnet8', seed: 8 }, { out: fresh() });
    const teachers = [{ checkpoint: teacher.checkpoint, weight: 2 }, { checkpoint: second.checkpoint }];
    const { teacher: _one, ...rest } = distilled(['kd']);
    const notes: string[] = [];
    const [whole, parts] = [fresh(), fresh()];
    const run = { ...rest, teachers };
    const summary = await runExperiment(run, { out: whole, reporter: { note: (text) => notes.push(text) } });
    expect(notes.filter((note) => note.startsWith('teacher '))).toHaveLength(3);
    await stopAfter(1, run, parts);
    await runExperiment(run, { out: parts, resume: true });
    expect(savedOf(join(parts, 'last.safetensors'))).toEqual(savedOf(summary.checkpoint));
    const other = await runExperiment({ ...run, ensemble: 'logits' }, { out: fresh() });
    expect(savedOf(other.checkpoint)).not.toEqual(savedOf(summary.checkpoint));
    expect(other.fingerprint).not.toBe(summary.fingerprint);
  });

  test('have no features to compare', async () => {
    const { teacher: _one, ...rest } = distilled(['at']);
    const run = { ...rest, teachers: [{ checkpoint: teacher.checkpoint }, { checkpoint: teacher.checkpoint }] };
    await expect(runExperiment(run, { out: fresh() })).rejects.toThrow(
      'at compares features, and the teacher resnet8+resnet8 gives logits only',
    );
  });
});

describe('what a loss refuses', () => {
  const other = (methods: readonly (string | MethodInput)[], model = 'resnet8x4') =>
    runExperiment(distilled(methods, { model }), { out: fresh() });

  test('fsp: unequal channels', async () => {
    await expect(other(['fsp'])).rejects.toThrow(/fsp needs equal channels in both networks/);
  });

  test('crd: memory that would not fit, with how much it needs, before anything is measured', async () => {
    const out = fresh();
    const notes: string[] = [];
    const run = distilled([{ name: 'crd', options: { dim: 2 ** 40 } }]);
    await expect(runExperiment(run, { out, reporter: { note: (text) => notes.push(text) } })).rejects.toThrow(
      /crd with 40 training samples needs 3\d\d TB, and .* are free/,
    );
    expect(notes.some((note) => note.startsWith('teacher '))).toBe(false);
    expect(existsSync(out)).toBe(false);
  });
});
