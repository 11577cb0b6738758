/** @file Everything a run is made of, with defaults from the paper (section 4 of arXiv:2012.02909's later version) and checks. */
import { inspect } from 'node:util';
import { z } from 'zod';
import { schemeByName, schemeNames } from '../augment/index.ts';
import { UserError } from '../base/errors.ts';
import { nearest } from '../base/suggest.ts';
import { datasetInfo } from '../data/index.ts';
import { ensembleKinds } from '../distill/ensemble.ts';
import { type KdOptions, kdDefaults } from '../distill/objective.ts';
import { checkPickOptions, criteria, pickDefaults } from '../distill/pick.ts';
import { paperMilestones } from '../nn/schedule.ts';
import { type MethodInput, type MethodSettings, methodShape, resolveMethods } from './methods.ts';
import { normalizationSchema } from './teacher-normalization.ts';

const fraction = z.number().min(0).lt(1);
const positive = z.number().positive().finite();
const count = z.int().positive();
const weight = z.number().nonnegative().finite();
const taps = z.array(z.string().min(1)).min(1);

/** What each kind of schedule takes beside its kind. */
const scheduleShapes = {
  constant: {},
  step: {
    /** The paper's, in proportion to the epochs, unless given. */
    milestones: z.array(count).optional(),
    gamma: positive.max(1).default(0.1),
  },
  cosine: { minLr: weight.default(0), warmupEpochs: weight.default(0) },
  'one-cycle': {
    pctStart: z.number().gt(0).lt(1).default(0.3),
    divFactor: positive.default(25),
    finalDivFactor: positive.default(1e4),
  },
};

const scheduleSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('constant'), ...scheduleShapes.constant }),
  z.strictObject({ kind: z.literal('step'), ...scheduleShapes.step }),
  z.strictObject({ kind: z.literal('cosine'), ...scheduleShapes.cosine }),
  z.strictObject({ kind: z.literal('one-cycle'), ...scheduleShapes['one-cycle'] }),
]);

const teacherShape = {
  /** A .pth, .safetensors or .onnx file. */
  checkpoint: z.string().min(1),
  /** Its architecture, or a file that exports the network; checkpoints written here say it themselves. */
  model: z.string().min(1).optional(),
  /** How its pictures are normalised, where its file does not say it: a name, or mean and std. The data set's unless given. */
  normalization: normalizationSchema.optional(),
};

const ensembleShape = {
  ...teacherShape,
  /** Its share among several; 1 unless given. */
  weight: positive.optional(),
};

const kdShape = {
  /** 0.1 and 0.9 unless given; with other methods as their recipe says. */
  gamma: weight.optional(),
  alpha: weight.optional(),
  temperature: positive.default(kdDefaults.temperature),
};

const pickShape = {
  /** What the pool is ranked by: kl, teacher-entropy, student-entropy, dissimilarity, random. */
  criterion: z.enum(criteria),
  /** Views of each batch in the pool. */
  factor: count.default(pickDefaults.factor),
  /** Share of the pool that is kept. */
  keep: z.number().default(pickDefaults.keep),
  /** Whether scoring moves the student's running statistics, as it does in the paper's code. */
  updateStatistics: z.boolean().default(false),
};

const strongShape = {
  /** The augmentation that makes x' from x. */
  scheme: z.enum(schemeNames as [string, ...string[]]),
  /** A draw for each sample, or one for the batch, as in the paper's code. */
  draw: z.enum(['sample', 'batch']).default('sample'),
  /** Weight of the term on x'; kd.alpha unless given. */
  weight: weight.optional(),
  /** Learn from the teacher's output on x', or from the labels mixed as the pictures were. */
  labels: z.enum(['teacher', 'mixed']).default('teacher'),
  /** x and x' in two passes, or joined in one. */
  passes: z.enum(['separate', 'joint']).default('separate'),
  pick: z.strictObject(pickShape).optional(),
};

const configShape = {
  /** Cross entropy alone, or distillation from a teacher. */
  task: z.enum(['train', 'distill']),
  /** Data set by name; see `thrive data list`. */
  data: z.string().min(1),
  /** Folder that holds the data set. */
  dataDir: z.string().min(1).optional(),
  /** The first LIMIT / classes pictures of each class, in file order. */
  limitTrain: count.optional(),
  limitTest: count.optional(),
  /** Share of the training set kept out of training, on which the best epoch is chosen. */
  holdout: fraction.default(0),
  /** Measure after every so many epochs, and after the last. */
  evaluateEvery: count.default(1),
  /** The network that is trained: an architecture's name, or the path of a file that exports one. */
  model: z.string().min(1),
  /** Paths of modules whose outputs are the feature taps that losses compare, instead of the network's own: stem, stages. */
  studentTaps: taps.optional(),
  teacherTaps: taps.optional(),
  /** A file of weights to start from, instead of drawn ones. */
  init: z.string().min(1).optional(),
  /** With `init`: all but the last linear layer, which is drawn, as for other classes. */
  resetHead: z.boolean().optional(),
  teacher: z.strictObject(teacherShape).optional(),
  /** Several teachers instead of one, and what of theirs is averaged: probabilities unless given. */
  teachers: z.array(z.strictObject(ensembleShape)).min(2).optional(),
  ensemble: z.enum(ensembleKinds).optional(),
  epochs: count.default(240),
  batchSize: count.default(64),
  lr: positive.default(0.05),
  momentum: z.number().min(0).lt(1).default(0.9),
  nesterov: z.boolean().default(false),
  /** On every parameter, batch norm and biases included. */
  weightDecay: weight.default(5e-4),
  /** `step` unless given. */
  schedule: scheduleSchema.optional(),
  /** gamma CE + alpha KL at this temperature. */
  kd: z.strictObject(kdShape).prefault({}),
  /** Other distillation losses, beside cross entropy and KL. */
  methods: z.array(z.strictObject(methodShape)).min(1).optional(),
  /** Record each term's share of the gradient at every so many steps; 0: never. It costs a backward pass a term. */
  gradientEvery: z.int().nonnegative().default(100),
  /** A second, strongly augmented view x' of every batch, which the teacher labels. */
  strong: z.strictObject(strongShape).optional(),
  /** How each picture is augmented before anything else. */
  standard: z.enum(['crop+flip', 'crop', 'flip', 'none']).optional(),
  seed: z.int().nonnegative().default(0),
  precision: z.enum(['fp32', 'bf16']).default('fp32'),
  device: z.string().default('cpu'),
  threads: count.optional(),
};

const configSchema = z.strictObject(configShape);

type Written = z.input<typeof configSchema>;
type Parsed = z.output<typeof configSchema>;

/** What a user writes: everything but data and model may be left out. */
export type ConfigInput = Omit<Written, 'task' | 'teacher' | 'methods'> & {
  /** `distill` where a teacher is given, else `train`. */
  task?: Written['task'] | undefined;
  /** Its checkpoint, or the checkpoint and the architecture. */
  teacher?: string | Written['teacher'];
  /** Losses by name, or with weight, options and the views they act on. `['crd', 'kd']` is the recipe crd + kd. */
  methods?: readonly (string | MethodInput)[] | undefined;
};

/** How the learning rate moves, with every number filled in. */
export type ScheduleSettings =
  | Exclude<z.output<typeof scheduleSchema>, { kind: 'step' }>
  | { kind: 'step'; milestones: number[]; gamma: number };

/** A configuration with every default filled in. */
export type Config = Omit<Parsed, 'schedule' | 'standard' | 'kd' | 'methods'> & {
  kd: KdOptions;
  methods?: MethodSettings[] | undefined;
  schedule: ScheduleSettings;
  standard: NonNullable<Parsed['standard']>;
};

/** A teacher of a configuration: its file, its architecture, and its share where there are several. */
export type TeacherSettings = z.output<z.ZodObject<typeof ensembleShape>>;

export const configKeys: readonly string[] = Object.keys(configShape);

/**
 * Types an experiment's settings, and nothing else: for configuration files, and for settings that several runs share.
 *
 * @example
 * const shared = defineExperiment({ data: 'cifar100', epochs: 40, schedule: { kind: 'cosine' } });
 * await runExperiment({ ...shared, model: 'resnet20' }, { out: 'runs/alone' });
 */
export const defineExperiment = <const T extends Partial<ConfigInput>>(
  config: T & { [K in Exclude<keyof T, keyof ConfigInput>]: never },
): T => config;

const strongFlags: Readonly<Record<string, string>> = {
  scheme: '--augment',
  draw: '--draw',
  weight: '--strong-weight',
  labels: '--strong-labels',
  passes: '--passes',
  'pick.criterion': '--pick',
  'pick.factor': '--pick-factor',
  'pick.keep': '--pick-keep',
  'pick.updateStatistics': '--pick-updates-statistics',
};

const teachersFlags: Readonly<Record<string, string>> = {
  model: '--teacher-model',
  weight: '--teacher-weights',
  normalization: '--teacher-normalization',
};
const methodFlags: Readonly<Record<string, string>> = { weight: '--weight', options: '--method-option' };

/**
 * The flag a setting has on the command line, if it has one: `batchSize` is `--batch-size`, `kd.temperature` is
 * `--temperature`, `model` is `--student` where it is distilled.
 */
export function flagOf(path: readonly PropertyKey[], task?: unknown): string | undefined {
  const [first, second] = path;
  if (first === 'task') return undefined;
  if (first === 'teacher') return teachersFlags[String(second)] ?? '--teacher';
  if (first === 'teachers') return teachersFlags[String(path[2])] ?? '--teacher';
  if (first === 'methods') return methodFlags[String(path[2])] ?? '--method';
  if (first === 'kd') return second === undefined ? undefined : `--${String(second)}`;
  if (first === 'schedule') {
    if (second === 'milestones') return '--milestones';
    return second === undefined || second === 'kind' ? '--schedule' : undefined;
  }
  if (first === 'standard') return '--base-augment';
  if (first === 'strong') return strongFlags[path.slice(1).join('.')];
  if (first === 'model' && task === 'distill') return '--student';
  return `--${String(first).replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`;
}

/** The settings that may stand at a place in the configuration. */
function keysAt(path: readonly PropertyKey[], value: unknown): string[] {
  if (path.length === 0) return [...configKeys];
  if (path[0] === 'teacher') return Object.keys(teacherShape);
  if (path[0] === 'teachers') return Object.keys(ensembleShape);
  if (path[0] === 'methods') return Object.keys(methodShape);
  if (path[0] === 'kd') return Object.keys(kdShape);
  if (path[0] === 'strong') return Object.keys(path[1] === 'pick' ? pickShape : strongShape);
  const { kind } = value as { kind: keyof typeof scheduleShapes };
  return ['kind', ...Object.keys(scheduleShapes[kind] ?? {})];
}

/** Settings below the first level by their own names, for those who look for them on the first. */
const nested = new Map(
  Object.entries({ kd: kdShape, schedule: Object.assign({}, ...Object.values(scheduleShapes)) as object }).flatMap(
    ([parent, shape]) => Object.keys(shape).map((key): [string, string] => [key, `${parent}.${key}`]),
  ),
);

function unknownSetting(path: readonly PropertyKey[], key: string, holder: unknown): string {
  const known = keysAt(path, holder);
  const near = nearest(key, known);
  const below = path.length === 0 && !near ? nearest(key, nested.keys()) : undefined;
  const guess = near ? [...path, near].join('.') : below && nested.get(below);
  const which = path.length > 0 ? `; known there: ${known.join(', ')}` : '';
  return `unknown setting '${[...path, key].join('.')}'${guess ? `; did you mean '${guess}'?` : which}`;
}

const shown = (value: unknown): string => inspect(value, { breakLength: Number.POSITIVE_INFINITY, depth: 3 });

function complain(issue: z.core.$ZodIssue, value: Record<string, unknown>): string {
  let given: unknown = value;
  for (const key of issue.path) given = (given as Record<PropertyKey, unknown> | undefined)?.[key];
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => unknownSetting(issue.path, key, given)).join('\n');
  }
  const flag = issue.path.length > 0 ? flagOf(issue.path, value.task) : undefined;
  const where = `${issue.path.join('.')}${flag ? ` (${flag})` : ''}`;
  if (given === undefined) return `${where} is missing`;
  const choices =
    issue.code === 'invalid_value'
      ? issue.values.map(String)
      : issue.code === 'invalid_union'
        ? Object.keys(scheduleShapes)
        : undefined;
  if (choices) {
    const guess = typeof given === 'string' ? nearest(given, choices) : undefined;
    return `${where}: must be ${choices.join(', ')}, got ${shown(given)}${guess ? `; did you mean '${guess}'?` : ''}`;
  }
  const message = issue.message
    .replace(/^(Invalid input|Too small|Too big): /, '')
    .replace(/, received .*$/, '')
    .replace(/^expected (\w+) to be ([<>=]+)/, 'must be $2 ')
    .replace(/^expected int$/, 'must be a whole number')
    .replace(/^expected (?=[aeio])/, 'must be an ')
    .replace(/^expected (?=\w+$)/, 'must be a ');
  return `${where}: ${message}, got ${shown(given)}`;
}

/** What cannot be asked of the networks. */
function checkNetworks({ task, studentTaps, teacherTaps, init, resetHead, teacher, teachers, ...rest }: Parsed): void {
  if (teacher && teachers) throw new UserError('give teacher or teachers, not both');
  if (rest.ensemble && !teachers) {
    throw new UserError('--ensemble is for several teachers', { hint: 'repeat --teacher for each' });
  }
  if (task === 'train' && rest.methods) {
    throw new UserError('--method is for learning from a teacher; plain training has none', {
      hint: 'use thrive distill',
    });
  }
  if (task === 'train' && (studentTaps || teacherTaps)) {
    const flag = studentTaps ? '--student-taps' : '--teacher-taps';
    throw new UserError(`${flag}: plain training compares no features`, { hint: 'thrive distill does' });
  }
  if (resetHead && init === undefined) {
    throw new UserError('--reset-head is for weights that are loaded: all are drawn here', {
      hint: 'give --init FILE',
    });
  }
}

/** What cannot be asked of a second view. */
function checkStrong({ task, strong, kd, batchSize, methods = [] }: Resolved): void {
  const both = methods.find(({ on }) => on === 'both');
  if (both && !strong) {
    throw new UserError(`${both.name} is to act on x' too, and there is none`, { hint: 'give --augment' });
  }
  if (!strong) return;
  if (task === 'train') {
    throw new UserError('--augment makes a second view for a teacher to label; plain training has no teacher', {
      hint: 'use thrive distill, or --base-augment for the pictures themselves',
    });
  }
  if (strong.pick) checkPickOptions(strong.pick);
  if (batchSize === 1 && schemeByName(strong.scheme).mixes) {
    throw new UserError(
      `--augment ${strong.scheme} mixes pictures of a batch, and --batch-size 1 leaves it none to mix`,
      {
        hint: 'give --batch-size 2 or more',
      },
    );
  }
  if (strong.labels === 'mixed') {
    if (!schemeByName(strong.scheme).mixes) {
      throw new UserError(`--strong-labels mixed needs an augmentation that mixes pictures, not ${strong.scheme}`, {
        hint: 'mixup, cutmix or patchmix',
      });
    }
    if (strong.pick)
      throw new UserError('--strong-labels mixed and --pick do not go together: picking is for the teacher');
  }
  if (strong.labels === 'teacher' && kd.alpha === 0 && strong.weight === undefined) {
    throw new UserError("KL(x') has weight 0, as KL(x) has none", {
      hint: methods.length > 0 ? `give --strong-weight, or --method ${methods[0]!.name}+kd` : 'give --strong-weight',
    });
  }
  if (strong.weight === 0) {
    throw new UserError(`--strong-weight 0: nothing would be learnt from the ${strong.scheme} view`, {
      hint: 'leave out --augment, or give it a weight above 0',
    });
  }
}

/** A configuration whose methods have their numbers filled in. */
type Resolved = Omit<Parsed, 'kd' | 'methods'> & { kd: KdOptions; methods?: MethodSettings[] | undefined };

const isPlain = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * Check a configuration and fill in its defaults. Loads nothing. Resolving a resolved configuration changes nothing.
 *
 * @throws UserError naming every setting that is wrong, with its flag
 */
export function resolveConfig(input: unknown): Config {
  if (!isPlain(input)) throw new UserError(`a configuration is an object, not ${shown(input)}`);
  const { teacher: given } = input;
  const teacher = typeof given === 'string' ? { checkpoint: given } : given;
  const written: Record<string, unknown> = {
    ...input,
    task: input.task ?? (given === undefined && input.teachers === undefined ? 'train' : 'distill'),
  };
  if (Array.isArray(input.methods)) {
    written.methods = input.methods.map((method) => (typeof method === 'string' ? { name: method } : method));
  }
  if (given !== undefined) written.teacher = teacher;
  const parsed = configSchema.safeParse(written);
  if (!parsed.success) {
    const unknown = parsed.error.issues.some((issue) => issue.code === 'unrecognized_keys' && issue.path.length === 0);
    throw new UserError(parsed.error.issues.map((issue) => complain(issue, written)).join('\n'), {
      ...(unknown ? { hint: `known settings: ${configKeys.join(', ')}` } : {}),
    });
  }
  const { schedule = { kind: 'step', gamma: 0.1 }, standard = 'crop+flip', ...data } = parsed.data;
  const { methods: _methods, ...plain } = data;
  const { methods, kd } = resolveMethods(data.methods, data.kd);
  const rest: Resolved = { ...plain, kd, ...(methods ? { methods } : {}) };
  const { epochs } = rest;
  if (rest.nesterov && rest.momentum === 0) throw new UserError('--nesterov needs a momentum above 0');
  if (kd.gamma === 0 && kd.alpha === 0 && !methods && !rest.strong?.weight) {
    throw new UserError('--gamma and --alpha are both 0: there is nothing to learn from');
  }
  if (rest.task === 'distill' && !rest.teacher && !rest.teachers) {
    throw new UserError('distillation needs a teacher', { hint: 'give its checkpoint: --teacher FILE' });
  }
  if (rest.task === 'train' && (rest.teacher || rest.teachers)) {
    throw new UserError('plain training uses no teacher', { hint: 'thrive distill learns from one' });
  }
  checkNetworks(parsed.data);
  checkStrong(rest);
  const late = schedule.kind === 'step' ? schedule.milestones?.find((milestone) => milestone >= epochs) : undefined;
  if (late !== undefined) throw new UserError(`--milestones: ${late} is not before the last of ${epochs} epochs`);
  if (schedule.kind === 'cosine' && schedule.warmupEpochs >= epochs) {
    throw new UserError(`schedule.warmupEpochs: ${schedule.warmupEpochs} leaves nothing of the ${epochs} epochs`);
  }
  return {
    ...rest,
    // One spelling of a name, so that the same experiment has the same fingerprint.
    data: datasetInfo(rest.data).name,
    schedule:
      schedule.kind === 'step' ? { ...schedule, milestones: schedule.milestones ?? paperMilestones(epochs) } : schedule,
    standard,
  };
}
