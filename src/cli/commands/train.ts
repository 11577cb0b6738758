/** @file `thrive train` and `thrive distill`: one run from flags, a configuration file, or an earlier run. */
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import { UserError } from '../../base/errors.ts';
import { partLabel } from '../../base/registry.ts';
import type { ConfigInput } from '../../config/config.ts';
import { settings } from '../../config/settings.ts';
import type { RunSummary } from '../../run/index.ts';
import type { PreparedRun } from '../../run/run.ts';
import { jsonHelp, number } from '../flags.ts';
import { commandLine } from '../invocation.ts';
import { duration, exitCodes, result, say, table } from '../output.ts';
import { addSettings, settingsOf } from '../setting-flags.ts';

type Task = 'train' | 'distill';

/** What is no setting: how they are gathered, and where the run goes. */
interface RunFlags extends ConfigInput {
  epochScale?: number;
  config?: string;
  out?: string;
  resume?: string | boolean;
  json?: boolean;
}

function addRunFlags(command: Command, task: Task): Command {
  return addSettings(command, task)
    .addOption(new Option('--out <folder>', 'run folder (default: a new one under runs/)').helpGroup('First run:'))
    .addOption(
      new Option(
        '--resume [folder]',
        'continue the run in this folder (or in --out) exactly where it was saved',
      ).helpGroup('First run:'),
    )
    .addOption(
      new Option('--epoch-scale <k>', 'multiply epochs and milestones by k: long training')
        .argParser(number)
        .helpGroup('Optimisation:'),
    )
    .option(
      '--config <file>',
      "settings from a TypeScript, JavaScript or JSON file, a run's config.json too; flags win over it",
    )
    .option('--json', jsonHelp);
}

/** Epochs and milestones, both times `scale` (the paper's long training: 2 and 4). */
export function scaleEpochs(given: ConfigInput, scale: number | undefined): ConfigInput {
  if (scale === undefined) return given;
  if (!(scale > 0)) throw new UserError(`--epoch-scale must be above 0, got ${scale}`);
  const { epochs = settings.epochs.default, milestones } = given;
  return {
    ...given,
    epochs: Math.max(1, Math.round(epochs * scale)),
    ...(Array.isArray(milestones) ? { milestones: milestones.map((epoch) => Math.round(epoch * scale)) } : {}),
  };
}

const stamp = (): string => new Date().toISOString().slice(0, 19).replace('T', '-').replaceAll(':', '');

/** What a command line, its configuration file and the run to resume add up to. */
async function configure(task: Task, flags: RunFlags): Promise<PreparedRun> {
  const { mergeSettings } = await import('../../config/merge.ts');
  const { networkOf } = await import('../../config/derive.ts');
  const { modelLabel } = await import('../../networks/model-reference.ts');
  const { prepareRun } = await import('../../run/run.ts');
  const { loadParts } = await import('../../config/own-parts.ts');
  const typed = await loadParts(settingsOf({ ...flags }) as ConfigInput);
  if (typed.teacher !== undefined) {
    const { weightsAt } = await import('../../networks/run-weights.ts');
    const files = [typed.teacher].flat().map((path) => {
      const { file, note } = weightsAt(path);
      if (note) say(note);
      return file;
    });
    typed.teacher = Array.isArray(typed.teacher) ? files : files[0]!;
  }
  const fromFile = flags.config ? await (await import('../../config/config-file.ts')).readConfigFile(flags.config) : {};
  const parts = await loadParts(fromFile);
  const given = scaleEpochs(flags.config ? mergeSettings(parts, typed) : typed, flags.epochScale);
  const folder = typeof flags.resume === 'string' ? flags.resume : flags.out;
  if (flags.resume && !folder) {
    throw new UserError('--resume needs the folder of a run', { hint: `thrive ${task} --resume runs/NAME` });
  }
  if (flags.resume && folder) {
    const network = given.model ?? given.student;
    const { RunFolder } = await import('../../run/run-folder.ts');
    // Without settings of its own this must be a run: opening it says what is wrong with the folder.
    if (network === undefined && !RunFolder.isAt(folder)) RunFolder.open(folder);
    const prepared = await prepareRun(network === undefined ? given : { ...given, task }, folder, true, task);
    if (prepared.opened || network !== undefined) return prepared;
  }
  const prepared = await prepareRun({ ...given, task }, folder ?? '', false);
  if (folder) return prepared;
  const { config } = prepared;
  const network = modelLabel(networkOf(config)).replace(/\.[cm]?[jt]s$/, '');
  const { objectiveLabel } = await import('../../compare/label.ts');
  // What is learnt from comes first after the date: `kd+cutmix`, `crd+kd`.
  const what = objectiveLabel(config).replace(/[^\w+.@-]+/g, '-');
  const data = partLabel(config.data).replace(/\.[cm]?[jt]s$/, '');
  return { ...prepared, out: join('runs', `${stamp()}-${what}-${data}-${network}-s${config.seed}`) };
}

async function execute(task: Task, flags: RunFlags): Promise<void> {
  const prepared = await configure(task, flags);
  const { config, out } = prepared;
  // To the end of the process: an error is told after the run has ended.
  const { keepConsole } = await import('../console-log.ts');
  keepConsole(out);
  const { progress } = await import('../progress.ts');
  const { interruptible } = await import('../interrupt.ts');
  const { run } = await import('../../run/run.ts');
  const reporter = progress(config);
  try {
    const summary = await interruptible(
      (signal) => run(prepared, { reporter, signal, commandLine: process.argv.slice(2) }),
      () => {
        reporter.end();
        say(`stopped; continue with: ${commandLine(task, '--resume', out)}`);
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
    program.command('train').description('Train a network with cross entropy: a teacher, or a student alone'),
    'train',
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
    program.command('distill').description('Train a student from a frozen teacher (knowledge distillation)'),
    'distill',
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
