/** @file `thrive sweep`: seeds, methods and augmentations crossed, in one resumable folder. */
import { join } from 'node:path';
import type { Command } from 'commander';
import { UserError } from '../../base/errors.ts';
import { unknownName } from '../../base/suggest.ts';
import { amount } from '../comparison.ts';
import { integer, names, number, positiveInteger } from '../flags.ts';
import { duration, exitCodes, result, say, table } from '../output.ts';

interface SweepFlags {
  seeds: number[];
  method: string[];
  augment: string[];
  data: string;
  student: string;
  teacher?: string;
  teacherModel?: string;
  epochs: number;
  batchSize: number;
  limitTrain?: number;
  holdout?: number;
  threads?: number;
  jobs: number;
  out?: string;
  dryRun?: boolean;
  json?: boolean;
}

const integers = (text: string): number[] => text.split(',').map((part) => integer(part.trim()));

/** Flags that are passed on as they are: those of `thrive distill` that say the same of every run. */
function passedOn(program: Command, rest: readonly string[]): string[] {
  const distill = program.commands.find((command) => command.name() === 'distill')!;
  const known = distill.options.map(({ long }) => long ?? '');
  const own = ['--seed', '--resume', '--config', '--out'];
  for (const word of rest) {
    if (!word.startsWith('--')) continue;
    const [name = word] = word.split('=');
    if (own.includes(name)) throw new UserError(`${name} is for one run`, { hint: 'a sweep sets it for each' });
    if (!known.includes(name)) throw unknownName('flag', name, known);
  }
  return [...rest];
}

async function execute(this: Command, flags: SweepFlags): Promise<void> {
  const { costOf, planSweep } = await import('../../run/sweep.ts');
  const { claimFolder, isFinished, runSweep, again } = await import('../sweep.ts');
  const { datasetInfo } = await import('../../data/index.ts');
  const { cpus } = await import('node:os');
  const { defaultThreads } = await import('../../torch/index.ts');
  const { weightsAt } = await import('../../networks/run-weights.ts');
  const { data, student, epochs, batchSize, limitTrain, holdout = 0, jobs, json } = flags;
  const runs = planSweep({ seeds: flags.seeds, methods: flags.method, augmentations: flags.augment });
  const extra = passedOn(this.parent!, this.args);
  const distills = runs.some(({ task }) => task === 'distill');
  if (distills && flags.teacher === undefined) {
    throw new UserError('there is no teacher to learn from', { hint: 'give --teacher FILE, or --method ce alone' });
  }
  const teacher = flags.teacher === undefined ? undefined : weightsAt(flags.teacher);
  if (teacher?.note) say(teacher.note);
  const processors = cpus().length > 0 ? defaultThreads() : 1;
  if (jobs > processors) {
    throw new UserError(`--jobs ${jobs}: this process may use ${processors} threads`, {
      hint: `give at most --jobs ${processors}`,
    });
  }
  const threads = flags.threads ?? Math.max(1, Math.floor(processors / jobs));
  if (threads * jobs > processors) {
    throw new UserError(`--jobs ${jobs} of ${threads} threads each are more than the ${processors} there are`, {
      hint: 'leave --threads out, or lower one of them',
    });
  }
  const option = (name: string, value: string | number | undefined): string[] =>
    value === undefined ? [] : [name, String(value)];
  const shared = [
    ...['--data', data],
    ...option('--epochs', epochs),
    ...option('--batch-size', batchSize),
    ...option('--limit-train', limitTrain),
    ...option('--holdout', flags.holdout),
    ...extra,
  ];
  const teaching = [...option('--teacher', teacher?.file), ...option('--teacher-model', flags.teacherModel)];
  const out = flags.out ?? join('runs', `sweep-${data}-${student.replace(/\W+/g, '-')}`);

  const count = limitTrain ?? datasetInfo(data).count?.train;
  if (count === undefined) {
    throw new UserError(`how many training images ${data} has is not known before it is read`, {
      hint: 'say how many to use with --limit-train',
    });
  }
  const images = Math.round(count * (1 - holdout));
  const left = runs.filter((run) => !isFinished(out, run));
  const cost = costOf(left, images, epochs, batchSize);
  const { secondsOf } = await import('../sweep-time.ts');
  const seconds =
    left.length > 0 ? await secondsOf({ cost, student, teacher: teacher?.file, data, batchSize, threads, jobs }) : 0;
  const heading = ['run', 'images', 'teacher fwd', 'student fwd', 'state'];
  const rows = runs.map((run) => {
    const own = costOf([run], images, epochs, batchSize);
    return [run.name, amount(own.images), amount(own.teacher), amount(own.student), isFinished(out, run) ? 'done' : ''];
  });
  const time = seconds === null ? 'time not known' : `about ${duration(seconds)}`;
  say(table(heading, rows));
  say(
    `${cost.runs} of ${runs.length} runs to do: ${amount(cost.steps)} steps, ${amount(cost.images)} images, ` +
      `${amount(cost.teacher)} teacher and ${amount(cost.student)} student forwards; ${time} with ${jobs} at a time, ${threads} ${threads === 1 ? 'thread' : 'threads'} each; in ${out}`,
  );
  if (flags.dryRun) {
    if (json)
      result(
        true,
        { out, runs: runs.map(({ name, task, flags: own }) => ({ name, task, flags: own })), cost, seconds },
        () => '',
      );
    return;
  }

  claimFolder(out, [student, ...shared, ...teaching]);
  const { failures, stopped } = await runSweep({
    out,
    runs,
    jobs,
    argvOf: ({ task, flags: own }) => [
      task,
      ...(task === 'train' ? ['--model', student] : ['--student', student, ...teaching]),
      ...shared,
      ...own,
      ...['--threads', String(threads)],
    ],
  });
  if (stopped) {
    say(`stopped; continue with: ${again(process.argv.slice(2), out)}`);
    process.exitCode = exitCodes.interrupted;
    return;
  }
  if (failures.length > 0) {
    say(`${failures.length} of ${runs.length} runs failed; the same command tries them again:`);
    for (const { name, error, log } of failures) say(`  ${name}: ${error} (${log})`);
    process.exitCode = exitCodes.failure;
    if (failures.length === runs.length) return;
  }
  const { compareProject } = await import('../../compare/compare.ts');
  const { describeComparison } = await import('../comparison.ts');
  const { terminalWidth } = await import('../layout.ts');
  const { groups, notes } = compareProject([out], { sort: 'top1' });
  for (const note of notes) say(`note: ${note}`);
  result(json, { out, failures, groups, notes }, () =>
    describeComparison(groups, { style: 'terminal', width: terminalWidth() }),
  );
}

export function registerSweep(program: Command): void {
  program
    .command('sweep')
    .description('Many runs: seeds, methods and augmentations crossed, resumable, compared at the end')
    .requiredOption('--data <name>', 'dataset of all runs')
    .requiredOption('--student <name>', 'the network to train')
    .option('--teacher <file>', 'the teacher of all runs: a run folder, .safetensors, .pth or .onnx')
    .option('--teacher-model <name>', 'its architecture, where its file does not say it')
    .option('--seeds <numbers>', 'separated by commas', integers, [0])
    .option('--method <names>', 'separated by commas: ce (the student alone), kd, crd+kd, …', names, ['kd'])
    .option('--augment <schemes>', 'separated by commas: none, cutmix, cutmix+pick:kl, …', names, ['none'])
    .option('--epochs <n>', 'passes over the training set', positiveInteger, 240)
    .option('--batch-size <n>', 'images a step', positiveInteger, 64)
    .option('--limit-train <n>', 'use only n training images', positiveInteger)
    .option('--holdout <fraction>', 'keep this share of the training set apart', number)
    .option('--jobs <n>', 'runs at a time, which share the processors', positiveInteger, 1)
    .option('--threads <n>', 'threads of each run (default: all processors, shared by the jobs)', positiveInteger)
    .option('--out <folder>', 'folder of the runs (default: runs/sweep-DATA-STUDENT); the same one again goes on')
    .option('--dry-run', 'print the plan and its cost, and run nothing')
    .option('--json', 'print one JSON object on standard output, everything else on standard error')
    .allowUnknownOption()
    .allowExcessArguments()
    .addHelpText(
      'after',
      `
Any other flag of thrive distill holds for every run. The same command again goes on where it stopped; runs that failed are
tried again.

Examples:
  thrive sweep --data cifar100 --student resnet20 --teacher runs/teacher --seeds 1,2,3 --method ce,kd,crd+kd --augment none,cutmix
  thrive sweep … --jobs 2 --dry-run
  thrive sweep … --lr 0.1 --schedule cosine`,
    )
    .action(execute);
}
