/** @file The example network, from a file through whole runs: distilled, resumed, measured, a teacher itself, fine-tuned. */
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ConfigInput, defineExperiment } from '../src/config/config.ts';
import { createLoss } from '../src/distill/losses/index.ts';
import { readSafetensors } from '../src/formats/index.ts';
import { type ImageModel, modelRow } from '../src/models/index.ts';
import { evaluateCheckpoint } from '../src/networks/evaluate-checkpoint.ts';
import { exportCheckpoint } from '../src/networks/export-network.ts';
import { importWeights } from '../src/networks/import-weights.ts';
import { modelSource } from '../src/networks/model-source.ts';
import { type Reporter, type RunSummary, runExperiment } from '../src/run/run.ts';
import { memory, noGrad, tensor, tidy } from '../src/torch/index.ts';
import { InterruptedError } from '../src/train/loop.ts';
import { fillerTensor } from './filler.ts';
import { writeTinyData } from './tiny-data.ts';

const example = fileURLToPath(new URL('../examples/my-net.ts', import.meta.url));
const taps = ['stem', 'stage1', 'stage2', 'stage3'];

let root: string;
let own: string;
let shared: ReturnType<typeof settings>;
let teacher: RunSummary;

const settings = (dataDir: string) =>
  defineExperiment({ data: 'fashion-mnist', dataDir, epochs: 1, batchSize: 20, lr: 0.02, seed: 3, threads: 1 });

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'thrive-own-'));
  own = join(root, 'my-net.ts');
  copyFileSync(example, own);
  shared = settings(writeTinyData(join(root, 'data'), { train: 60, test: 20 }));
  teacher = await runExperiment({ ...shared, model: 'resnet8' }, { out: join(root, 'teacher') });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const fresh = (() => {
  let count = 0;
  return (): string => join(root, `run-${count++}`);
})();
const config = (out: string) => JSON.parse(readFileSync(join(out, 'config.json'), 'utf8'));
const weightsOf = (path: string): string[] =>
  [...readSafetensors(path).tensors].map(([name, { data }]) => `${name} ${Buffer.from(data).toString('base64')}`);
const distilled = (more: Partial<ConfigInput> = {}): ConfigInput => ({
  ...shared,
  student: own,
  teacher: teacher.checkpoint,
  ...(more.method ? { studentTaps: taps } : {}),
  ...more,
});

/** Stop a run of these settings in the middle of its epoch. */
async function stopped(settings: ConfigInput, out: string): Promise<void> {
  const controller = new AbortController();
  const reporter: Reporter = { onStep: () => controller.abort() };
  await expect(runExperiment(settings, { out, reporter, signal: controller.signal })).rejects.toThrow(InterruptedError);
}

describe('as a student', () => {
  test('is distilled, keeps its own names, and is measured without being named again', async () => {
    const before = memory().tensors;
    const out = fresh();
    const summary = await runExperiment(distilled(), { out });
    expect(memory().tensors).toBe(before);
    expect(summary).toMatchObject({ task: 'distill', model: 'my-net.ts' });
    expect(config(out).fingerprint.fields).toMatchObject({ model: 'my-net.ts' });
    const { tensors } = readSafetensors(summary.checkpoint);
    expect([...tensors.keys()].slice(0, 3)).toEqual(['stem.0.weight', 'stem.1.weight', 'stem.1.bias']);
    const again = await evaluateCheckpoint(summary.checkpoint, { dataDir: shared.dataDir, threads: 1 });
    expect(again).toMatchObject({ model: 'my-net.ts', top1: summary.top1, loss: summary.loss });
    // And travels.
    const file = join(root, 'student.pth');
    await exportCheckpoint(summary.checkpoint, { out: file });
    await importWeights(file, { model: own, data: 'fashion-mnist', out: join(root, 'back.safetensors') });
    const back = await evaluateCheckpoint(join(root, 'back.safetensors'), { dataDir: shared.dataDir, threads: 1 });
    expect(back.loss).toBe(summary.loss);
  });

  test('taps tell two runs apart; where no loss reads them they are refused', async () => {
    const [out, others, none] = [fresh(), fresh(), fresh()];
    const a = await runExperiment(distilled({ method: ['at'] }), { out });
    expect(config(out).fingerprint.fields).toMatchObject({ model: 'my-net.ts', studentTaps: taps });
    const other = ['stem.0', ...taps.slice(1)];
    const b = await runExperiment(distilled({ method: ['at'], studentTaps: other }), { out: others });
    expect(config(others).fingerprint.fields).toMatchObject({ model: 'my-net.ts', studentTaps: other });
    // `at` compares the stages alone, which are the same.
    expect(weightsOf(a.checkpoint)).toEqual(weightsOf(b.checkpoint));
    expect(a.fingerprint).not.toBe(b.fingerprint);
    await expect(runExperiment(distilled({ studentTaps: taps }), { out: none })).rejects.toThrow(
      'studentTaps has no effect: no loss in use compares features',
    );
    expect(existsSync(none)).toBe(false);
  });

  test('a stopped run goes on to the bit; from a moved file too, but not from one that changed or is gone', async () => {
    const [whole, broken] = [fresh(), fresh()];
    const done = await runExperiment(distilled(), { out: whole });
    await stopped(distilled(), broken);
    const text = readFileSync(own, 'utf8');

    writeFileSync(own, `${text}// edited\n`);
    await expect(runExperiment({} as ConfigInput, { out: broken, resume: true })).rejects.toThrow(
      /was started with another network file than now/,
    );

    rmSync(own);
    copyFileSync(example, join(root, 'my-net2.ts'));
    await expect(runExperiment({} as ConfigInput, { out: broken, resume: true })).rejects.toThrow(
      /there is no file .*my-net\.ts to make a network from; did you mean '.*my-net2\.ts'/,
    );
    await expect(runExperiment({ student: 'resnet8' } as ConfigInput, { out: broken, resume: true })).rejects.toThrow(
      /student "resnet8" differs/,
    );

    mkdirSync(join(root, 'elsewhere'));
    const moved = join(root, 'elsewhere', 'my-net.ts');
    copyFileSync(example, moved);
    const resumed = await runExperiment({ student: moved } as ConfigInput, { out: broken, resume: true });
    copyFileSync(example, own);
    expect(weightsOf(resumed.checkpoint)).toEqual(weightsOf(done.checkpoint));
  });

  test('learns by a loss that compares its taps; one that needs what paths do not give says so at once', async () => {
    const before = memory().tensors;
    const summary = await runExperiment(distilled({ method: ['at', 'kd'] }), { out: fresh() });
    expect(memory().tensors).toBe(before);
    expect(Object.keys(summary.train.terms)).toEqual(
      expect.arrayContaining(['kl', 'at.stage1', 'at.stage2', 'at.stage3']),
    );
    const out = fresh();
    await expect(runExperiment(distilled({ method: ['ab'] }), { out })).rejects.toThrow(
      'MyNet has no taps before the last ReLU: its taps are paths',
    );
    const { studentTaps: _, ...untapped } = distilled({ method: ['at'] });
    await expect(runExperiment(untapped, { out })).rejects.toMatchObject({
      message: expect.stringMatching(
        /at needs taps of a stem, of stages, and a pooled vector; the student my-net\.ts has 1/,
      ),
      hint: expect.stringMatching(/studentTaps/),
    });
    expect(memory().tensors).toBe(before);
    expect(existsSync(out)).toBe(false);
  });

  test('an unknown tap, a network that gives no logits: said before anything is written', async () => {
    await expect(
      runExperiment(distilled({ method: ['at'], studentTaps: ['stem', 'stage4'] }), { out: fresh() }),
    ).rejects.toThrow("MyNet has no module 'stage4'; did you mean 'stage1'?");
    await expect(
      runExperiment(distilled({ method: ['at'], teacherTaps: ['layer9'] }), { out: fresh() }),
    ).rejects.toThrow(/ResNet has no module 'layer9'/);
    const wide = join(root, 'wide.ts');
    writeFileSync(wide, readFileSync(own, 'utf8').replace('new Linear(64, classes)', 'new Linear(64, 5)'));
    await expect(runExperiment(distilled({ student: wide }), { out: fresh() })).rejects.toThrow(
      /wide\.ts makes float32 \[2, 5\] of a batch \[2, 3, 32, 32\]; it must be float32 logits \[2, 10\]/,
    );
  });
});

test.each(['at', 'sp', 'vid', 'crd'])(
  '%s compares its taps with those of an architecture here, and trains it',
  async (method) => {
    const [classes, imageSize] = [10, 32];
    const context = { classes, imageSize, seed: 1 };
    using student = (await modelSource(own)).create({ ...context, taps });
    using network = (await modelSource('resnet8')).create(context);
    const shapeOf = (name: string, model: ImageModel) => ({ name, taps: modelRow(name, model, imageSize).tapShapes });
    const loss = createLoss(method, {
      student: shapeOf('my-net.ts', student),
      teacher: shapeOf('resnet8', network),
      classes,
      samples: 60,
      batchSize: 4,
      seed: 1,
      labels: Int32Array.from({ length: 60 }, (_, i) => i % classes),
    });
    tidy(() => {
      const images = fillerTensor('input', [4, 3, imageSize, imageSize]);
      const teacher = noGrad(() => network.eval().features(images));
      const labels = tensor([0, 1, 2, 3], { dtype: 'int64' });
      const input = { student: student.train().features(images), teacher, labels, index: Int32Array.of(0, 1, 2, 3) };
      const terms = Object.values(loss.terms({ ...input, epoch: 0, step: 0, seed: 1, phase: 'train' }));
      terms.reduce((sum, term) => sum.add(term)).backward();
      // The last stage is read by all of them; a classifier by none.
      const parameters = student.namedParameters();
      expect(parameters.get('stage3.conv2.weight')!.grad!.abs().sum().item()).toBeGreaterThan(0);
      expect(parameters.get('fc.weight')!.grad).toBeNull();
    });
    student.zeroGrad();
    loss.dispose();
  },
);

test('as a teacher: its checkpoint is enough', async () => {
  const taught = await runExperiment({ ...shared, model: own }, { out: fresh() });
  const out = fresh();
  const summary = await runExperiment(
    { ...shared, student: 'resnet8', teacher: taught.checkpoint, method: 'at', teacherTaps: taps },
    { out },
  );
  expect(summary.teacher!.top1).toBe(taught.top1);
  expect(config(out).fingerprint.fields.teacher).toMatchObject({
    model: 'my-net.ts',
    modelSha256: expect.stringMatching(/^[0-9a-f]{64}$/),
  });
});

describe('starting from weights', () => {
  test('of the same classes: the first epoch goes on from there', async () => {
    const out = fresh();
    const summary = await runExperiment(
      { ...shared, model: 'resnet8', init: teacher.checkpoint, lr: 1e-12, momentum: 0, weightDecay: 0 },
      { out },
    );
    const [before, after] = [readSafetensors(teacher.checkpoint), readSafetensors(summary.checkpoint)].map(
      ({ tensors }) => tensors.get('layer1.0.conv1.weight')!.data,
    );
    expect(Buffer.compare(before!, after!)).toBe(0);
    expect(config(out).fingerprint.fields.init).toMatchObject({ resetHead: false });
    const drawn = await runExperiment(
      { ...shared, model: 'resnet8', lr: 1e-12, momentum: 0, weightDecay: 0 },
      { out: fresh() },
    );
    expect(drawn.fingerprint).not.toBe(summary.fingerprint);
    expect(weightsOf(drawn.checkpoint)).not.toEqual(weightsOf(summary.checkpoint));
  });

  test('of other classes: refused with the way out, which works, and resumes', async () => {
    const init = join(root, 'hundred.safetensors');
    await importWeights(teacher.checkpoint, { data: 'cifar100', model: 'resnet8', out: init, resetHead: true });
    const start: ConfigInput = { ...shared, model: 'resnet8', init };
    await expect(runExperiment(start, { out: fresh() })).rejects.toMatchObject({
      message: expect.stringMatching(/was trained for 100 classes, the data has 10/),
      hint: expect.stringMatching(/resetHead/),
    });
    await expect(
      runExperiment({ ...shared, student: 'resnet8', teacher: init }, { out: fresh() }),
    ).rejects.toMatchObject({
      hint: expect.stringMatching(/train it on this one first: init and resetHead/),
    });
    const [whole, broken] = [fresh(), fresh()];
    const done = await runExperiment({ ...start, resetHead: true }, { out: whole });
    await stopped({ ...start, resetHead: true }, broken);
    const resumed = await runExperiment({} as ConfigInput, { out: broken, resume: true });
    expect(weightsOf(resumed.checkpoint)).toEqual(weightsOf(done.checkpoint));
  });

  test('of another network, or settings that make no sense', async () => {
    await expect(
      runExperiment({ ...shared, model: 'resnet14', init: teacher.checkpoint }, { out: fresh() }),
    ).rejects.toThrow(/holds the weights of a resnet8, not of a resnet14/);
    await expect(runExperiment({ ...shared, model: 'resnet8', resetHead: true }, { out: fresh() })).rejects.toThrow(
      /resetHead has no effect: it is for weights that are loaded/,
    );
    await expect(
      runExperiment({ ...shared, model: 'resnet8', studentTaps: ['layer1'] }, { out: fresh() }),
    ).rejects.toThrow(/studentTaps has no effect: it is for learning from a teacher; plain training has none/);
  });
});
