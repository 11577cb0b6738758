/** @file A training step to be timed: two networks, the losses between them, and a batch of noise. */
import { schemeSettings } from '../../augment/index.ts';
import { type Config, kdOf, methodsOf, resolveConfig } from '../../config/index.ts';
import { loadParts } from '../../config/own-parts.ts';
import { DATASETS } from '../../data/index.ts';
import { kdDefaults } from '../../distill/objective.ts';
import { Teacher } from '../../distill/teacher.ts';
import { createModel, type ImageModel } from '../../models/index.ts';
import { SGD } from '../../nn/index.ts';
import type { Precision } from '../../nn/precision.ts';
import { makeMethods } from '../../run/methods.ts';
import { loadViewParts } from '../../score/scorers.ts';
import { type ViewSpec, viewName, viewScheme } from '../../score/views.ts';
import { checkDevice, dtypeBytes, noGrad, type Tensor, tensor, tidy } from '../../torch/index.ts';
import { stream } from '../../torch/random.ts';
import { METHOD } from '../../train/checkpoint.ts';
import { distillation, type StrongView } from '../../train/distillation.ts';
import { prefersChannelsLast } from '../../train/layout.ts';
import { trainStep } from '../../train/step.ts';
import type { Batch, Stage } from '../../train/task.ts';

export interface BenchSetup {
  teacher: string;
  student: string;
  batchSize: number;
  device: string;
  precision: Precision;
  /** Samples of the training set, for losses that remember each. Default 50,000. */
  samples?: number;
}

/** What times steps of one method. */
export interface TimedTask {
  /** The methods joined by +, and the second view if there is one: `kd`, `crd+kd`, `kd cutmix+pick:kl`. */
  name: string;
  /** Bytes of what trains beside the student, memories included. */
  bytes: number;
  /** Whether it begins with a stage of its own. */
  hasInit: boolean;
  /** Milliseconds of one step: teacher, student, losses, backward, update. */
  step(stage?: Stage['name']): number;
  dispose(): void;
}

const CLASSES = 100;
const IMAGE_SIZE = 32;
/** A rate so small that nothing diverges on noise; a step takes as long at any. */
const rate = { lr: 1e-6, momentum: 0.9, weightDecay: 5e-4 };
const normalization = { mean: [0, 0, 0], std: [1, 1, 1] };

/** Drawn weights without fitting statistics give activations that grow with the depth, to where losses overflow. */
function settle(network: ImageModel, x: Tensor): void {
  const few = x.narrow(0, 0, Math.min(8, x.size(0)));
  network.train();
  for (let pass = 0; pass < 20; pass++) noGrad(() => tidy(() => void network.forward(few)));
}

/** A step's name. */
export const taskName = (method: string, view: ViewSpec | null): string => method + (view ? ` ${viewName(view)}` : '');

/** Load the losses, augmentations and criteria of the user's. @throws UserError */
export async function loadBenchParts(method: string, views: readonly string[] = []): Promise<void> {
  await loadParts({ method });
  for (const view of views) await loadViewParts({ data: 'synthetic', augment: view });
}

/** The losses of `--method` as a run has them. @throws UserError for one that is unknown */
export const lossConfig = (method: string): Config =>
  resolveConfig({ data: 'cifar100', student: 'resnet20', teacher: 'teacher', method });

/** The second view as training makes it: a draw for each sample, the teacher's labels, two passes. */
const strongView = (spec: ViewSpec, channelsLast: boolean): StrongView => ({
  scheme: viewScheme(spec),
  draw: 'sample',
  settings: schemeSettings(DATASETS.cifar100!),
  normalization,
  channelsLast,
  seed: 0,
  weight: kdDefaults.alpha,
  labels: 'teacher',
  passes: 'separate',
  pick: spec.pick && { ...spec.pick, updateStatistics: false },
});

/** The teacher and the batch, which several methods share, and what makes the task of a method and a second view. */
export function benchTasks(setup: BenchSetup): (method: string, view?: ViewSpec | null) => TimedTask {
  const { precision, batchSize, samples = 50_000 } = setup;
  const device = checkDevice(setup.device);
  const channelsLast = prefersChannelsLast(precision, device);
  const format = { device, ...(channelsLast ? { memoryFormat: 'channelsLast' as const } : {}) };
  const random = stream(0, 'bench');
  const shape = [batchSize, 3, IMAGE_SIZE, IMAGE_SIZE];
  const size = shape.reduce((a, b) => a * b);
  const x = tensor(random.fillNormal(new Float32Array(size)), { shape }).to(format);
  const network = createModel(setup.teacher, { classes: CLASSES }).to(format);
  settle(network, x);
  const teacher = new Teacher(network, {
    normalization,
    inputNormalization: normalization,
    precision,
    device,
  });
  const images = tensor(
    Uint8Array.from({ length: size }, () => random.int(256)),
    { shape, device },
  );
  const classes = Int32Array.from({ length: samples }, () => random.int(CLASSES));

  return (written, view = null) => {
    const student = createModel(setup.student, { classes: CLASSES }).to(format);
    const config = lossConfig(written);
    const settings = methodsOf(config);
    const methods =
      settings.length > 0
        ? makeMethods(settings, {
            student: { name: setup.student, network: student },
            teacher: { name: setup.teacher, network: teacher },
            classes: CLASSES,
            imageSize: IMAGE_SIZE,
            samples,
            labels: classes,
            batchSize,
            seed: 0,
            device,
          })
        : null;
    const task = distillation(teacher, kdOf(config), view && strongView(view, channelsLast), methods);
    const own = [...(methods?.modules.namedParameters() ?? [])].map(([name, p]) => [METHOD + name, p] as const);
    const optimizer = new SGD(new Map([...student.namedParameters(), ...own]), rate);
    student.train();
    let entered: Stage['name'] | undefined;
    let steps = 0;
    return {
      name: taskName(written, view),
      bytes: [...(methods?.modules.stateDict().values() ?? [])].reduce(
        (sum, { numel, dtype }) => sum + numel * dtypeBytes[dtype],
        0,
      ),
      hasInit: task.init !== null && task.init !== undefined,
      step(name = 'train') {
        if (entered !== name) task.enter?.(name);
        entered = name;
        // Another part of the training set at each step, so that no memory's rows are warm.
        const index = Int32Array.from({ length: batchSize }, (_, i) => (steps * batchSize + i) % samples);
        using labels = tensor(
          index.map((sample) => classes[sample]!),
          { dtype: 'int64', device },
        );
        const batch: Batch = {
          x,
          images,
          labels,
          index,
          epoch: 0,
          step: steps,
          stage: { name, epoch: 0, step: steps },
        };
        steps++;
        const start = performance.now();
        // The step reads its loss back: on a device with a queue of its own, each waits for the update before it.
        trainStep(student, task, batch, optimizer, { lr: rate.lr, precision, device });
        return performance.now() - start;
      },
      dispose() {
        optimizer.dispose();
        methods?.dispose();
        student.dispose();
      },
    };
  };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
