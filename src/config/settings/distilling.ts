/** @file Teachers, losses, the second view and picking: what distillation alone has. */
import { z } from 'zod';
import { UserError } from '../../base/errors.ts';
import { named, toGive } from '../../base/speech.ts';
import { normalizationSchema } from '../../networks/teacher-normalization.ts';
import {
  hasKd,
  inUse,
  readMethods,
  readOptions,
  readWeights,
  settleMethods,
  settleOptions,
  settleWeights,
} from '../method-rows.ts';
import { type Draft, type NoEffect, setting, type World } from '../row.ts';
import { asList, count, list, nonNegative, numberList, positive, repeated, text, texts } from '../values.ts';

const several = ({ teacher }: Draft): NoEffect | false =>
  asList(teacher).length < 2 && {
    why: 'it is for several teachers',
    hint: `give ${toGive('teacher')} for each`,
  };

/** One for each teacher, or where `one` will do for all of them, one. */
function forEach<T>(key: string, value: T | T[], { teacher }: Draft, one: boolean): T | T[] {
  const [given, teachers] = [asList(value).length, asList(teacher).length];
  if (given === teachers || (one && given === 1)) return given === 1 ? (asList(value)[0] as T) : value;
  throw new UserError(
    `${named(key)} says ${given}, and there ${teachers === 1 ? 'is one teacher' : `are ${teachers} teachers`}`,
    {
      hint: 'give one for each, in their order',
    },
  );
}

const oneOrMore = <S extends z.ZodType>(schema: S) => z.union([schema, z.array(schema).min(1)]);

export const teacherSettings = {
  teacher: setting(oneOrMore(text), {
    group: 'First run',
    help: 'file of the teacher: .safetensors, .pth or .onnx; several if given again',
    value: '<file>',
    read: repeated,
    task: 'distill',
    required: true,
    settle: (value: string | string[]) => (Array.isArray(value) && value.length === 1 ? value[0] : value),
    path: 'file',
    scope: 'identity',
  }),
  teacherModel: setting(oneOrMore(text), {
    group: 'First run',
    help: 'its architecture (or a file that exports it), where the checkpoint does not say it',
    value: '<name>',
    read: repeated,
    task: 'distill',
    settle: (value: string | string[], given) => forEach('teacherModel', value, given, true),
    path: 'network',
    scope: 'identity',
    title: 'teacher',
  }),
  teacherNormalization: setting(oneOrMore(normalizationSchema), {
    group: 'Teachers',
    help: 'how its images are normalised, where its file does not say it: same, imagenet, half, unit, pixels',
    value: '<name>',
    read: repeated,
    task: 'distill',
    defaultText: "same as the dataset's",
    settle: (value: string | string[], given) => forEach('teacherNormalization', value, given, true),
    scope: 'identity',
  }),
  teacherWeights: setting(z.array(positive).min(2), {
    group: 'Teachers',
    help: 'shares of several teachers: 2,1',
    value: '<numbers>',
    read: numberList,
    task: 'distill',
    needs: several,
    defaultText: 'equal',
    settle: (value: number[], given) => forEach('teacherWeights', value, given, false),
    scope: 'identity',
  }),
  ensemble: setting(text, {
    group: 'Teachers',
    help: 'what several teachers average: probabilities or logits',
    value: '<what>',
    task: 'distill',
    needs: several,
    default: 'probabilities',
    names: ({ ensembleKinds }) => ensembleKinds,
    title: 'what of the teachers is averaged',
  }),
};

const needsKd = (given: Draft, world: World): NoEffect | false =>
  !hasKd(given) && {
    why: 'it is the weight of kd, which is not among the methods',
    hint: `give ${toGive('method', `${inUse(given, world)[0]?.name}+kd`)}`,
  };

export const methodSettings = {
  method: setting(z.union([text, texts]), {
    group: 'First run',
    help: 'losses joined by +: kd, crd+kd, at@both+kd; see docs/losses.md',
    value: '<names>',
    task: 'distill',
    default: 'kd',
    settle: (value: string | string[], _given, world) => settleMethods(readMethods(value), world),
    path: 'part',
    objective: true,
    title: 'losses',
  }),
  weight: setting(z.record(z.string(), positive), {
    group: 'Distillation',
    help: "a method's weight: crd=0.8; may be repeated",
    value: '<name=weight>',
    read: readWeights,
    task: 'distill',
    default: {},
    defaultText: "the method's",
    settle: (value: Record<string, number>, given, world) => settleWeights(value, given, world),
    objective: true,
    title: 'weights of the losses',
  }),
  methodOption: setting(z.record(z.string(), z.record(z.string(), z.unknown())), {
    group: 'Distillation',
    help: "a method's own setting: crd.negatives=4096; may be repeated",
    value: '<name.option=value>',
    read: readOptions,
    task: 'distill',
    default: {},
    defaultText: "the method's",
    settle: (value: Record<string, Record<string, unknown>>, given, world) => settleOptions(value, given, world),
    objective: true,
    title: 'options of the losses',
  }),
  gamma: setting(nonNegative, {
    group: 'Distillation',
    help: 'weight of cross entropy with the labels',
    value: '<weight>',
    task: 'distill',
    // RepDistiller's recipes: kd alone 0.1; other losses the gamma that theirs was tuned beside.
    default: (given: Draft, world: World) =>
      Math.max(0, ...inUse(given, world).map(({ name, definition }) => (name === 'kd' ? 0 : definition.gamma))) || 0.1,
    defaultText: "0.1, or the method's",
    recipe: true,
    objective: true,
    title: 'weight of the labels',
  }),
  alpha: setting(nonNegative, {
    group: 'Distillation',
    help: 'weight of kd, KL(teacher || student)',
    value: '<weight>',
    task: 'distill',
    needs: needsKd,
    default: ({ method }: Draft) => (asList(method).length > 1 ? 1 : 0.9),
    defaultText: '0.9; 1 beside others',
    recipe: true,
    objective: true,
    title: 'weight of KD',
  }),
};

const needsView = ({ augment }: Draft): NoEffect | false =>
  augment === undefined && { why: "there is no second view x'", hint: `give ${toGive('augment')}` };
type OptionsByName = Record<string, Record<string, unknown>>;

/** The options of the one part in use, with every default where some are given. */
const optionsByName = (
  registry: World['augmentations'] | World['criterionRegistry'],
  reference: string,
  given: OptionsByName,
  setting: string,
): OptionsByName =>
  Object.fromEntries(
    [...registry.options([reference], given, setting)].map(([, values]) => [registry.get(reference).name, values]),
  );

const needsPick = ({ pick }: Draft): NoEffect | false =>
  pick === undefined && { why: 'nothing is picked', hint: `give ${toGive('pick', 'kl')}` };

const actsOnBoth = ({ method }: Draft): boolean => asList(method).some((name) => String(name).endsWith('@both'));

/** Temperature is used by kd on either view, by picking by kl, and by a mean of probabilities. */
function needsSoftening(given: Draft, world: World): NoEffect | false {
  const { augment, strongWeight, strongLabels, pick, ensemble, alpha } = given;
  const onView = augment !== undefined && strongLabels === 'teacher' && Number(strongWeight ?? 0) > 0;
  if (Number(alpha ?? 0) > 0 || onView || pick === 'kl' || ensemble === 'probabilities') return false;
  const own = inUse(given, world).find(({ definition }) =>
    Object.keys(definition.options).some((key) => /^temperature/.test(key)),
  );
  const option = own && Object.keys(own.definition.options).find((key) => /^temperature/.test(key));
  return {
    why: 'it is the temperature of kd, which is not among the methods',
    hint: own ? `${own.name} has its own: ${toGive('methodOption', `${own.name}.${option}=…`)}` : 'leave it out',
  };
}

const needsFeatures = (given: Draft, world: World): NoEffect | false =>
  inUse(given, world).every(({ definition }) => /^logits/.test(definition.taps)) && {
    why: 'no loss in use compares features',
  };

export const viewSettings = {
  augment: setting(text, {
    group: 'First run',
    help: "also learn from a second view x' of each batch: cutmix, mixup, cutout, autoaugment, randaugment, …",
    value: '<scheme>',
    task: 'distill',
    names: ({ schemeNames }) => schemeNames,
    path: 'part',
    settle: (name: string, { batchSize }, { schemeByName }) => {
      const { mixes } = schemeByName(name);
      if (batchSize !== 1 || !mixes) return name;
      throw new UserError(
        `${named('augment')} ${name} mixes images of a batch, and ${named('batchSize')} 1 leaves it none to mix`,
        {
          hint: `give ${toGive('batchSize', 2)} or more`,
        },
      );
    },
    objective: true,
    title: "augmentation of x'",
  }),
  draw: setting(z.enum(['sample', 'batch']), {
    group: 'Second view and picking',
    help: 'sample: a draw for each image; batch: one for all, as in the paper',
    value: '<how>',
    task: 'distill',
    needs: (given) => needsView(given) || (given.augment === 'identity' && { why: 'identity has nothing to draw' }),
    default: 'sample',
    objective: true,
    title: 'draws of the augmentation',
  }),
  pick: setting(text, {
    group: 'Second view and picking',
    help: 'make a pool and keep the best: kl, teacher-entropy, student-entropy, dissimilarity, random',
    value: '<criterion>',
    task: 'distill',
    needs: needsView,
    names: ({ criteria }) => criteria,
    path: 'part',
    settle: (name: string, _given, { criterionRegistry }) => criterionRegistry.canonical(name),
    objective: true,
    title: 'picking',
  }),
  augmentOption: setting(z.record(z.string(), z.record(z.string(), z.unknown())), {
    group: 'Second view and picking',
    help: "an augmentation's own setting: cutmix.alpha=0.5; may be repeated; see thrive augmentations",
    value: '<name.option=value>',
    read: readOptions,
    task: 'distill',
    needs: needsView,
    default: {},
    defaultText: "the augmentation's",
    settle: (value: OptionsByName, { augment }, { augmentations }) =>
      optionsByName(augmentations, String(augment), value, named('augmentOption')),
    objective: true,
    title: 'options of the augmentation',
  }),
  pickOption: setting(z.record(z.string(), z.record(z.string(), z.unknown())), {
    group: 'Second view and picking',
    help: "a criterion's own setting: kl.temperature=2; may be repeated; see thrive criteria",
    value: '<name.option=value>',
    read: readOptions,
    task: 'distill',
    needs: needsPick,
    default: {},
    defaultText: "the criterion's",
    settle: (value: OptionsByName, { pick }, { criterionRegistry }) =>
      optionsByName(criterionRegistry, String(pick), value, named('pickOption')),
    objective: true,
    title: 'options of picking',
  }),
  pickFactor: setting(count, {
    group: 'Second view and picking',
    help: 'views of each batch in the pool',
    value: '<n>',
    task: 'distill',
    needs: needsPick,
    default: 2,
    objective: true,
    title: 'views in a pool',
  }),
  pickKeep: setting(z.number(), {
    group: 'Second view and picking',
    help: 'share of the pool that is kept',
    value: '<share>',
    task: 'distill',
    needs: needsPick,
    default: 0.5,
    settle: (keep: number, { pick, pickFactor }, { checkPickOptions }) =>
      checkPickOptions({ criterion: String(pick), factor: Number(pickFactor), keep }).keep,
    objective: true,
    title: 'share of a pool kept',
  }),
  pickUpdatesStatistics: setting(z.boolean(), {
    group: 'Second view and picking',
    help: "scoring moves the student's running statistics, as in the paper's code",
    task: 'distill',
    needs: (given, { criterionNeeds }) =>
      needsPick(given) ||
      (!criterionNeeds(String(given.pick)).student && {
        why: `picking by ${String(given.pick)} asks no student`,
      }),
    default: false,
    objective: true,
    title: 'picking moves statistics',
  }),
  strongLabels: setting(z.enum(['teacher', 'mixed']), {
    group: 'Second view and picking',
    help: "what x' is held against. teacher: its output on it; mixed: the labels, mixed",
    value: '<whose>',
    task: 'distill',
    needs: needsView,
    default: 'teacher',
    settle: (labels: string, { augment, pick }, { schemeByName, schemeNames }) => {
      if (labels === 'teacher') return labels;
      if (!schemeByName(String(augment)).mixes) {
        const mixing = schemeNames.filter((name) => schemeByName(name).mixes).join(', ');
        throw new UserError(
          `${named('strongLabels')} mixed needs an augmentation that mixes images, not ${String(augment)}`,
          {
            hint: `one of ${mixing}`,
          },
        );
      }
      if (pick === undefined) return labels;
      throw new UserError(
        `${named('strongLabels')} mixed and ${named('pick')} do not go together: picking is for the teacher`,
      );
    },
    objective: true,
  }),
  strongWeight: setting(nonNegative, {
    group: 'Second view and picking',
    help: "weight of the term on x'",
    value: '<weight>',
    task: 'distill',
    needs: needsView,
    default: ({ alpha }: Draft) => (Number(alpha ?? 0) > 0 ? alpha : undefined),
    defaultText: 'alpha',
    settle: (weight: number, { augment }) => {
      if (weight > 0) return weight;
      throw new UserError(`${named('strongWeight')} 0: nothing would be learnt from the ${String(augment)} view`, {
        hint: `leave out ${toGive('augment')}, or give it a weight above 0`,
      });
    },
    recipe: true,
    objective: true,
    title: "weight of the term on x'",
  }),
  passes: setting(z.enum(['separate', 'joint']), {
    group: 'Second view and picking',
    help: "separate: batch norm sees x and x' apart; joint: in one pass",
    value: '<how>',
    task: 'distill',
    needs: needsView,
    default: 'separate',
    objective: true,
    title: "passes of x and x'",
  }),
  temperature: setting(positive, {
    group: 'Distillation',
    help: 'softens both outputs in kd, and in picking by kl',
    value: '<t>',
    task: 'distill',
    needs: needsSoftening,
    default: 4,
    objective: true,
    title: 'temperature',
  }),
  studentTaps: setting(texts, {
    group: 'Networks',
    help: 'modules whose outputs are compared: conv1,layer1,layer2',
    value: '<paths>',
    read: list,
    task: 'distill',
    needs: needsFeatures,
    defaultText: "the network's own",
    objective: true,
  }),
  teacherTaps: setting(texts, {
    group: 'Networks',
    help: 'the same in the teacher',
    value: '<paths>',
    read: list,
    task: 'distill',
    needs: needsFeatures,
    defaultText: "the network's own",
    objective: true,
  }),
};

/** What the rows cannot say one by one. */
export function checkObjective(given: Draft, world: World): void {
  const { augment, strongWeight, strongLabels, alpha, gamma } = given;
  const methods = inUse(given, world);
  const both = methods.find(({ on }) => on === 'both');
  if (both && augment === undefined) {
    throw new UserError(`${both.name} is to act on x' too, and there is none`, { hint: `give ${toGive('augment')}` });
  }
  if (augment !== undefined && strongWeight === undefined && !(actsOnBoth(given) && strongLabels === 'teacher')) {
    const term = strongLabels === 'mixed' ? "the term on x'" : "KL(x')";
    throw new UserError(`${term} has weight 0, as KL(x) has none`, {
      hint: `give ${toGive('strongWeight')}${hasKd(given) ? '' : `, or ${toGive('method', `${methods[0]?.name}+kd`)}`}`,
    });
  }
  if (alpha === 0 && !(strongLabels === 'teacher' && strongWeight !== undefined)) {
    throw new UserError(`${named('alpha')} 0: kd has no weight`, {
      hint: methods.length > 1 ? `leave kd out of ${toGive('method')}` : 'training without a teacher is thrive train',
    });
  }
  const acting = methods.some(({ name, definition }) => (name === 'kd' ? Number(alpha) > 0 : !definition.initOnly));
  if (gamma === 0 && !acting && strongWeight === undefined) {
    throw new UserError(
      `${named('gamma')} is 0, and ${methods[0]?.name} acts in its initialisation alone: there is nothing to learn from after it`,
    );
  }
}
