/** @file Every distillation loss through whole runs: what trains, what is recorded; stopped or dead in any stage, it ends with the same bits. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ConfigInput, defineExperiment } from '../src/config/config.ts';
import { losses } from '../src/distill/index.ts';
import { readSafetensors } from '../src/formats/index.ts';
import { evaluateCheckpoint } from '../src/networks/evaluate-checkpoint.ts';
import { type RunSummary, runExperiment } from '../src/run/run.ts';
import { memory, setNumThreads } from '../src/torch/index.ts';
import { writeTinyData } from './tiny-data.ts';

let root: string;
let shared: ReturnType<typeof settings>;
let teacher: RunSummary;

const settings = (dataDir: string) =>
  defineExperiment({ data: 'fashion-mnist', dataDir, epochs: 1, batchSize: 10, lr: 0.01, seed: 3, threads: 1 });

beforeAll(async () => {
  setNumThreads(1);
  root = mkdtempSync(join(tmpdir(), 'thrive-methods-'));
  shared = settings(writeTinyData(join(root, 'data'), { train: 30, test: 10 }));
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
const distilled = (method: string[], more: ConfigInput = {}): ConfigInput => ({
  ...shared,
  student: 'resnet8',
  teacher: teacher.checkpoint,
  method,
  methodOption: Object.fromEntries(Object.entries(options).filter(([name]) => method.includes(name))),
  ...more,
});

const savedOf = (path: string): string[] =>
  [...readSafetensors(path).tensors].map(([name, { data }]) => `${name} ${Buffer.from(data).toString('base64')}`);

interface Line {
  type: 'epoch' | 'step' | 'gradients';
  epoch: number;
  stage?: string;
  lr?: number;
  test?: { loss: number } | null;
  terms: Record<string, { value: number; weight: number; norm: number; share: number }>;
  train: { loss: number; terms: Record<string, number> };
}
const metricsOf = (out: string): Line[] =>
  readFileSync(join(out, 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);

/** Every number of metrics.jsonl that must agree. */
const numbersOf = (out: string): unknown[] =>
  metricsOf(out).map((line) =>
    JSON.parse(JSON.stringify(line), (key, value: unknown) =>
      key === 'seconds' || key === 'imagesPerSecond' ? undefined : value,
    ),
  );

/** How a session ends early: asked to, with a save, or as a process that is killed, without one. */
type Ending = readonly [how: 'stop' | 'die', afterSteps: number];

/** Run or continue, to the end or to an early one. */
async function session(settings: ConfigInput, out: string, ending?: Ending): Promise<RunSummary> {
  const controller = new AbortController();
  let steps = 0;
  const onStep = (): void => {
    if (++steps !== ending?.[1]) return;
    if (ending[0] === 'die') throw new Error('killed');
    controller.abort();
  };
  return runExperiment(settings, { out, resume: true, reporter: { onStep }, signal: controller.signal });
}

// Three steps an epoch. Each session continues the one before: ended in a first stage, where there is one, at the boundary, and
// in the run's own epochs.
const endings: Record<string, readonly Ending[]> = {
  ab: [
    ['stop', 2],
    ['stop', 1],
    ['die', 2],
    ['stop', 2],
  ],
  ft: [
    ['stop', 1],
    ['die', 4],
    ['stop', 2],
    ['die', 1],
  ],
  fsp: [
    ['die', 1],
    ['stop', 3],
    ['stop', 1],
    ['die', 1],
  ],
  crd: [
    ['stop', 2],
    ['die', 1],
  ],
  vid: [
    ['die', 2],
    ['stop', 1],
    ['stop', 1],
    ['die', 1],
  ],
};

describe.each(losses.lossNames)('%s', (name) => {
  test('trains, is finite, leaves no tensor, and goes on to the same bits', { timeout: 120_000 }, async () => {
    const before = memory().tensors;
    const twoStage = 'initEpochs' in (options[name] ?? {});
    const run = distilled(name === 'fsp' || name === 'crd' ? [name, 'kd'] : [name], {
      // ab's connectors are there where the channels differ.
      ...(name === 'ab' ? { student: 'resnet8x4' } : {}),
    });
    const [whole, parts] = [fresh(), fresh()];
    const summary = await session(run, whole);
    for (const ending of endings[name] ?? [['stop', 1] as const]) {
      await expect(session(run, parts, ending)).rejects.toThrow(ending[0] === 'die' ? 'killed' : /^stopped in epoch/);
      expect(memory().tensors).toBe(before);
    }
    await session(run, parts);
    expect(savedOf(join(parts, 'last.safetensors'))).toEqual(savedOf(summary.checkpoint));
    expect(numbersOf(parts)).toEqual(numbersOf(whole));
    expect(memory().tensors).toBe(before);

    const epochs = metricsOf(whole).filter(({ type }) => type === 'epoch');
    expect(epochs.map(({ stage }) => stage)).toEqual(twoStage ? ['init', 'train'] : ['train']);
    expect(epochs.map(({ test }) => test !== null)).toEqual(twoStage ? [false, true] : [true]);
    for (const { train, stage } of epochs) {
      expect(Object.values(train.terms).every(Number.isFinite)).toBe(true);
      // The first stage has no cross entropy.
      expect('ce' in train.terms).toBe(stage === 'train');
    }
    expect(summary).toMatchObject({ epochs: 1, initEpochs: twoStage ? 1 : 0, imagesSeen: twoStage ? 60 : 30 });
    if (name === 'ft') {
      expect(epochs[0]!.lr).toBe(0.01);
      // The paraphraser learns from the teacher alone: the student does not run.
      expect(summary).toMatchObject({ teacherForwards: 60, studentForwards: 30 });
    }
  });
});

test('after its first stage ab learns from the labels: the teacher does not run', async () => {
  const summary = await session(distilled(['ab']), fresh());
  expect(summary).toMatchObject({ imagesSeen: 60, teacherForwards: 30, studentForwards: 60 });
});

describe('a run with several', () => {
  test('records value, weight and share of each term', async () => {
    const out = fresh();
    const methods = ['crd', 'at@both', 'kd'];
    await runExperiment(distilled(methods, { weight: { at: 10 }, augment: 'cutmix', gradientEvery: 1 }), { out });
    const lines = metricsOf(out).filter(({ type }) => type === 'gradients');
    expect(lines).toHaveLength(3);
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
    const [never, always] = [fresh(), fresh()];
    // With what has a state of its own: memories, running statistics that scoring moves, momentum.
    const run = distilled(['crd', 'at@both', 'kd'], {
      augment: 'cutmix',
      pick: 'kl',
      pickUpdatesStatistics: true,
    });
    await runExperiment({ ...run, gradientEvery: 0 }, { out: never });
    await runExperiment({ ...run, gradientEvery: 1 }, { out: always });
    expect(savedOf(join(always, 'last.safetensors'))).toEqual(savedOf(join(never, 'last.safetensors')));
    expect(metricsOf(never).some(({ type }) => type === 'gradients')).toBe(false);
  });

  test('its checkpoint holds memories and embeddings, and still is the student alone to others', async () => {
    const out = fresh();
    const summary = await runExperiment(distilled(['crd']), { out });
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
    const notes: string[] = [];
    const [whole, parts] = [fresh(), fresh()];
    const run = { ...distilled(['kd']), teacher: [teacher.checkpoint, second.checkpoint], teacherWeights: [2, 1] };
    const summary = await runExperiment(run, { out: whole, reporter: { note: (text) => notes.push(text) } });
    expect(notes.filter((note) => note.startsWith('teacher '))).toHaveLength(3);
    await expect(session(run, parts, ['stop', 1])).rejects.toThrow(/^stopped in epoch/);
    await session(run, parts);
    expect(savedOf(join(parts, 'last.safetensors'))).toEqual(savedOf(summary.checkpoint));
    const other = await runExperiment({ ...run, ensemble: 'logits' }, { out: fresh() });
    expect(savedOf(other.checkpoint)).not.toEqual(savedOf(summary.checkpoint));
    expect(other.fingerprint).not.toBe(summary.fingerprint);
  });
});

describe('what a loss refuses, before the data is loaded', () => {
  async function refused(run: ConfigInput, message: RegExp): Promise<void> {
    const [out, before] = [fresh(), memory().tensors];
    const notes: string[] = [];
    await expect(runExperiment(run, { out, reporter: { note: (text) => notes.push(text) } })).rejects.toThrow(message);
    expect(notes.filter((note) => /^(loading|teacher) /.test(note))).toEqual([]);
    expect(existsSync(out)).toBe(false);
    expect(memory().tensors).toBe(before);
  }

  test('fsp: unequal channels', async () => {
    await refused(distilled(['fsp'], { student: 'resnet8x4' }), /fsp needs equal channels in both networks/);
  });

  test('features of several teachers', async () => {
    const run = distilled(['at'], { teacher: [teacher.checkpoint, teacher.checkpoint] });
    await refused(run, /at compares features, and the teacher resnet8\+resnet8 gives logits only/);
  });

  test('two first stages', async () => {
    await refused(distilled(['ab', 'ft']), /ab and ft cannot be combined/);
  });

  test('crd: memory that would not fit, with how much it needs', async () => {
    const run = distilled(['crd'], { methodOption: { crd: { dim: 2 ** 40 } }, limitTrain: 40 });
    await refused(run, /crd with 40 training samples needs 3\d\d TB, and .* are free/);
  });
});
