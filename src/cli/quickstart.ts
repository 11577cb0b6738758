/** @file What `thrive quickstart` does: three runs sized for this machine, and a table. */
import { join } from 'node:path';
import { UserError } from '../base/errors.ts';
import { defineExperiment } from '../config/index.ts';
import { datasetInfo, getDataset, loadDataset } from '../data/index.ts';
import { createModel } from '../models/index.ts';
import { SGD } from '../nn/index.ts';
import type { Precision } from '../nn/precision.ts';
import { type RunSummary, runExperiment } from '../run/index.ts';
import { bf16Support } from '../torch/cpu.ts';
import { defaultThreads, setNumThreads, tensor, zeros } from '../torch/index.ts';
import { prefersChannelsLast } from '../train/layout.ts';
import { trainStep } from '../train/step.ts';
import { supervised } from '../train/task.ts';
import { interruptible } from './interrupt.ts';
import { commandLine } from './invocation.ts';
import { duration, exitCodes, result, say, table } from './output.ts';
import { progress, transferProgress } from './progress.ts';

export interface QuickstartFlags {
  data?: string;
  dataDir?: string;
  minutes: number;
  out?: string;
  json?: boolean;
}

const TEACHER = 'resnet20';
const STUDENT = 'resnet8';
const EPOCHS = 4;
const BATCH = 64;
/** Fewer images than this teach nothing; a slow machine takes longer than asked instead. */
const MIN_COUNT = 1000;
/** Cost of all three runs, in epochs of the teacher: its own, the student's (a third), the student's with teacher forwards. */
const COST = EPOCHS * (1 + 1 / 3 + 2 / 3);

/** Training speed of the teacher on this machine, in images/s: the best of a few steps on blank images. */
function measureSpeed(precision: Precision): number {
  setNumThreads(defaultThreads());
  const layout = prefersChannelsLast(precision, 'cpu') ? { memoryFormat: 'channelsLast' as const } : {};
  const network = createModel(TEACHER, { classes: 10 }).to(layout).train();
  const optimizer = new SGD(network.namedParameters(), { lr: 0 });
  const x = zeros([BATCH, 3, 32, 32]).to(layout);
  const images = zeros([BATCH, 3, 32, 32], { dtype: 'uint8' });
  const labels = tensor(new Int32Array(BATCH), { dtype: 'int64' });
  const index = new Int32Array(BATCH);
  let best = Number.POSITIVE_INFINITY;
  for (let step = 0; step < 5; step++) {
    const start = performance.now();
    trainStep(network, supervised(), { x, images, labels, index, epoch: 0, step }, optimizer, {
      lr: 0,
      precision,
      device: 'cpu',
    });
    best = Math.min(best, performance.now() - start);
  }
  for (const owner of [network, optimizer, x, images, labels]) owner.dispose();
  return (BATCH * 1000) / best;
}

/** The dataset asked for, or the first of the usual ones that is here or can be fetched. */
async function chooseData(flags: QuickstartFlags): Promise<string> {
  if (flags.data) return datasetInfo(flags.data).name;
  try {
    const bar = transferProgress();
    const { message } = await getDataset('fashion-mnist', {
      ...(flags.dataDir ? { dir: flags.dataDir } : {}),
      attempts: 1,
      onProgress: bar.update,
    }).finally(bar.end);
    say(message);
    return 'fashion-mnist';
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    say(`using generated images instead of Fashion-MNIST: ${error.message}`);
    return 'synthetic';
  }
}

/** How many images of each split there are: files may hold fewer than the official ones. */
async function counts(data: string, flags: QuickstartFlags): Promise<{ train: number; test: number }> {
  const info = datasetInfo(data);
  const source = flags.dataDir ? { dir: flags.dataDir } : {};
  if (info.count && info.folder('train', flags.dataDir) === undefined) return info.count;
  return {
    train: (await loadDataset(data, { split: 'train', ...source })).count,
    test: (await loadDataset(data, { split: 'test', ...source })).count,
  };
}

/** Standard error of an accuracy in per cent, from counting alone. */
const spread = ({ top1, testCount }: { top1: number; testCount: number }): number =>
  100 * Math.sqrt(((top1 / 100) * (1 - top1 / 100)) / testCount);

export async function quickstart(flags: QuickstartFlags): Promise<void> {
  if (!(flags.minutes > 0 && flags.minutes <= 60))
    throw new UserError(`--minutes must be between 0 and 60, got ${flags.minutes}`);
  const precision: Precision = bf16Support().fast ? 'bf16' : 'fp32';
  const data = await chooseData(flags);
  const count = await counts(data, flags);
  const speed = measureSpeed(precision);
  const wanted = Math.max(MIN_COUNT, Math.floor((speed * flags.minutes * 60) / COST / 500) * 500);
  const limitTrain = Math.min(count.train, wanted);
  const limitTest = Math.min(count.test, Math.max(MIN_COUNT, Math.floor(limitTrain / 2)));
  const out = flags.out ?? join('runs', `quickstart-${new Date().toISOString().slice(0, 19).replaceAll(':', '')}`);
  say(
    `${data}: ${limitTrain} training and ${limitTest} test images, ${EPOCHS} epochs each, ${precision}; this machine trains ${TEACHER} at ${speed.toFixed(0)} images/s\n`,
  );

  const common = defineExperiment({
    data,
    ...(flags.dataDir ? { dataDir: flags.dataDir } : {}),
    epochs: EPOCHS,
    batchSize: BATCH,
    limitTrain,
    limitTest,
    precision,
    // A short run has no time for the paper's long steps: rise to a high rate and fall to nothing.
    schedule: 'one-cycle',
    lr: 0.1,
    seed: 1,
  });
  const runs = [
    { name: 'teacher', config: { model: TEACHER } },
    { name: 'student', config: { model: STUDENT } },
    { name: 'distilled', config: { student: STUDENT, teacher: join(out, 'teacher', 'last.safetensors') } },
  ];
  const summaries: RunSummary[] = [];
  for (const { name, config } of runs) {
    const reporter = progress({ epochs: EPOCHS, label: name });
    const summary = await interruptible(
      (signal) => runExperiment({ ...common, ...config }, { out: join(out, name), reporter, signal }),
      () => {
        process.exitCode = exitCodes.interrupted;
      },
    ).finally(reporter.end);
    if (!summary) {
      say(`stopped; what was done is in ${out}`);
      return;
    }
    summaries.push(summary);
  }
  const [teacher, student, distilled] = summaries as [RunSummary, RunSummary, RunSummary];
  const row = (what: string, how: string, run: RunSummary): string[] => [
    what,
    how,
    run.top1.toFixed(2),
    run.loss.toFixed(4),
    run.imagesPerSecond.toFixed(0),
    duration(run.seconds),
  ];
  result(flags.json, { data, limitTrain, limitTest, precision, teacher, student, distilled }, () =>
    [
      '',
      table(
        ['network', 'learns from', 'top-1 %', 'loss', 'images/s', 'time'],
        [
          row(`teacher ${TEACHER}`, 'labels', teacher),
          row(`student ${STUDENT}`, 'labels', student),
          row(`student ${STUDENT}`, 'labels and teacher', distilled),
        ],
      ),
      '',
      `On ${limitTest} test images a top-1 is good to about ${spread({ top1: student.top1, testCount: limitTest }).toFixed(1)} points (one standard error); runs this short show that all works, and little about the methods.`,
      `The runs are in ${out}. Next, your own: ${commandLine('distill', '--help')}`,
    ].join('\n'),
  );
}
