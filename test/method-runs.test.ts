/** @file Whole runs with losses on taps: stopped or dead in any stage, they end with the same bits and leave no tensor. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ConfigInput, type RunSummary, runExperiment } from '../src/experiment/index.ts';
import { parseSafetensors } from '../src/formats/index.ts';
import { memory, setNumThreads } from '../src/torch/index.ts';
import { writeTinyData } from './tiny-data.ts';

let root: string;
let shared: ConfigInput;

beforeAll(async () => {
  setNumThreads(1);
  root = mkdtempSync(join(tmpdir(), 'thrive-methods-'));
  const dataDir = writeTinyData(join(root, 'data'), { train: 30, test: 10 });
  const data = { data: 'fashion-mnist', dataDir, model: 'resnet8', batchSize: 10, threads: 1 } as const;
  const teacher = await runExperiment({ ...data, epochs: 1 }, { out: join(root, 'teacher') });
  shared = { ...data, teacher: teacher.checkpoint, epochs: 1, lr: 0.01, seed: 5 };
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** What a run's steps do when they come to where it is to end early. */
type Ending = 'stop' | 'die';

async function run(
  name: string,
  methods: ConfigInput['methods'],
  { end, after, ...more }: Partial<ConfigInput> & { end?: Ending; after?: number } = {},
): Promise<RunSummary> {
  const controller = new AbortController();
  let steps = 0;
  return runExperiment(
    { ...shared, ...more, methods },
    {
      out: join(root, name),
      resume: true,
      signal: controller.signal,
      reporter: {
        onStep() {
          if (++steps !== after) return;
          // Without a save, as a process that is killed.
          if (end === 'die') throw new Error('killed');
          controller.abort();
        },
      },
    },
  );
}

/** Every byte and number that must agree. */
function outcome(name: string): { tensors: Record<string, string>; metrics: unknown[] } {
  const { tensors } = parseSafetensors(readFileSync(join(root, name, 'last.safetensors')), 'last');
  const metrics = readFileSync(join(root, name, 'metrics.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) =>
      JSON.parse(line, (key, value: unknown) => (key === 'seconds' || key === 'imagesPerSecond' ? undefined : value)),
    );
  return {
    tensors: Object.fromEntries([...tensors].map(([key, { data }]) => [key, Buffer.from(data).toString('base64')])),
    metrics,
  };
}

const options = { initEpochs: 1 };

const steps = (...endings: [Ending, number][]): readonly (readonly [Ending, number])[] => endings;

// Three steps an epoch. Each attempt continues the one before: ended in a first stage, where there is one, at the boundary, and
// in the run's own epochs.
test.each<[name: string, methods: NonNullable<ConfigInput['methods']>, endings: ReturnType<typeof steps>]>([
  ['ab', [{ name: 'ab', options }], steps(['stop', 2], ['stop', 1], ['die', 2], ['stop', 2])],
  ['ft', [{ name: 'ft', options }], steps(['stop', 1], ['die', 4], ['stop', 2], ['die', 1])],
  ['fsp', [{ name: 'fsp', options }, 'kd'], steps(['die', 1], ['stop', 3], ['stop', 1], ['die', 1])],
  ['crd', [{ name: 'crd', options: { negatives: 20 } }, 'kd'], steps(['stop', 2], ['die', 1])],
  ['vid', ['vid'], steps(['die', 2], ['stop', 1], ['stop', 1], ['die', 1])],
])('%s: ended early again and again, it continues to the same bits', async (name, methods, endings) => {
  const before = memory().tensors;
  const parts = `${name}-parts`;
  // ab's connectors are there where the channels differ.
  const model = name === 'ab' ? 'resnet8x4' : 'resnet8';
  await run(name, methods, { model });
  for (const [end, after] of endings) {
    const message = end === 'die' ? 'killed' : /^stopped in epoch/;
    await expect(run(parts, methods, { model, end, after })).rejects.toThrow(message);
    expect(memory().tensors).toBe(before);
  }
  await run(parts, methods, { model });
  expect(outcome(parts)).toEqual(outcome(name));
  expect(memory().tensors).toBe(before);
});

test('a first stage is recorded as one, is not measured, and counts in what the run cost', async () => {
  const summary = await run('ft-stage', [{ name: 'ft', options }]);
  const epochs = (outcome('ft-stage').metrics as { type: string; stage: string; lr: number; test: unknown }[]).filter(
    ({ type }) => type === 'epoch',
  );
  expect(epochs.map(({ stage }) => stage)).toEqual(['init', 'train']);
  expect(epochs.map(({ test }) => test !== null)).toEqual([false, true]);
  expect(epochs[0]!.lr).toBe(0.01);
  // The paraphraser learns from the teacher alone: the student does not run.
  expect(summary).toMatchObject({ epochs: 1, initEpochs: 1, imagesSeen: 60, teacherForwards: 60, studentForwards: 30 });
});
