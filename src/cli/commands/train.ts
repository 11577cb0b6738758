/** @file `thrive train` and `thrive distill`: one run from flags, a configuration file, or an earlier run. */
import { join } from 'node:path';
import type { Command } from 'commander';
import { UserError } from '../../base/errors.ts';
import type { Config, ConfigInput } from '../../config/index.ts';
import type { RunSummary } from '../../run/index.ts';
import {
  addDataFlags,
  addEngineFlags,
  type DataFlags,
  type EngineFlags,
  integer,
  integers,
  names,
  number,
  numbers,
  positiveInteger,
  repeated,
} from '../flags.ts';
import { type MethodFlags, methodNames, methodOption, methodWeights, withMethods } from '../method-flags.ts';
import { duration, exitCodes, result, say, table } from '../output.ts';

type Task = 'train' | 'distill';

interface RunFlags extends DataFlags, EngineFlags, MethodFlags {
  model?: string;
  student?: string;
  teacher?: string[];
  teacherModel?: string[];
  teacherWeights?: number[];
  teacherNormalization?: string;
  ensemble?: string;
  gradientEvery?: number;
  studentTaps?: string[];
  teacherTaps?: string[];
  init?: string;
  resetHead?: boolean;
  epochs?: number;
  lr?: number;
  momentum?: number;
  nesterov?: boolean;
  weightDecay?: number;
  schedule?: string;
  milestones?: number[];
  limitTrain?: number;
  holdout?: number;
  evaluateEvery?: number;
  baseAugment?: string;
  gamma?: number;
  alpha?: number;
  temperature?: number;
  augment?: string;
  draw?: string;
  strongWeight?: number;
  strongLabels?: string;
  passes?: string;
  pick?: string;
  pickFactor?: number;
  pickKeep?: number;
  pickUpdatesStatistics?: boolean;
  epochScale?: number;
  seed?: number;
  config?: string;
  out?: string;
  resume?: string | boolean;
}

function addRunFlags(command: Command): Command {
  addDataFlags(command)
    .option('--limit-train <n>', 'use only n training images, the first n / classes of each class', positiveInteger)
    .option('--holdout <fraction>', 'keep this share of the training set apart and choose the best epoch on it', number)
    .option('--evaluate-every <n>', 'measure after every n epochs, and after the last (default: 1)', positiveInteger)
    .option('--epochs <n>', 'passes over the training set (default: 240)', positiveInteger)
    .option('--epoch-scale <k>', 'multiply epochs and milestones by k: long training', number)
    .option('--lr <rate>', 'learning rate (default: 0.05)', number)
    .option('--momentum <m>', 'momentum of SGD (default: 0.9)', number)
    .option('--nesterov', 'Nesterov momentum')
    .option('--weight-decay <w>', 'weight decay, on every parameter (default: 0.0005)', number)
    .option('--schedule <name>', 'step, cosine, one-cycle or constant (default: step)')
    .option(
      '--milestones <epochs>',
      'epochs after which step divides the rate by 10 (default: 62.5, 75, 87.5 % of the run)',
      integers,
    )
    .option('--base-augment <name>', 'crop+flip, crop, flip or none, each image with its own draw (default: crop+flip)')
    .option('--init <file>', 'start from the weights in this file: .pth or .safetensors')
    .option('--reset-head', 'with --init: all but the last linear layer, which is drawn; for weights of other classes')
    .option('--seed <n>', 'everything random follows from it (default: 0)', integer);
  return addEngineFlags(command)
    .option(
      '--config <file>',
      "settings from a TypeScript, JavaScript or JSON file, a run's config.json too; flags win over it",
    )
    .option('--out <folder>', 'run folder (default: a new one under runs/)')
    .option('--resume [folder]', 'continue the run in this folder (or in --out) exactly where it was saved');
}

/** One teacher, or several with their architectures and shares in the same order. */
function teachers(
  { teacher = [], teacherModel = [], teacherWeights, teacherNormalization: normalization, ensemble }: RunFlags,
  group: (values: object) => object | undefined,
): object {
  if (teacher.length < 2) {
    if (teacherModel.length > 1) {
      throw new UserError(
        `--teacher-model is given ${teacherModel.length} times for ${teacher.length || 'no'} teacher`,
      );
    }
    if (teacherWeights) throw new UserError('--teacher-weights is for several teachers', { hint: 'repeat --teacher' });
    return { teacher: group({ checkpoint: teacher[0], model: teacherModel[0], normalization }), ensemble };
  }
  for (const [flag, list] of Object.entries({ '--teacher-model': teacherModel, '--teacher-weights': teacherWeights })) {
    // One architecture may be everybody's.
    if (!list || list.length === 0 || list.length === teacher.length) continue;
    if (flag === '--teacher-model' && list.length === 1) continue;
    throw new UserError(`${flag} says ${list.length}, and there are ${teacher.length} teachers`, {
      hint: 'give one for each, in the order of --teacher',
    });
  }
  // Everybody's but that of an .onnx file, which holds its network itself.
  const shared = (checkpoint: string): string | undefined =>
    /\.onnx$/i.test(checkpoint) ? undefined : teacherModel[0];
  const list = teacher.map((checkpoint, i) =>
    group({
      checkpoint,
      model: teacherModel.length === 1 ? shared(checkpoint) : teacherModel[i],
      weight: teacherWeights?.[i],
      normalization,
    }),
  );
  return { teachers: list, ensemble };
}

/** The settings that flags say, leaving out those not given. */
function settings(task: Task, flags: RunFlags): Partial<ConfigInput> {
  const { schedule, milestones, gamma, alpha, temperature } = flags;
  if (milestones && schedule && schedule !== 'step') {
    throw new UserError(`--milestones belongs to --schedule step, not ${schedule}`);
  }
  const group = (values: object): object | undefined => {
    const present = Object.entries(values).filter(([, value]) => value !== undefined);
    return present.length > 0 ? Object.fromEntries(present) : undefined;
  };
  const given = group({
    data: flags.data,
    dataDir: flags.dataDir,
    limitTrain: flags.limitTrain,
    limitTest: flags.limitTest,
    holdout: flags.holdout,
    evaluateEvery: flags.evaluateEvery,
    model: task === 'train' ? flags.model : flags.student,
    studentTaps: flags.studentTaps,
    teacherTaps: flags.teacherTaps,
    init: flags.init,
    resetHead: flags.resetHead,
    ...teachers(flags, group),
    gradientEvery: flags.gradientEvery,
    epochs: flags.epochs,
    batchSize: flags.batchSize,
    lr: flags.lr,
    momentum: flags.momentum,
    nesterov: flags.nesterov,
    weightDecay: flags.weightDecay,
    schedule: group({ kind: milestones ? 'step' : schedule, milestones }),
    kd: group({ gamma, alpha, temperature }),
    strong: group({
      scheme: flags.augment,
      draw: flags.draw,
      weight: flags.strongWeight,
      labels: flags.strongLabels,
      passes: flags.passes,
      pick: group({
        criterion: flags.pick,
        factor: flags.pickFactor,
        keep: flags.pickKeep,
        updateStatistics: flags.pickUpdatesStatistics,
      }),
    }),
    standard: flags.baseAugment,
    seed: flags.seed,
    precision: flags.precision,
    device: flags.device,
    threads: flags.threads,
  });
  return (given ?? {}) as Partial<ConfigInput>;
}

/** Epochs and milestones, both times `scale` (the paper's long training: 2 and 4). */
export function scaleEpochs(given: Partial<ConfigInput>, scale: number | undefined): Partial<ConfigInput> {
  if (scale === undefined) return given;
  if (!(scale > 0)) throw new UserError(`--epoch-scale must be above 0, got ${scale}`);
  const { epochs = 240, schedule } = given;
  const scaled: Partial<ConfigInput> = { ...given, epochs: Math.max(1, Math.round(epochs * scale)) };
  if (schedule?.kind === 'step' && Array.isArray(schedule.milestones)) {
    scaled.schedule = { ...schedule, milestones: schedule.milestones.map((epoch) => Math.round(epoch * scale)) };
  }
  return scaled;
}

const stamp = (): string => new Date().toISOString().slice(0, 19).replace('T', '-').replaceAll(':', '');

/** What a command line, its configuration file and the run to resume add up to. */
async function configure(task: Task, flags: RunFlags): Promise<{ config: Config; out: string; resume: boolean }> {
  const { resolveConfig } = await import('../../config/config.ts');
  const { continueConfig, mergeSettings } = await import('../../config/merge.ts');
  const { modelLabel } = await import('../../networks/model-reference.ts');
  const { RunFolder } = await import('../../run/run-folder.ts');
  const fromFile = flags.config ? await (await import('../../config/config-file.ts')).readConfigFile(flags.config) : {};
  const given = scaleEpochs(mergeSettings(fromFile, settings(task, flags)), flags.epochScale);
  const folder = typeof flags.resume === 'string' ? flags.resume : flags.out;
  if (flags.resume && !folder) {
    throw new UserError('--resume needs the folder of a run', { hint: `thrive ${task} --resume runs/NAME` });
  }
  if (flags.resume && folder && (RunFolder.isAt(folder) || !given.model)) {
    const saved = RunFolder.open(folder).record.config;
    if (saved.task !== task) {
      throw new UserError(`${folder} holds a '${saved.task}' run`, {
        hint: `use thrive ${saved.task} --resume ${folder}`,
      });
    }
    const now = await withMethods(mergeSettings(saved, { ...given, task }), flags);
    return { config: continueConfig(saved, now), out: folder, resume: true };
  }
  const config = resolveConfig({ ...(await withMethods(given, flags)), task });
  const network = modelLabel(config.model).replace(/\.[cm]?[jt]s$/, '');
  const name = `${stamp()}-${task}-${config.data}-${network}-s${config.seed}`;
  return { config, out: folder ?? join('runs', name), resume: false };
}

/** A path as a shell takes it. */
const quoted = (path: string): string => (/^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`);

async function execute(task: Task, flags: RunFlags): Promise<void> {
  const { config, out, resume } = await configure(task, flags);
  const { progress } = await import('../progress.ts');
  const { interruptible } = await import('../interrupt.ts');
  const { runExperiment } = await import('../../run/run.ts');
  const reporter = progress(config);
  try {
    const summary = await interruptible(
      (signal) => runExperiment(config, { out, resume, reporter, signal }),
      () => {
        reporter.end();
        say(`stopped; continue with: thrive ${task} --resume ${quoted(out)}`);
        process.exitCode = exitCodes.interrupted;
      },
    );
    reporter.end();
    if (summary) result(flags.json, summary, () => describe(summary));
  } finally {
    reporter.end();
  }
}

function describe(summary: RunSummary): string {
  const percent = (value: number): string => value.toFixed(2);
  const rows: (string | number)[][] = [];
  if (summary.teacher)
    rows.push([
      'teacher',
      percent(summary.teacher.top1),
      percent(summary.teacher.top5),
      summary.teacher.loss.toFixed(4),
    ]);
  rows.push([`${summary.model}, last epoch`, percent(summary.top1), percent(summary.top5), summary.loss.toFixed(4)]);
  const { epoch, top1, chosenOn } = summary.best;
  const best =
    chosenOn === 'dev'
      ? `best on the dev split: epoch ${epoch}, top-1 ${percent(top1)} % on the test set`
      : `best epoch with hindsight on the test set: ${epoch}, top-1 ${percent(top1)} % (not a fair estimate; use --holdout)`;
  return [
    table(['network', 'top-1 %', 'top-5 %', 'loss'], rows),
    best,
    `${summary.imagesPerSecond.toFixed(0)} images/s, ${duration(summary.seconds)} in all; ${summary.folder}`,
  ].join('\n');
}

export function registerTrain(program: Command): void {
  addRunFlags(
    program
      .command('train')
      .description('Train a network with cross entropy: a teacher, or a student alone')
      .option('--model <name>', 'the network: see thrive models; or the path of a file that exports one'),
  )
    .addHelpText(
      'after',
      `
Examples:
  thrive train --data cifar100 --model resnet56 --epochs 30 --schedule one-cycle --lr 0.4 --nesterov --batch-size 128
  thrive train --data synthetic --model resnet8 --epochs 5
  thrive train --resume runs/NAME`,
    )
    .action((flags: RunFlags) => execute('train', flags));
}

export function registerDistill(program: Command): void {
  addRunFlags(
    program
      .command('distill')
      .description('Train a student from a frozen teacher (knowledge distillation)')
      .option('--teacher <file>', 'file of the teacher: .safetensors, .pth or .onnx; several if given again', repeated)
      .option(
        '--teacher-model <name>',
        'its architecture (or a file that exports it), where the checkpoint does not say it',
        repeated,
      )
      .option(
        '--teacher-normalization <name>',
        "how its images are normalised, where its file does not say it: same, imagenet, half, unit, pixels (default: same as the dataset's)",
      )
      .option('--teacher-weights <numbers>', 'shares of several teachers: 2,1 (default: equal)', numbers)
      .option('--ensemble <what>', 'what several teachers average: probabilities or logits (default: probabilities)')
      .option('--student <name>', 'the network to train: see thrive models; or the path of a file that exports one')
      .option(
        '--student-taps <paths>',
        "modules whose outputs are compared: conv1,layer1,layer2 (default: the network's own)",
        names,
      )
      .option('--teacher-taps <paths>', 'the same in the teacher', names)
      .option(
        '--method <names>',
        'losses joined by +: kd, crd+kd, at@both+kd; see docs/losses.md (default: kd)',
        methodNames,
      )
      .option(
        '--weight <name=weight>',
        "a method's weight: crd=0.8; may be repeated (default: the method's)",
        methodWeights,
      )
      .option('--method-option <name.option=value>', "a method's own setting: crd.negatives=4096", methodOption)
      .option(
        '--gradient-every <n>',
        "record each loss's share of the gradient every n steps (default: 100; 0: never)",
        integer,
      )
      .option('--gamma <weight>', "weight of cross entropy with the labels (default: 0.1, or the method's)", number)
      .option(
        '--alpha <weight>',
        'weight of KL(teacher || student) (default: 0.9; 1 beside others; 0 without kd)',
        number,
      )
      .option('--temperature <t>', 'softens both outputs in the KL (default: 4)', number)
      .option(
        '--augment <scheme>',
        "also learn from a second view x' of each batch: cutmix, mixup, cutout, autoaugment, randaugment, …",
      )
      .option('--draw <how>', 'sample: a draw for each image; batch: one for all, as in the paper (default: sample)')
      .option('--strong-weight <weight>', "weight of the term on x' (default: alpha)", number)
      .option('--strong-labels <whose>', "teacher: its output on x'; mixed: the labels, mixed (default: teacher)")
      .option('--passes <how>', "separate: batch norm sees x and x' apart; joint: in one pass (default: separate)")
      .option(
        '--pick <criterion>',
        'make a pool and keep the best: kl, teacher-entropy, student-entropy, dissimilarity, random',
      )
      .option('--pick-factor <n>', 'views of each batch in the pool (default: 2)', positiveInteger)
      .option('--pick-keep <share>', 'share of the pool that is kept (default: 0.5)', number)
      .option('--pick-updates-statistics', "scoring moves the student's running statistics, as in the paper's code"),
  )
    .addHelpText(
      'after',
      `
Examples:
  thrive distill --data cifar100 --teacher resnet56.pth --teacher-model resnet56 --student resnet20
  thrive distill --data cifar100 --teacher runs/teacher/last.safetensors --student resnet20 --epochs 40 --limit-train 12500
  thrive distill --data cifar100 --teacher resnet56.pth --teacher-model resnet56 --student resnet20 --augment cutmix --pick kl
  thrive distill --data cifar100 --teacher resnet56.pth --teacher-model resnet56 --student resnet20 --method crd+kd --weight crd=0.8
  thrive distill --resume runs/NAME`,
    )
    .action((flags: RunFlags) => execute('distill', flags));
}
