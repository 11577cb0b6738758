/** @file Run folders for tests of what reads them, written without training. */
import { join } from 'node:path';
import { type Config, type ConfigInput, fingerprint, networkOf, resolveConfig } from '../src/config/index.ts';
import { RunFolder, type RunRecord } from '../src/run/index.ts';

export interface FakeRun {
  settings?: Partial<ConfigInput>;
  /** Test top-1 of each epoch; NaN for one that diverged, null for one that was not measured. */
  top1?: readonly (number | null)[];
  /** Test loss of each epoch; 1 unless given. */
  loss?: readonly number[];
  finished?: boolean;
  /** Of the teacher's weights. */
  teacherHash?: string;
  versions?: Record<string, string>;
  /** What the run wrote down of its cost. */
  forwards?: RunRecord['forwards'];
  seconds?: number;
}

/** A student that learns from a teacher: for `settings`. */
export const distilled = (more: Partial<ConfigInput> = {}): Partial<ConfigInput> => ({
  model: undefined,
  student: 'resnet20',
  teacher: 'teacher.pth',
  teacherModel: 'resnet56',
  ...more,
});

/** Write what a run of cifar100 and resnet20 would have left in `folder`; its epochs are as many as `top1` has, unless set. */
export function writeRun(folder: string, run: FakeRun = {}): string {
  const { settings = {}, top1 = [40, 50], loss = [], finished = true, teacherHash = 'a'.repeat(64) } = run;
  const config: Config = resolveConfig({ data: 'cifar100', model: 'resnet20', epochs: top1.length, ...settings });
  const teacher = config.teacher ? { model: 'resnet56', sha256: teacherHash } : null;
  const print = fingerprint(config, teacher);
  const made = RunFolder.create(folder);
  const scores = teacher && { top1: 72.41, top5: 91, loss: 1.2 };
  made.writeRecord({
    config,
    fingerprint: print,
    versions: { thrive: '0.1.0', libtorch: '1.13.1', cpu: 'a processor', threads: '2', ...run.versions },
    created: '2026-01-01T00:00:00.000Z',
    teacher: scores,
    ...(run.forwards ? { forwards: run.forwards } : {}),
  });
  let best = { epoch: 0, top1: -1, chosenOn: config.holdout > 0 ? ('dev' as const) : ('test' as const) };
  const stepsPerEpoch = Math.ceil((config.limitTrain ?? 50_000) / config.batchSize);
  const secondsAt = (epoch: number): number => ((run.seconds ?? 100) * epoch) / top1.length;
  for (const [i, value] of top1.entries()) {
    const epoch = i + 1;
    const isBest = value !== null && value > best.top1;
    if (isBest) best = { ...best, epoch, top1: value };
    made.append({
      type: 'epoch',
      epoch,
      stage: 'train',
      step: epoch * stepsPerEpoch,
      lr: 0.05,
      train: { loss: 2 / epoch, top1: 10 * epoch, terms: { ce: 3 / epoch }, measures: {}, imagesPerSecond: 100 },
      test: value === null ? null : { top1: value, top5: 90, loss: loss[i] ?? 1, count: 10_000, imagesPerSecond: 1000 },
      dev: null,
      isBest,
      seconds: secondsAt(epoch),
    });
  }
  made.close();
  if (finished) {
    const images = (config.limitTrain ?? 50_000) * config.epochs;
    made.writeSummary({
      task: config.task,
      data: config.data,
      model: networkOf(config),
      seed: config.seed,
      epochs: config.epochs,
      top1: top1.at(-1),
      top5: 90,
      loss: loss.at(-1) ?? 1,
      best,
      imagesSeen: images,
      teacherForwards: config.task === 'distill' ? images * (config.augment ? 2 : 1) : 0,
      studentForwards: images * (config.augment ? 2 : 1),
      seconds: secondsAt(top1.length),
      fingerprint: print.id,
      folder,
    });
  }
  return folder;
}

/** Several under one folder, by name. */
export const writeRuns = (root: string, runs: Readonly<Record<string, FakeRun>>): string[] =>
  Object.entries(runs).map(([name, run]) => writeRun(join(root, name), run));
