/** @file `thrive train` and `thrive distill`: one run from flags, a configuration file, or an earlier run. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { UserError } from '../../base/errors.ts';
import type { Config, ConfigInput, RunSummary } from '../../experiment/index.ts';
import {
  addDataFlags,
  addEngineFlags,
  type DataFlags,
  type EngineFlags,
  integer,
  integers,
  number,
  positiveInteger,
} from '../flags.ts';
import { duration, exitCodes, result, say, table } from '../output.ts';

type Task = 'train' | 'distill';

interface RunFlags extends DataFlags, EngineFlags {
  model?: string;
  student?: string;
  teacher?: string;
  teacherModel?: string;
  epochs?: number;
  lr?: number;
  momentum?: number;
  nesterov?: boolean;
  weightDecay?: number;
  schedule?: string;
  milestones?: number[];
  limitTrain?: number;
  holdout?: number;
  baseAugment?: string;
  gamma?: number;
  alpha?: number;
  temperature?: number;
  seed?: number;
  config?: string;
  out?: string;
  resume?: string | boolean;
}

function addRunFlags(command: Command): Command {
  addDataFlags(command)
    .option('--limit-train <n>', 'use only n training pictures, the first n / classes of each class', positiveInteger)
    .option('--holdout <fraction>', 'keep this share of the training set apart and choose the best epoch on it', number)
    .option('--epochs <n>', 'passes over the training set (default: 240)', positiveInteger)
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
    .option(
      '--base-augment <name>',
      'crop+flip, crop, flip or none, each picture with its own draw (default: crop+flip)',
    )
    .option('--seed <n>', 'everything random follows from it (default: 0)', integer);
  return addEngineFlags(command)
    .option('--config <file>', 'settings from a TypeScript, JavaScript or JSON file; flags win over it')
    .option('--out <folder>', 'run folder (default: a new one under runs/)')
    .option('--resume [folder]', 'continue the run in this folder (or in --out) exactly where it was saved');
}

/** The settings that flags say, leaving out those not given. */
function settings(task: Task, flags: RunFlags): Partial<ConfigInput> {
  const { schedule, milestones, gamma, alpha, temperature, teacher, teacherModel } = flags;
  const given: Record<string, unknown> = {
    data: flags.data,
    dataDir: flags.dataDir,
    limitTrain: flags.limitTrain,
    limitTest: flags.limitTest,
    holdout: flags.holdout,
    model: task === 'train' ? flags.model : flags.student,
    epochs: flags.epochs,
    batchSize: flags.batchSize,
    lr: flags.lr,
    momentum: flags.momentum,
    nesterov: flags.nesterov,
    weightDecay: flags.weightDecay,
    standard: flags.baseAugment,
    seed: flags.seed,
    precision: flags.precision,
    device: flags.device,
    threads: flags.threads,
  };
  if (milestones && schedule && schedule !== 'step')
    throw new UserError(`--milestones belongs to --schedule step, not ${schedule}`);
  if (milestones) given.schedule = { kind: 'step', milestones };
  else if (schedule && schedule !== 'step') given.schedule = { kind: schedule };
  const kd = Object.entries({ gamma, alpha, temperature }).filter(([, value]) => value !== undefined);
  if (kd.length > 0) given.kd = Object.fromEntries(kd);
  if (teacher) given.teacher = { checkpoint: teacher, ...(teacherModel ? { model: teacherModel } : {}) };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Partial<ConfigInput>;
}

/** Settings that may change between a run and its continuation: they are about the machine, not the experiment. */
const machineSettings = new Set(['dataDir', 'threads', 'device']);

/** A saved configuration with this session's flags; flags that contradict it are an error that names them. */
async function continued(saved: Config, given: Partial<ConfigInput>): Promise<Config> {
  const { flagOf, resolveConfig } = await import('../../experiment/config.ts');
  const merged = resolveConfig({ ...saved, ...given, kd: { ...saved.kd, ...given.kd } });
  for (const key of Object.keys(merged) as (keyof Config)[]) {
    if (machineSettings.has(key) || JSON.stringify(merged[key]) === JSON.stringify(saved[key])) continue;
    throw new UserError(
      `${flagOf([key])} ${JSON.stringify(merged[key])} differs from the ${JSON.stringify(saved[key])} of the run to resume`,
      { hint: 'leave the flag out to continue, or start a new run with another --out' },
    );
  }
  return merged;
}

const stamp = (): string => new Date().toISOString().slice(0, 19).replace('T', '-').replaceAll(':', '');

async function execute(task: Task, flags: RunFlags): Promise<void> {
  const { resolveConfig } = await import('../../experiment/config.ts');
  const given = settings(task, flags);
  const fromFile = flags.config
    ? await (await import('../../experiment/config-file.ts')).readConfigFile(flags.config)
    : {};
  const folder = typeof flags.resume === 'string' ? flags.resume : flags.out;
  if (flags.resume && !folder)
    throw new UserError('--resume needs the folder of a run', { hint: 'thrive train --resume runs/NAME' });

  const { RunFolder } = await import('../../experiment/run-folder.ts');
  const saved =
    flags.resume && folder && existsSync(join(folder, 'config.json')) ? RunFolder.open(folder).record : null;
  if (flags.resume && !saved && !given.model && !fromFile.model) RunFolder.open(folder!); // says that there is no run
  if (saved && saved.config.task !== task)
    throw new UserError(`${folder} holds a '${saved.config.task}' run`, {
      hint: `use thrive ${saved.config.task} --resume ${folder}`,
    });
  const config = saved
    ? await continued(saved.config, { ...fromFile, ...given })
    : resolveConfig({ ...fromFile, ...given, task }, { dataDir: process.env.THRIVE_DATA } as Partial<ConfigInput>);
  const out = folder ?? join('runs', `${stamp()}-${task}-${config.data}-${config.model}-s${config.seed}`);

  const { progress } = await import('../progress.ts');
  const reporter = progress({ epochs: config.epochs });
  const { interruptible } = await import('../interrupt.ts');
  const { runExperiment } = await import('../../experiment/run.ts');
  const summary = await interruptible(
    (signal) => runExperiment(config, { out, resume: saved !== null, reporter, signal }),
    () => {
      reporter.end();
      say(`stopped; continue with: thrive ${task} --resume ${out}`);
      process.exitCode = exitCodes.interrupted;
    },
  );
  if (!summary) return;
  reporter.end();
  result(flags.json, summary, () => describe(summary));
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
      .option('--model <name>', 'the network: resnet8 … resnet110, resnet8x4, resnet32x4, …'),
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
      .option('--teacher <file>', 'checkpoint of the teacher: .pth or .safetensors')
      .option('--teacher-model <name>', 'its architecture, where the file does not say it')
      .option('--student <name>', 'the network to train')
      .option('--gamma <weight>', 'weight of cross entropy with the labels (default: 0.1)', number)
      .option('--alpha <weight>', 'weight of KL(teacher || student) (default: 0.9)', number)
      .option('--temperature <t>', 'softens both outputs in the KL (default: 4)', number),
  )
    .addHelpText(
      'after',
      `
Examples:
  thrive distill --data cifar100 --teacher resnet56.pth --teacher-model resnet56 --student resnet20
  thrive distill --data cifar100 --teacher runs/teacher/last.safetensors --student resnet20 --epochs 40 --limit-train 12500
  thrive distill --resume runs/NAME`,
    )
    .action((flags: RunFlags) => execute('distill', flags));
}
