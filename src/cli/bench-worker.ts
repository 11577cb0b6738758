/** @file One process of `thrive bench step`: times the step that training takes, and prints one JSON line. */
import { kdDefaults } from '../distill/objective.ts';
import { Teacher } from '../distill/teacher.ts';
import { createModel } from '../models/index.ts';
import { SGD } from '../nn/index.ts';
import type { Precision } from '../nn/precision.ts';
import { checkDevice, defaultThreads, setNumThreads, tensor, version } from '../torch/index.ts';
import { stream } from '../torch/random.ts';
import { distillation } from '../train/distillation.ts';
import { prefersChannelsLast } from '../train/layout.ts';
import { trainStep } from '../train/step.ts';
import { reportError } from './output.ts';

interface Job {
  teacher: string;
  student: string;
  batchSize: number;
  steps: number;
  warmup: number;
  threads?: number;
  device: string;
  precision: Precision;
}

function time(job: Job): object {
  setNumThreads(job.threads ?? defaultThreads());
  const device = checkDevice(job.device);
  const { precision, batchSize } = job;
  const format = {
    device,
    ...(prefersChannelsLast(precision, device) ? { memoryFormat: 'channelsLast' as const } : {}),
  };
  const normalization = { mean: [0, 0, 0], std: [1, 1, 1] };
  const teacher = new Teacher(createModel(job.teacher, { classes: 100 }).to(format), {
    normalization,
    inputNormalization: normalization,
    precision,
    device,
  });
  const student = createModel(job.student, { classes: 100 }).to(format).train();
  const optimizer = new SGD(student.namedParameters(), { lr: 0.05, momentum: 0.9, weightDecay: 5e-4 });
  const random = stream(0, 'bench');
  const x = tensor(random.fillNormal(new Float32Array(batchSize * 3 * 32 * 32)), { shape: [batchSize, 3, 32, 32] }).to(
    format,
  );
  const index = Int32Array.from({ length: batchSize }, () => random.int(100));
  const pictures = tensor(
    Uint8Array.from({ length: batchSize * 3 * 32 * 32 }, () => random.int(256)),
    {
      shape: [batchSize, 3, 32, 32],
      device,
    },
  );
  const labels = tensor(index, { dtype: 'int64', device });
  const task = distillation(teacher, kdDefaults);

  const times: number[] = [];
  for (let step = 0; step < job.warmup + job.steps; step++) {
    const start = performance.now();
    // The step reads its loss back: on a device with a queue of its own, each waits for the update before it.
    trainStep(student, task, { x, pictures, labels, index, epoch: 0, step }, optimizer, {
      lr: 0.05,
      precision,
      device,
    });
    if (step >= job.warmup) times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  const ms = times[times.length >> 1]!;
  return { engine: `thrive on libtorch ${version()}`, recipe: precision, work: 'kd', ms_per_step: ms };
}

try {
  console.log(JSON.stringify(time(JSON.parse(process.argv[2] ?? '{}') as Job)));
} catch (error) {
  process.exitCode = reportError(error);
}
