/** @file What `thrive quickstart` does: three runs sized for this machine, and a table. */
import { join } from 'node:path';
import { UserError } from '../base/errors.ts';
import { datasetInfo, getDataset } from '../data/index.ts';
import { type ConfigInput, type RunSummary, resolveConfig, runExperiment } from '../experiment/index.ts';
import { createModel } from '../models/index.ts';
import { SGD } from '../nn/index.ts';
import type { Precision } from '../nn/precision.ts';
import { bf16Support } from '../torch/cpu.ts';
import { defaultThreads, setNumThreads, tensor, zeros } from '../torch/index.ts';
import { prefersChannelsLast } from '../train/layout.ts';
import { trainStep } from '../train/step.ts';
import { supervised } from '../train/task.ts';
import { interruptible } from './interrupt.ts';
import { duration, exitCodes, result, say, table } from './output.ts';
import { progress } from './progress.ts';

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
/** Cost of all three runs, in epochs of the teacher: its own, the student's (a third), the student's with teacher forwards. */
const COST = EPOCHS * (1 + 1 / 3 + 2 / 3);

/** Training speed of the teacher on this machine, in images/s: the best of a few steps on blank pictures. */
function measureSpeed(precision: Precision): number {
  setNumThreads(defaultThreads());
  const layout = prefersChannelsLast(precision, 'cpu') ? { memoryFormat: 'channelsLast' as const } : {};
  const network = createModel(TEACHER, { classes: 10 }).to(layout).train();
  const optimizer = new SGD(network.namedParameters(), { lr: 0 });
  const x = zeros([BATCH, 3, 32, 32]).to(layout);
  const labels = tensor(new Int32Array(BATCH), { dtype: 'int64' });
  const index = new Int32Array(BATCH);
  let best = Number.POSITIVE_INFINITY;
  for (let step = 0; step < 5; step++) {
    const start = performance.now();
    trainStep(network, supervised(), { x, labels, index, epoch: 0, step }, optimizer, {
      lr: 0,
      precision,
      device: 'cpu',
    });
    best = Math.min(best, performance.now() - start);
  }
  for (const owner of [network, optimizer, x, labels]) owner.dispose();
  return (BATCH * 1000) / best;
}

/** The data set asked for, or the first of the usual ones that is here or can be fetched. */
async function chooseData(flags: QuickstartFlags): Promise<string> {
  if (flags.data) return datasetInfo(flags.data).name;
  try {
    const { message } = await getDataset('fashion-mnist', {
      ...(flags.dataDir ? { dir: flags.dataDir } : {}),
      attempts: 1,
    });
    say(message);
    return 'fashion-mnist';
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    say('Fashion-MNIST cannot be had here; using generated pictures instead');
    return 'synthetic';
  }
}

export async function quickstart(flags: QuickstartFlags): Promise<void> {
  if (!(flags.minutes > 0 && flags.minutes <= 60))
    throw new UserError(`--minutes must be between 0 and 60, got ${flags.minutes}`);
  const precision: Precision = bf16Support().fast ? 'bf16' : 'fp32';
  const data = await chooseData(flags);
  const speed = measureSpeed(precision);
  const { count } = datasetInfo(data);
  const wanted = Math.floor((speed * flags.minutes * 60) / COST / 500) * 500;
  const limitTrain = Math.max(1000, Math.min(count.train, wanted));
  const limitTest = Math.min(count.test, Math.max(1000, Math.floor(limitTrain / 4)));
  const out = flags.out ?? join('runs', `quickstart-${new Date().toISOString().slice(0, 19).replaceAll(':', '')}`);
  say(
    `${data}: ${limitTrain} training and ${limitTest} test pictures, ${EPOCHS} epochs each, ${precision}; this machine trains ${TEACHER} at ${speed.toFixed(0)} images/s\n`,
  );

  const common: Partial<ConfigInput> = {
    data,
    ...(flags.dataDir ? { dataDir: flags.dataDir } : {}),
    epochs: EPOCHS,
    batchSize: BATCH,
    limitTrain,
    limitTest,
    precision,
    // A short run has no time for the paper's long steps: rise to a high rate and fall to nothing.
    schedule: { kind: 'one-cycle' },
    lr: 0.1,
    seed: 1,
  };
  const runs: { name: string; config: Partial<ConfigInput> }[] = [
    { name: 'teacher', config: { task: 'train', model: TEACHER } },
    { name: 'student', config: { task: 'train', model: STUDENT } },
    {
      name: 'distilled',
      config: { task: 'distill', model: STUDENT, teacher: { checkpoint: join(out, 'teacher', 'last.safetensors') } },
    },
  ];
  const summaries: RunSummary[] = [];
  for (const { name, config } of runs) {
    const reporter = progress({ epochs: EPOCHS, label: name });
    const summary = await interruptible(
      (signal) => runExperiment(resolveConfig({ ...common, ...config }), { out: join(out, name), reporter, signal }),
      () => {
        process.exitCode = exitCodes.interrupted;
      },
    );
    reporter.end();
    if (!summary) return;
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
      `The runs are in ${out}. Next, your own: npx thrive distill --help`,
    ].join('\n'),
  );
}
