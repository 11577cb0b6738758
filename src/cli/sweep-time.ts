/** @file How long a sweep will take on this machine: a few steps of the student and passes of the teacher, timed. */
import { datasetInfo } from '../data/index.ts';
import { createModel, modelNames } from '../models/index.ts';
import { SGD } from '../nn/index.ts';
import type { SweepCost } from '../run/sweep.ts';
import { noGrad, setNumThreads, tensor, tidy, zeros } from '../torch/index.ts';
import { checkpointNetwork } from '../train/checkpoint.ts';
import { trainStep } from '../train/step.ts';
import { supervised } from '../train/task.ts';

/** The fastest of a few, in seconds. */
function fastest(work: () => void): number {
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 3; i++) {
    const start = performance.now();
    work();
    best = Math.min(best, performance.now() - start);
  }
  return best / 1000;
}

export interface Timed {
  cost: SweepCost;
  student: string;
  teacher: string | undefined;
  data: string;
  batchSize: number;
  threads: number;
  jobs: number;
}

/** Null where a network is not one of those here, and only a run could tell. Without loading data and measuring in between. */
export async function secondsOf({
  cost,
  student,
  teacher,
  data,
  batchSize,
  threads,
  jobs,
}: Timed): Promise<number | null> {
  const teaches = teacher === undefined || /\.(onnx|pth|pt)$/i.test(teacher) ? null : checkpointNetwork(teacher);
  const known = (name: string): boolean => modelNames.includes(name);
  if (!known(student) || (cost.teacher > 0 && (!teaches || !known(teaches.model)))) return null;
  const { classes, size: imageSize } = datasetInfo(data);
  setNumThreads(threads);
  const shape = [batchSize, 3, imageSize, imageSize];
  const x = zeros(shape);
  const images = zeros(shape, { dtype: 'uint8' });
  const labels = tensor(new Int32Array(batchSize), { dtype: 'int64' });
  const index = new Int32Array(batchSize);
  const network = createModel(student, { classes, imageSize }).train();
  const optimizer = new SGD(network.namedParameters(), { lr: 0 });
  const step = fastest(() => {
    const batch = { x, images, labels, index, epoch: 0, step: 0 };
    trainStep(network, supervised(), batch, optimizer, { lr: 0, precision: 'fp32', device: 'cpu' });
  });
  let forward = 0;
  if (teaches && cost.teacher > 0) {
    const model = createModel(teaches.model, { classes, imageSize }).eval();
    forward = fastest(() => tidy(() => noGrad(() => void model.forward(x))));
    model.dispose();
  }
  for (const owner of [network, optimizer, x, images, labels]) owner.dispose();
  return (cost.student * step + cost.teacher * forward) / batchSize / jobs;
}
