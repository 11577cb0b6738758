/** @file The flags of commands that show or score augmentations. */
import type { Command } from 'commander';
import type { ConfigInput } from '../config/config.ts';
import type { Setting } from '../config/row.ts';
import type { JudgeOptions } from '../score/index.ts';
import { jsonHelp } from './flags.ts';
import { say } from './output.ts';
import { addSettings, checkedSettings } from './setting-flags.ts';

export interface ViewFlags
  extends Pick<ConfigInput, 'data' | 'dataDir' | 'limitTrain' | 'student' | 'augment' | 'draw' | 'precision'>,
    Pick<
      ConfigInput,
      'augmentOption' | 'pickOption' | 'pickFactor' | 'pickKeep' | 'temperature' | 'seed' | 'device' | 'threads'
    > {
  teacher?: string;
  teacherModel?: string;
  teacherNormalization?: string;
  studentModel?: string;
  json?: boolean;
}

/** What `--augment` takes, for the end of --help. */
export const augmentHelp = `
--augment takes names separated by commas:
  all                           the paper's nine: identity, flip, crop+flip, cutout, autoaugment, mixup, cutmix,
                                cutmix+pick:student-entropy (needs --student), cutmix+pick:teacher-entropy
  SCHEME                        any that thrive augmentations lists, or the path of a file that exports one
  SCHEME+pick:CRITERION         what is kept of a pool of its views; CRITERION is any that thrive criteria lists, or
                                the path of a file (kl and student-entropy need --student)`;

const shared = ['data', 'dataDir', 'teacher', 'teacherModel', 'teacherNormalization', 'student', 'augment', 'draw'];
const others = [
  'augmentOption',
  'pickOption',
  'limitTrain',
  'pickFactor',
  'pickKeep',
  'temperature',
  'seed',
  'device',
  'precision',
  'threads',
];

/** The flags of a run that mean the same here; `more` is what a command says of them itself. */
export function addViewFlags(
  command: Command,
  more: Readonly<Record<'augment' | 'draw' | 'seed', Partial<Setting>>>,
): Command {
  return addSettings(command, [...shared, ...others], {
    more: {
      teacher: { help: 'file of the teacher: .safetensors, .pth or .onnx', read: (text) => text },
      teacherModel: { read: (text) => text },
      teacherNormalization: { read: (text) => text },
      student: { help: 'checkpoint of a trained student, for picking by kl or student-entropy', value: '<file>' },
      temperature: { help: 'of picking by kl' },
      ...more,
      augment: { help: 'augmentations, separated by commas; see below', value: '<list>', ...more.augment },
    },
  })
    .option(
      '--student-model <name>',
      'its architecture, or a file that exports it, where the checkpoint does not say it',
    )
    .option('--json', jsonHelp);
}

/** The settings of the judges; their values are checked with everything else, before anything is loaded. */
export function judgeOptions(flags: ViewFlags & { data: string }): JudgeOptions {
  checkedSettings({ ...flags });
  const { student, studentModel, draw, precision, data, dataDir, limitTrain, augment, pickFactor, pickKeep } = flags;
  const { temperature, seed, device, threads, augmentOption, pickOption } = flags;
  return {
    data,
    dataDir,
    limitTrain,
    augment,
    augmentOption,
    pickOption,
    pickFactor,
    pickKeep,
    temperature,
    draw,
    seed,
    device,
    precision,
    threads,
    onNote: say,
    ...(student ? { student: { checkpoint: student, model: studentModel } } : {}),
  };
}
