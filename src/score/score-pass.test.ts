import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { drawCropFlip, gatherCropFlip, normalizeImages, schemeByName } from '../augment/index.ts';
import { epochOrder, type TensorSet, toTensorSet } from '../data/batches.ts';
import type { ImageSet } from '../data/image-set.ts';
import { kdDefaults } from '../distill/objective.ts';
import type { Teacher } from '../distill/teacher.ts';
import { createModel } from '../models/index.ts';
import { cat, keep, memory, ops, setNumThreads, type Tensor, tensor, tidy } from '../torch/index.ts';
import { stream } from '../torch/random.ts';
import { distillation, type StrongView } from '../train/distillation.ts';
import { train } from '../train/loop.ts';
import { forwardsPerImage, type ScorePassOptions, scorePass } from './score-pass.ts';
import type { Judges } from './view-pool.ts';
import { parseViews, type ViewSpec } from './views.ts';

const COUNT = 46;
const CLASSES = 5;
const SIZE = 32;
const options: ScorePassOptions = {
  seed: 4,
  epochs: 2,
  batchSize: 8,
  group: 3,
  draw: 'sample',
  standard: { padding: 4, flip: true },
  settings: { padding: Math.round(SIZE / 8), cutout: Math.round(SIZE / 4), policy: 'cifar10' },
  normalization: { mean: [0.5, 0.4, 0.45], std: [0.2, 0.3, 0.25] },
  channelsLast: true,
};

function noise(count: number): ImageSet {
  const random = stream(1, 'test.noise');
  const bytes = new Uint8Array(count * 3 * SIZE * SIZE).map(() => random.int(256));
  const labels = Int32Array.from({ length: count }, (_, i) => i % CLASSES);
  const classNames = ['a', 'b', 'c', 'd', 'e'];
  return { images: bytes, labels, count, channels: 3, height: SIZE, width: SIZE, classNames };
}

let set: TensorSet;
let weights: { teacher: Tensor; student: Tensor };
beforeAll(() => {
  setNumThreads(1);
  set = toTensorSet(noise(COUNT));
  const projection = (name: string): Tensor =>
    keep(
      tensor(stream(2, name).fillNormal(new Float32Array(3 * SIZE * SIZE * CLASSES)), {
        shape: [3 * SIZE * SIZE, CLASSES],
      }),
    );
  weights = { teacher: projection('t'), student: projection('s') };
});
afterAll(() => {
  set.dispose();
  weights.teacher.dispose();
  weights.student.dispose();
});

const rows = (images: Tensor): Tensor => images.contiguous().reshape([images.size(0), -1]);
/** Linear in each image alone. */
const teacherLogits = (images: Tensor): Tensor => tidy(() => ops.mm(rows(images), weights.teacher).mul(0.02));
/** Depends on the other images of the pass, as batch norm in training does. */
const studentLogits = (images: Tensor): Tensor =>
  tidy(() => {
    const logits = ops.mm(rows(images), weights.student).mul(0.02);
    return logits.sub(logits.mean(0));
  });
const judges: Judges = { classes: CLASSES, temperature: 4, teacher: teacherLogits, student: studentLogits };

/** The images of a pass as text, one each. */
const keysOf = (images: Tensor): string[] => {
  const data = images.data() as Float32Array;
  const size = data.length / images.size(0);
  return Array.from({ length: images.size(0) }, (_, i) =>
    Buffer.from(data.slice(i * size, (i + 1) * size).buffer).toString('base64'),
  );
};

/** Judges that remember what they were shown since the last look. */
function watched(): Judges & { teacherSaw: string[]; studentSaw: string[] } {
  const seen = { teacherSaw: [] as string[], studentSaw: [] as string[] };
  return Object.assign(seen, judges, {
    teacher: (images: Tensor) => {
      seen.teacherSaw.push(...keysOf(images));
      return teacherLogits(images);
    },
    student: (images: Tensor) => {
      seen.studentSaw.push(...keysOf(images));
      return studentLogits(images);
    },
  });
}

/** Softmax of logits [rows, classes], in float64. */
const softmax = (logits: Tensor): number[][] => {
  const flat = Array.from(logits.data() as Float32Array);
  return Array.from({ length: flat.length / CLASSES }, (_, r) => {
    const e = flat.slice(r * CLASSES, (r + 1) * CLASSES).map(Math.exp);
    const total = e.reduce((a, b) => a + b);
    return e.map((value) => value / total);
  });
};
const entropyOf = (p: number[]): number => -p.reduce((sum, q) => sum + q * Math.log(q), 0);

/** The same from the definition: every x, every pool, every network again; all rows kept. */
function byHand(spec: ViewSpec, draw: 'sample' | 'batch'): { tStddev: number; meanEntropy: number } {
  const { seed, epochs, batchSize, group, standard, settings, normalization, channelsLast } = options;
  const groups: number[][][] = [[]];
  const entropies: number[] = [];
  const scheme = schemeByName(spec.scheme);
  let step = 0;
  for (let epoch = 0; epoch < epochs; epoch++) {
    const order = epochOrder(seed, epoch, COUNT);
    for (let start = 0; start < COUNT; start += batchSize, step++) {
      tidy(() => {
        const index = order.slice(start, start + batchSize);
        const bytes = gatherCropFlip(set.images, index, drawCropFlip(seed, epoch, index, standard), standard.padding);
        const x = normalizeImages(bytes, normalization, channelsLast);
        const view = { images: bytes, x, normalization, channelsLast };
        const make = (round: number): Tensor => {
          const context = { seed, epoch, step, round, index, height: SIZE, width: SIZE, draw, settings };
          return scheme.apply(view, scheme.draw(context));
        };
        let strong = softmax(teacherLogits(make(0)));
        if (spec.pick) {
          const pool = cat(Array.from({ length: spec.pick.factor }, (_, round) => make(round)));
          const all = softmax(teacherLogits(pool));
          const by = spec.pick.criterion === 'student-entropy' ? softmax(studentLogits(pool)) : all;
          const best = by.map((p, i) => [entropyOf(p), i] as const).sort((a, b) => b[0] - a[0]);
          const kept = Math.round(pool.size(0) * spec.pick.keep);
          strong = best.slice(0, kept).map(([, i]) => all[i]!);
        }
        groups.at(-1)!.push(...softmax(teacherLogits(x)), ...strong);
        entropies.push(...strong.map(entropyOf));
      });
      if ((step + 1) % group === 0) groups.push([]);
    }
  }
  const vectors = groups
    .slice(0, -1)
    .map((all) => Array.from({ length: CLASSES }, (_, c) => all.reduce((sum, row) => sum + row[c]!, 0) / all.length));
  expect(vectors.length).toBeGreaterThanOrEqual(4);
  const byClass = Array.from({ length: CLASSES }, (_, c) => {
    const mean = vectors.reduce((sum, v) => sum + v[c]!, 0) / vectors.length;
    return Math.sqrt(vectors.reduce((sum, v) => sum + (v[c]! - mean) ** 2, 0) / (vectors.length - 1));
  });
  return {
    tStddev: byClass.reduce((a, b) => a + b) / CLASSES,
    meanEntropy: entropies.reduce((a, b) => a + b) / entropies.length,
  };
}

describe('scorePass', () => {
  const everything = parseViews(
    'identity,flip,mixup,cutmix+pick:student-entropy,cutmix,cutmix+pick:teacher-entropy,cutout+pick:student-entropy',
  );

  test.each(['sample', 'batch'] as const)('measures what the definition says, a draw a %s', async (draw) => {
    const { schemes, steps, stepsAsked } = await scorePass(everything, judges, set, { ...options, draw });
    expect([steps, stepsAsked]).toEqual([12, 12]);
    expect(schemes.map(({ scheme, pick }) => ({ scheme, pick }))).toEqual(everything);
    for (const [i, spec] of everything.entries()) {
      const { tStddev, meanEntropy, vectors, standardError } = schemes[i]!;
      const expected = byHand(spec, draw);
      expect(vectors).toBe(4);
      expect(Math.abs(tStddev / expected.tStddev - 1)).toBeLessThan(1e-5);
      expect(Math.abs(meanEntropy / expected.meanEntropy - 1)).toBeLessThan(1e-5);
      expect(standardError).toBeGreaterThan(0);
    }
  });

  test('shows no network an image twice in a step, and counts what it shows', async () => {
    const specs = parseViews(
      'identity,mixup,cutout,cutmix+pick:random,cutmix+pick:student-entropy,cutmix,cutmix+pick:teacher-entropy,' +
        'cutmix+pick:dissimilarity,cutmix+pick:kl,patchmix+pick:student-entropy,patchmix+pick:random',
    );
    const who = watched();
    let total = { teacher: 0, student: 0 };
    await scorePass(specs, who, set, options, {
      onStep(_done, _all, forwards) {
        for (const saw of [who.teacherSaw, who.studentSaw]) expect(new Set(saw).size).toBe(saw.length);
        total = {
          teacher: total.teacher + who.teacherSaw.length,
          student: total.student + who.studentSaw.length,
        };
        expect(forwards).toEqual(total);
        who.teacherSaw.length = 0;
        who.studentSaw.length = 0;
      },
    });
    const each = forwardsPerImage(specs);
    // x, mixup, cutout, two views of cutmix, and of patchmix no more than the two; the student two pools.
    expect(each).toEqual({ teacher: 7, student: 4 });
    expect(total.teacher).toBeLessThanOrEqual(each.teacher * 2 * COUNT);
    expect(total.teacher).toBeGreaterThan(6 * 2 * COUNT);
    expect(total.student).toBe(each.student * 2 * COUNT);
  });

  test('what costs nothing is not asked for: identity, and images that were left as they are', async () => {
    const of = async (list: string): Promise<number> =>
      (await scorePass(parseViews(list), judges, set, options)).forwards.teacher;
    expect(await of('identity')).toBe(2 * COUNT);
    expect(await of('identity+pick:teacher-entropy')).toBe(2 * COUNT);
    const flipped = await of('flip');
    expect(flipped).toBeGreaterThan(2.2 * COUNT);
    expect(flipped).toBeLessThan(3.8 * COUNT);
    // A student's choice needs the teacher on what it chose alone.
    expect(await of('mixup+pick:student-entropy')).toBeLessThanOrEqual(4 * COUNT);
    expect(forwardsPerImage(parseViews('mixup+pick:student-entropy'))).toEqual({ teacher: 2, student: 2 });
    expect(forwardsPerImage(parseViews('all'))).toEqual({ teacher: 8, student: 2 });
  });

  test('the views are those a training run with this seed learns from', async () => {
    const scored = watched();
    await scorePass(parseViews('cutmix'), scored, set, { ...options, epochs: 1 });
    const trained = watched();
    const model = createModel('resnet8', { classes: CLASSES, seed: 1 }).to({ memoryFormat: 'channelsLast' });
    const fake = { classes: CLASSES, logits: trained.teacher } as unknown as Teacher;
    const { draw, settings, normalization, seed } = options;
    const strong: StrongView = {
      scheme: schemeByName('cutmix'),
      ...{ draw, settings, normalization, seed, channelsLast: true, weight: 0.9 },
      ...{ labels: 'teacher', passes: 'separate', pick: null },
    };
    await train(
      model,
      distillation(fake, kdDefaults, strong),
      { train: set, test: set, dev: null },
      {
        ...{ seed: options.seed, epochs: 1, batchSize: options.batchSize, standard: options.standard },
        ...{ lr: 0.01, momentum: 0.9, nesterov: false, weightDecay: 0, schedule: { kind: 'constant' } as const },
        ...{ precision: 'fp32' as const, device: 'cpu', channelsLast: true, normalization: options.normalization },
      },
    );
    model.dispose();
    // What CutMix left as it was, training asks about twice.
    expect(new Set(scored.teacherSaw)).toEqual(new Set(trained.teacherSaw));
    expect(scored.teacherSaw.length).toBeGreaterThan(1.9 * COUNT);
  });

  test('stops when asked, with what it has; leaves no tensor behind', async () => {
    const before = memory();
    const controller = new AbortController();
    const pass = await scorePass(
      everything,
      judges,
      set,
      options,
      { onStep: (done) => done >= 40 && controller.abort() },
      controller.signal,
    );
    expect(pass).toMatchObject({ steps: 5, stepsAsked: 12 });
    expect(pass.schemes[0]!.vectors).toBe(1);
    expect(memory()).toEqual(before);
  });

  test('a teacher that is sure of every class: identity gives sqrt((1/C)(1 - 1/C)/320)', async () => {
    // The class is the brightness of the image's centre, which no crop or flip takes away.
    const classes = 100;
    const random = stream(8, 'test.labels');
    const count = 9600;
    const labels = Int32Array.from({ length: count }, () => random.int(classes));
    const size = 4;
    const images = new Uint8Array(count * 3 * size * size);
    for (let i = 0; i < count; i++) images.fill(labels[i]! + 20, i * 48, (i + 1) * 48);
    const grey = toTensorSet({ images, labels, count, channels: 3, height: size, width: size, classNames: [] });
    const sure = (x: Tensor): Tensor =>
      tidy(() => {
        const bytes = x.select(1, 0).select(1, 2).select(1, 2).mul(0.2).add(0.5).mul(255).round().sub(20);
        return ops.oneHot(bytes.to('int64'), classes).to('float32').mul(1000);
      });
    try {
      const { schemes, forwards } = await scorePass(
        parseViews('identity'),
        { classes, temperature: 4, teacher: sure },
        grey,
        { ...options, epochs: 6, batchSize: 64, group: 5, standard: { padding: 1, flip: true } },
      );
      // 9,600 images without replacement, 320 at a time.
      const law = Math.sqrt(((1 / classes) * (1 - 1 / classes)) / 320) * Math.sqrt(1 - 320 / count);
      const [{ tStddev, standardError, meanEntropy, vectors }] = schemes as [(typeof schemes)[0]];
      expect(vectors).toBe(180);
      const error = law / Math.sqrt(2 * (vectors - 1) * classes);
      // The classes' own shares are not exactly 1/C: a second-order matter, within the same error.
      expect(Math.abs(tStddev - law)).toBeLessThan(4 * error);
      expect(standardError / error).toBeGreaterThan(0.5);
      expect(standardError / error).toBeLessThan(2);
      expect(meanEntropy).toBe(0);
      expect(forwards).toEqual({ teacher: 6 * count, student: 0 });
    } finally {
      grey.dispose();
    }
  });
});
