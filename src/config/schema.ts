/** @file Everything a run is made of, with defaults from the paper (section 4 of arXiv:2012.02909's later version). */
import { z } from 'zod';
import { schemeNames } from '../augment/index.ts';
import { ensembleKinds } from '../distill/ensemble.ts';
import type { KdOptions } from '../distill/objective.ts';
import { criteria, pickDefaults } from '../distill/pick/index.ts';
import { normalizationSchema } from '../networks/teacher-normalization.ts';
import { type MethodInput, type MethodSettings, methodShape } from './methods.ts';

const fraction = z.number().min(0).lt(1);
const positive = z.number().positive().finite();
const count = z.int().positive();
const weight = z.number().nonnegative().finite();
const taps = z.array(z.string().min(1)).min(1);

/** What each kind of schedule takes beside its kind. */
export const scheduleShapes = {
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

export const teacherShape = {
  /** A .pth, .safetensors or .onnx file. */
  checkpoint: z.string().min(1),
  /** Its architecture, or a file that exports the network; checkpoints written here say it themselves. */
  model: z.string().min(1).optional(),
  /** How its images are normalised, where its file does not say it: a name, or mean and std. The dataset's unless given. */
  normalization: normalizationSchema.optional(),
};

export const ensembleShape = {
  ...teacherShape,
  /** Its share among several; 1 unless given. */
  weight: positive.optional(),
};

export const kdShape = {
  /** 0.1 and 0.9 unless given; with other methods as their recipe says. */
  gamma: weight.optional(),
  alpha: weight.optional(),
  /** 4 unless given. */
  temperature: positive.optional(),
};

export const pickShape = {
  /** What the pool is ranked by: kl, teacher-entropy, student-entropy, dissimilarity, random. */
  criterion: z.enum(criteria),
  /** Views of each batch in the pool. */
  factor: count.default(pickDefaults.factor),
  /** Share of the pool that is kept. */
  keep: z.number().default(pickDefaults.keep),
  /** Whether scoring moves the student's running statistics, as it does in the paper's code. */
  updateStatistics: z.boolean().default(false),
};

export const strongShape = {
  /** The augmentation that makes x' from x. */
  scheme: z.enum(schemeNames as [string, ...string[]]),
  /** A draw for each sample, or one for the batch, as in the paper's code. */
  draw: z.enum(['sample', 'batch']).default('sample'),
  /** Weight of the term on x'; kd.alpha unless given. */
  weight: weight.optional(),
  /** Learn from the teacher's output on x', or from the labels mixed as the images were. */
  labels: z.enum(['teacher', 'mixed']).default('teacher'),
  /** x and x' in two passes, or joined in one. */
  passes: z.enum(['separate', 'joint']).default('separate'),
  pick: z.strictObject(pickShape).optional(),
};

const configShape = {
  /** Cross entropy alone, or distillation from a teacher. */
  task: z.enum(['train', 'distill']),
  /** Dataset by name; see `thrive data list`. */
  data: z.string().min(1),
  /** Folder that holds the dataset. */
  dataDir: z.string().min(1).optional(),
  /** The first LIMIT / classes images of each class, in file order. */
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
  /** How each image is augmented before anything else. */
  standard: z.enum(['crop+flip', 'crop', 'flip', 'none']).optional(),
  seed: z.int().nonnegative().default(0),
  precision: z.enum(['fp32', 'bf16']).default('fp32'),
  device: z.string().default('cpu'),
  threads: count.optional(),
};

export const configSchema = z.strictObject(configShape);

type Written = z.input<typeof configSchema>;
export type Parsed = z.output<typeof configSchema>;

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
