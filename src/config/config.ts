/** @file A configuration from what a user wrote: checked, with every default filled in. */
import { schemeByName } from '../augment/index.ts';
import { UserError } from '../base/errors.ts';
import { datasetInfo } from '../data/index.ts';
import { findLoss } from '../distill/losses/index.ts';
import type { KdOptions } from '../distill/objective.ts';
import { checkPickOptions } from '../distill/pick/index.ts';
import { paperMilestones } from '../nn/schedule.ts';
import { complain, shown } from './errors.ts';
import { type MethodSettings, resolveMethods } from './methods.ts';
import { type Config, type ConfigInput, configKeys, configSchema, type Parsed } from './schema.ts';

export { flagOf } from './errors.ts';
export {
  type Config,
  type ConfigInput,
  configKeys,
  type ScheduleSettings,
  type TeacherSettings,
} from './schema.ts';

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
      hint: 'use thrive distill, or --base-augment for the images themselves',
    });
  }
  if (strong.pick) checkPickOptions(strong.pick);
  if (batchSize === 1 && schemeByName(strong.scheme).mixes) {
    throw new UserError(
      `--augment ${strong.scheme} mixes images of a batch, and --batch-size 1 leaves it none to mix`,
      {
        hint: 'give --batch-size 2 or more',
      },
    );
  }
  if (strong.labels === 'mixed') {
    if (!schemeByName(strong.scheme).mixes) {
      throw new UserError(`--strong-labels mixed needs an augmentation that mixes images, not ${strong.scheme}`, {
        hint: 'mixup, cutmix or patchmix',
      });
    }
    if (strong.pick)
      throw new UserError('--strong-labels mixed and --pick do not go together: picking is for the teacher');
  }
  // A loss that acts on x' is enough to learn from there.
  if (both && strong.labels === 'teacher') return;
  if (kd.alpha === 0 && strong.weight === undefined) {
    const term = strong.labels === 'mixed' ? "the term on x'" : "KL(x')";
    throw new UserError(`${term} has weight 0, as KL(x) has none`, {
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
  // What acts in an initialisation alone leaves the run's own epochs nothing.
  const acting = methods?.filter(({ name }) => !findLoss(name).initOnly) ?? [];
  if (kd.gamma === 0 && kd.alpha === 0 && acting.length === 0 && !rest.strong?.weight) {
    throw new UserError(
      methods
        ? `--gamma and --alpha are both 0, and ${methods[0]!.name} acts in its initialisation alone: there is nothing to learn from after it`
        : '--gamma and --alpha are both 0: there is nothing to learn from',
    );
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
