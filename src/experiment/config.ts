/** @file Everything a run is made of, with defaults from the paper (section 4 of arXiv:2012.02909's later version) and checks. */
import { z } from 'zod';
import { UserError } from '../base/errors.ts';
import { nearest } from '../base/suggest.ts';
import { paperMilestones } from '../nn/schedule.ts';

const fraction = z.number().min(0).lt(1);
const positive = z.number().positive().finite();
const count = z.int().positive();
const weight = z.number().nonnegative().finite();

const scheduleSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('constant') }),
  z.strictObject({ kind: z.literal('step'), milestones: z.array(count), gamma: positive.max(1).default(0.1) }),
  z.strictObject({ kind: z.literal('cosine'), minLr: weight.default(0), warmupEpochs: weight.default(0) }),
  z.strictObject({
    kind: z.literal('one-cycle'),
    pctStart: z.number().gt(0).lt(1).default(0.3),
    divFactor: positive.default(25),
    finalDivFactor: positive.default(1e4),
  }),
]);

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
  /** The network that is trained. */
  model: z.string().min(1),
  teacher: z
    .strictObject({
      /** A .pth or .safetensors file. */
      checkpoint: z.string().min(1),
      /** Its architecture; checkpoints written here say it themselves. */
      model: z.string().min(1).optional(),
    })
    .optional(),
  epochs: count.default(240),
  batchSize: count.default(64),
  lr: positive.default(0.05),
  momentum: z.number().min(0).lt(1).default(0.9),
  nesterov: z.boolean().default(false),
  /** On every parameter, batch norm and biases included. */
  weightDecay: weight.default(5e-4),
  /** The paper's milestones, in proportion to the epochs, unless given. */
  schedule: scheduleSchema.optional(),
  /** gamma CE + alpha KL at this temperature. */
  kd: z
    .strictObject({
      gamma: weight.default(0.1),
      alpha: weight.default(0.9),
      temperature: positive.default(4),
    })
    .prefault({}),
  /** How each picture is augmented before anything else. */
  standard: z.enum(['crop+flip', 'crop', 'flip', 'none']).optional(),
  seed: z.int().nonnegative().default(0),
  precision: z.enum(['fp32', 'bf16']).default('fp32'),
  device: z.string().default('cpu'),
  threads: count.optional(),
};

const configSchema = z.strictObject(configShape);

/** What a user writes: everything but task, data and model may be left out. */
export type ConfigInput = z.input<typeof configSchema>;

type Parsed = z.output<typeof configSchema>;

/** A configuration with every default filled in. */
export type Config = Omit<Parsed, 'schedule' | 'standard'> & {
  schedule: z.output<typeof scheduleSchema>;
  standard: NonNullable<Parsed['standard']>;
};

export const configKeys: readonly string[] = Object.keys(configShape);

/** For configuration files: types the object, and nothing else. */
export const defineExperiment = (config: Partial<ConfigInput>): Partial<ConfigInput> => config;

/** The flag a setting has on the command line: `batchSize` is `--batch-size`, `kd.temperature` is `--temperature`. */
export function flagOf(path: readonly PropertyKey[]): string {
  if (path[0] === 'teacher') return path[1] === 'model' ? '--teacher-model' : '--teacher';
  const name = String((path[0] === 'kd' || path[0] === 'schedule') && path.length > 1 ? path[1] : path[0]);
  if (name === 'standard') return '--base-augment';
  return `--${name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`;
}

function complain(issue: z.core.$ZodIssue, value: unknown): string {
  const where = issue.path.length > 0 ? `${issue.path.join('.')} (${flagOf(issue.path)})` : 'the configuration';
  if (issue.code === 'unrecognized_keys') {
    return issue.keys
      .map((key) => {
        const guess = nearest(key, configKeys);
        return `unknown setting '${key}'${guess ? `; did you mean '${guess}'?` : ''}`;
      })
      .join('; ');
  }
  let given: unknown = value;
  for (const key of issue.path) given = (given as Record<PropertyKey, unknown> | undefined)?.[key];
  const message = issue.message.replace(/^Invalid (input|option): /, '').replace(/^Too (small|big): /, '');
  return given === undefined ? `${where} is missing` : `${where}: ${message}, got ${JSON.stringify(given)}`;
}

/** Check a configuration and fill in its defaults. Loads nothing. */
export function resolveConfig(input: unknown, defaults: Partial<ConfigInput> = {}): Config {
  const merged = { ...defaults, ...(input as object) };
  const parsed = configSchema.safeParse(merged);
  if (!parsed.success) {
    throw new UserError(parsed.error.issues.map((issue) => complain(issue, merged)).join('\n'));
  }
  const { schedule, standard, ...rest } = parsed.data;
  if (rest.nesterov && rest.momentum === 0) throw new UserError('--nesterov needs a momentum above 0');
  if (rest.kd.gamma === 0 && rest.kd.alpha === 0) {
    throw new UserError('--gamma and --alpha are both 0: there is nothing to learn from');
  }
  if (rest.task === 'distill' && !rest.teacher) {
    throw new UserError('distillation needs a teacher', { hint: 'give its checkpoint: --teacher FILE' });
  }
  if (rest.task === 'train' && rest.teacher) {
    throw new UserError('plain training uses no teacher', { hint: 'thrive distill learns from one' });
  }
  const late =
    schedule?.kind === 'step' ? schedule.milestones.find((milestone) => milestone >= rest.epochs) : undefined;
  if (late !== undefined) {
    throw new UserError(`--milestones: ${late} is not before the last of ${rest.epochs} epochs`);
  }
  return {
    ...rest,
    schedule: schedule ?? { kind: 'step', milestones: paperMilestones(rest.epochs), gamma: 0.1 },
    standard: standard ?? 'crop+flip',
  };
}
