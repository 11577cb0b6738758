/** @file `thrive show-augment`: an image of what augmentations do, and of what is picked. */
import type { Command } from 'commander';
import { UserError } from '../../base/errors.ts';
import { positiveInteger } from '../flags.ts';
import { result, say } from '../output.ts';
import { checkOutputFile } from '../output-file.ts';
import { addViewFlags, augmentHelp, judgeOptions, type ViewFlags } from '../view-flags.ts';

interface ShowFlags extends ViewFlags {
  count?: number;
  scale?: number;
  out: string;
}

async function execute(flags: ShowFlags): Promise<void> {
  const { data, teacher, teacherModel: model, teacherNormalization: normalization, count, scale, out } = flags;
  if (!data) throw new UserError('no dataset is named', { hint: 'give one with --data, for example cifar100' });
  for (const who of ['teacher', 'student'] as const) {
    if (flags[`${who}Model`] && !flags[who]) {
      throw new UserError(`--${who}-model says what --${who} holds, and there is no --${who}`);
    }
  }
  if (normalization && !teacher) {
    throw new UserError(
      "--teacher-normalization says how --teacher's images are normalised, and there is no --teacher",
    );
  }
  if (!/\.png$/i.test(out)) throw new UserError(`--out ${out}: the sheet is a PNG`, { hint: 'name it FILE.png' });
  checkOutputFile('--out', out, 'augment.png');
  const { augmentSheet } = await import('../../score/augment-sheet.ts');
  const { writeFileAtomic } = await import('../../base/files.ts');
  const {
    png,
    bands: _bands,
    ...sheet
  } = await augmentSheet({
    ...judgeOptions({ ...flags, data }),
    ...(teacher ? { teacher: { checkpoint: teacher, model, normalization } } : {}),
    count,
    scale,
  });
  for (const { scheme, reason } of sheet.leftOut) say(`left out: ${scheme}; ${reason}`);
  writeFileAtomic(out, png);
  result(flags.json, { out, ...sheet }, () => `${out}: ${sheet.width} by ${sheet.height} pixels`);
}

export function registerShowAugment(program: Command): void {
  const command = addViewFlags(
    program
      .command('show-augment')
      .description('Draw what augmentations make of a batch, and what is picked of a pool, as a PNG'),
    {
      augment: { default: 'all' },
      draw: {},
      seed: { help: 'everything random follows from it; the images are the first of a training run with this seed' },
    },
  )
    .option('--count <n>', 'images in the batch (default: 8, or as many as --limit-train leaves)', positiveInteger)
    .option('--scale <n>', 'pixels on the sheet for each pixel of an image (default: 3)', positiveInteger)
    .option('--out <file>', 'the sheet', 'augment.png');
  command
    .addHelpText(
      'after',
      `${augmentHelp}
Picking by kl, teacher-entropy or dissimilarity needs --teacher. Each image of a pool has its score under it; the picked ones
are framed.

Examples:
  thrive show-augment --data synthetic --augment cutmix,mixup,cutout
  thrive show-augment --data cifar100 --teacher resnet56.pth --teacher-model resnet56 --augment cutmix+pick:teacher-entropy`,
    )
    .action(execute);
}
