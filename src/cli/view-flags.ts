/** @file The flags of commands that show or score augmentations. */
import type { Command } from 'commander';
import type { JudgeOptions } from '../score/index.ts';
import { integer, number, positiveInteger } from './flags.ts';
import { say } from './output.ts';

export interface ViewFlags {
  data?: string;
  dataDir?: string;
  limitTrain?: number;
  teacher?: string;
  teacherModel?: string;
  teacherNormalization?: string;
  student?: string;
  studentModel?: string;
  augment?: string;
  draw?: string;
  pickFactor?: number;
  pickKeep?: number;
  temperature?: number;
  seed?: number;
  device?: string;
  precision?: string;
  threads?: number;
  json?: boolean;
}

/** What `--augment` takes, for the end of --help. */
export const augmentHelp = `
--augment takes names separated by commas:
  all                           the paper's nine: identity, flip, crop+flip, cutout, autoaugment, mixup, cutmix,
                                cutmix+pick:student-entropy (needs --student), cutmix+pick:teacher-entropy
  SCHEME                        one of these, or randaugment, trivialaugment, random-erasing, patchmix
  SCHEME+pick:CRITERION         what is kept of a pool of its views; CRITERION is kl, teacher-entropy, student-entropy,
                                dissimilarity or random (kl and student-entropy need --student)`;

export function addViewFlags(command: Command, defaults: { augment: string; draw: string; epoch: string }): Command {
  return command
    .option('--data <name>', 'dataset: cifar100, cifar10, fashion-mnist, mnist, synthetic')
    .option('--data-dir <folder>', 'folder that holds the dataset (or set THRIVE_DATA)')
    .option('--limit-train <n>', 'use only n training images, the first n / classes of each class', positiveInteger)
    .option('--teacher <file>', 'file of the teacher: .safetensors, .pth or .onnx')
    .option(
      '--teacher-model <name>',
      'its architecture, or a file that exports it, where the checkpoint does not say it',
    )
    .option(
      '--teacher-normalization <name>',
      "how its images are normalised, where its file does not say it: same, imagenet, half, unit, pixels (default: same as the dataset's)",
    )
    .option('--student <file>', 'checkpoint of a trained student, for picking by kl or student-entropy')
    .option(
      '--student-model <name>',
      'its architecture, or a file that exports it, where the checkpoint does not say it',
    )
    .option('--augment <list>', `augmentations, separated by commas; see below (default: ${defaults.augment})`)
    .option('--draw <how>', `batch: one draw for the whole batch, as in the paper's code; sample: ${defaults.draw}`)
    .option('--pick-factor <n>', 'views of each batch in a pool (default: 2)', integer)
    .option('--pick-keep <share>', 'share of a pool that is kept (default: 0.5)', number)
    .option('--temperature <t>', 'of picking by kl (default: 4)', number)
    .option('--seed <n>', `everything random follows from it${defaults.epoch} (default: 0)`, integer)
    .option('--device <name>', 'cpu, cuda, cuda:1 (default: cpu)')
    .option('--precision <name>', 'fp32, or bf16: mixed precision by autocast (default: fp32)')
    .option('--threads <n>', 'threads of the engine (default: all processors)', positiveInteger)
    .option('--json', 'print one JSON object on standard output, everything else on standard error');
}

/** The settings of the judges; their values are checked with everything else, before anything is loaded. */
export function judgeOptions(flags: ViewFlags & { data: string }): JudgeOptions {
  const { student, studentModel, draw, precision, data, dataDir, limitTrain, augment, pickFactor, pickKeep } = flags;
  const { temperature, seed, device, threads } = flags;
  return {
    data,
    dataDir,
    limitTrain,
    augment,
    pickFactor,
    pickKeep,
    temperature,
    draw: draw as JudgeOptions['draw'],
    seed,
    device,
    precision: precision as JudgeOptions['precision'],
    threads,
    onNote: say,
    ...(student ? { student: { checkpoint: student, model: studentModel } } : {}),
  };
}
