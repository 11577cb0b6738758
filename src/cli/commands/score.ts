/** @file `thrive score`: T. stddev of augmentations under a teacher, before any student is trained. */
import type { Command } from 'commander';
import { UserError } from '../../base/errors.ts';
import { quantity } from '../../base/quantity.ts';
import type { AugmentationScore, SchemeScore } from '../../score/index.ts';
import { positiveInteger } from '../flags.ts';
import { bold, duration, exitCodes, result, say, table } from '../output.ts';
import { checkOutputFile } from '../output-file.ts';
import { addViewFlags, augmentHelp, judgeOptions, type ViewFlags } from '../view-flags.ts';

interface ScoreFlags extends ViewFlags {
  epochs?: number;
  batchSize?: number;
  group?: number;
  out?: string;
}

const many = (n: number): string => n.toLocaleString('en-US');

async function execute(flags: ScoreFlags): Promise<void> {
  const { data, teacher, teacherModel, epochs, batchSize, group, out } = flags;
  if (!teacher) throw new UserError('there is no teacher to ask', { hint: 'give its checkpoint: --teacher FILE' });
  if (!data) throw new UserError('no dataset is named', { hint: 'give one with --data, for example cifar100' });
  if (flags.studentModel && !flags.student) {
    throw new UserError('--student-model says what --student holds, and there is no --student');
  }
  // Hours of work must not end at a path that cannot be written.
  checkOutputFile('--out', out, 'scores.json');
  const { scoreAugmentations } = await import('../../score/score.ts');
  const { viewName } = await import('../../score/views.ts');
  const { interruptible } = await import('../interrupt.ts');
  const { imageProgress } = await import('../progress.ts');
  const bar = imageProgress('scoring');
  const score = await interruptible(
    (signal) =>
      scoreAugmentations({
        ...judgeOptions({ ...flags, data }),
        teacher: { checkpoint: teacher, model: teacherModel, normalization: flags.teacherNormalization },
        epochs,
        batchSize,
        group,
        signal,
        onStart({ views, images, forwards, leftOut }) {
          for (const left of leftOut) say(`left out: ${viewName(left)}; ${left.reason}`);
          const student = forwards.student > 0 ? ` and ${many(forwards.student)} student` : '';
          say(
            `${quantity(views.length, 'augmentation')}, ${quantity(images, 'image')}, ${quantity(epochs ?? 10, 'epoch')}: at most ${many(forwards.teacher)} teacher${student} forwards`,
          );
          bar.update(0, images * (epochs ?? 10));
        },
        onStep: bar.update,
      }),
    () => {
      say('stopped too early to say anything');
      process.exitCode = exitCodes.interrupted;
    },
  ).finally(bar.end);
  if (!score) return;
  if (score.steps.taken < score.steps.asked) {
    say(`stopped after ${score.steps.taken} of ${score.steps.asked} steps; this is what they say`);
    process.exitCode = exitCodes.interrupted;
  }
  const { bars } = await import('../../plot/bars.ts');
  const { viewTitle } = await import('../../score/views.ts');
  result(flags.json, score, () => describe(score, viewTitle, bars));
  if (out !== undefined) {
    const { writeFileAtomic } = await import('../../base/files.ts');
    writeFileAtomic(out, `${JSON.stringify(score)}\n`);
    say(`written to ${out}`);
  }
}

type Bars = typeof import('../../plot/bars.ts').bars;
type Title = typeof import('../../score/views.ts').viewTitle;

const figure = (value: number): string => value.toFixed(6);

/** Best first: the table, the plot, and how the order compares with the paper's. */
function describe(score: AugmentationScore, title: Title, bars: Bars): string {
  const { schemes, paper, forwards, seconds, teacher, data, images, epochs, batchSize, group, draw } = score;
  const ranked = [...schemes].sort((a, b) => a.tStddev - b.tStddev);
  const theirs = [...schemes].filter((s) => s.paper !== undefined).sort((a, b) => a.paper! - b.paper!);
  const beside = (scheme: SchemeScore): (string | number)[] =>
    theirs.length === 0
      ? []
      : [scheme.paper === undefined ? '-' : figure(scheme.paper), theirs.indexOf(scheme) + 1 || '-'];
  const rows = ranked.map((scheme, i) => [
    i + 1,
    title(scheme),
    figure(scheme.tStddev),
    figure(scheme.standardError),
    scheme.meanEntropy.toFixed(4),
    ...beside(scheme),
  ]);
  const header = [
    'rank',
    'augmentation',
    'T. stddev',
    '± s.e.',
    'entropy',
    ...(theirs.length > 0 ? ['paper', 'rank there'] : []),
  ];
  const plot = bars(
    ranked.map((scheme) => ({
      label: title(scheme),
      value: scheme.tStddev,
      text: figure(scheme.tStddev),
      reference: scheme.paper,
    })),
    { width: Math.min(100, process.stdout.columns || 80) },
  );
  const student = forwards.student > 0 ? `, ${many(forwards.student)} student` : '';
  const lines = [
    table(header, rows),
    '',
    bold(`T. stddev: lower is better${theirs.length > 0 ? '; │ marks the paper’s figure' : ''}`),
    ...plot,
    '',
  ];
  if (paper) {
    lines.push(
      `against the paper's ${paper.teacher} on ${paper.data}: Spearman ${paper.spearman.value.toFixed(4)}, Pearson ${paper.pearson.value.toFixed(4)} over ${theirs.length} augmentations`,
    );
  }
  if (theirs.length > 0 && (group !== 5 || batchSize !== 64 || draw !== 'batch')) {
    lines.push(
      "note: the paper's figures are of 5 steps of 64 images, with one draw a batch; these are not to be compared in size",
    );
  }
  lines.push(
    `${teacher.model} on ${data}: ${quantity(images, 'image')}, ${quantity(epochs, 'epoch')}, batches of ${batchSize}, ${schemes[0]!.vectors} vectors of ${group} steps, one draw a ${draw}`,
    `${many(forwards.teacher)} teacher${student} forwards in ${duration(seconds)}`,
  );
  return lines.join('\n');
}

export function registerScore(program: Command): void {
  const command = addViewFlags(
    program
      .command('score')
      .description('Rank augmentations by T. stddev: what a teacher says of them, before any student is trained'),
    {
      augment: { default: 'all' },
      draw: { default: 'batch' },
      seed: {
        help: 'everything random follows from it; views are those of a training run with this seed and batch size',
      },
    },
  )
    .option('--epochs <n>', 'passes over the training set (default: 10, as in the paper)', positiveInteger)
    .option('--batch-size <n>', 'images a step (default: 64, as in the paper)', positiveInteger)
    .option('--group <n>', 'steps whose outputs make one mean (default: 5, as in the paper)', positiveInteger)
    .option('--out <file>', 'also write the result to this file, as JSON');
  command
    .addHelpText(
      'after',
      `${augmentHelp}

T. stddev is the standard deviation of the teacher's mean probability on x and x' (H. Wang and others, NeurIPS 2022): the lower,
the lower the student's loss is expected to be. Costs forward passes of the teacher; none is made twice. A student that picks
does so with the statistics of the pool in its batch norm, as in the paper's code. Ctrl-C ends it with what was measured.

Examples:
  thrive score --teacher resnet56.pth --teacher-model resnet56 --data cifar100
  thrive score --teacher runs/teacher/last.safetensors --data cifar100 --augment identity,mixup,cutmix --epochs 1
  thrive score --teacher teacher.safetensors --student student.safetensors --data cifar100 --augment cutmix+pick:kl --json`,
    )
    .action(execute);
}
