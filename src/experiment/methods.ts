/** @file The losses of a configuration: written by name, checked before anything is loaded, made once both networks are there. */
import { z } from 'zod';
import { UserError } from '../base/errors.ts';
import { createLoss, findLoss, type LossContext } from '../distill/losses/index.ts';
import { resolveOptions } from '../distill/losses/options.ts';
import { Methods } from '../distill/methods.ts';
import { type KdOptions, kdDefaults } from '../distill/objective.ts';
import type { TeacherModel } from '../distill/teacher.ts';
import type { FeatureOptions, ImageModel } from '../models/index.ts';
import { noGrad, tidy, zeros } from '../torch/index.ts';

const weight = z.number().positive().finite();

export const methodShape = {
  /** A loss by name; docs/losses.md has them. `kd` is the KL of `kd.alpha`. */
  name: z.string().min(1),
  /** In the total; the method's own unless given. */
  weight: weight.optional(),
  /** Both: on the strongly augmented view x' as well, where the method can. */
  on: z.enum(['x', 'both']).default('x'),
  /** The method's own settings. */
  options: z.record(z.string(), z.unknown()).default({}),
};

export type MethodInput = z.input<z.ZodObject<typeof methodShape>>;

/** A loss with every number filled in. */
export interface MethodSettings {
  name: string;
  weight: number;
  on: 'x' | 'both';
  options: Record<string, unknown>;
}

/** Weights of cross entropy and KL as written, where they are. */
type WrittenKd = { [Key in keyof KdOptions]?: number | undefined };

function resolveOne({ name, on = 'x', ...given }: MethodInput): MethodSettings {
  const definition = findLoss(name);
  const options = { ...resolveOptions(definition.name, definition.options, given.options) };
  const { weight = definition.weight } = given;
  if (definition.initOnly) {
    if (weight !== definition.weight) {
      throw new UserError(
        `--weight: ${definition.name} acts before the run's own epochs alone and has no weight there`,
        {
          hint: `leave it out; the length of that stage is --method-option ${definition.name}.initEpochs=N`,
        },
      );
    }
    if (on === 'both') {
      throw new UserError(
        `${definition.name} cannot act on x': it acts before the run's own epochs, where there is only x`,
      );
    }
  }
  return { name: definition.name, weight, on, options };
}

/**
 * Every method with its weight and options, and the weights of cross entropy and KL that go with them: what is written, else the
 * recipe's (RepDistiller): kd alone 0.1 and 0.9; other methods alone the gamma of their recipe and no KL; beside kd, an alpha of 1.
 *
 * @throws UserError for unknown names and options, a method named twice, or one that cannot do what is asked
 */
export function resolveMethods(
  written: readonly MethodInput[] | undefined,
  kd: WrittenKd,
): { methods: MethodSettings[] | undefined; kd: KdOptions } {
  const all = (written ?? []).map(resolveOne);
  const twice = all.find(({ name }, i) => all.findIndex((other) => other.name === name) < i);
  if (twice) throw new UserError(`--method: ${twice.name} is named twice`);
  const others = all.filter(({ name }) => name !== 'kd');
  const own = written?.find(({ name }) => findLoss(name).name === 'kd');
  if (own?.on === 'both') {
    throw new UserError("kd's term on x' has its own weight", { hint: '--strong-weight, which is alpha unless given' });
  }
  if (own?.weight !== undefined && kd.alpha !== undefined && own.weight !== kd.alpha) {
    throw new UserError(`kd has weight ${own.weight} and --alpha ${kd.alpha}, which are the same thing`, {
      hint: 'give one of them',
    });
  }
  const temperature = own?.options?.temperature as number | undefined;
  if (temperature !== undefined && kd.temperature !== undefined && temperature !== kd.temperature) {
    throw new UserError(
      `kd has temperature ${temperature} and --temperature ${kd.temperature}, which are the same thing`,
      {
        hint: 'give one of them',
      },
    );
  }
  for (const { name, on } of others) {
    const { onlyOriginal } = findLoss(name);
    if (on === 'both' && onlyOriginal) throw new UserError(`${name} cannot act on x': ${onlyOriginal}`);
  }
  const recipe = Math.max(...others.map(({ name }) => findLoss(name).gamma));
  const withKd = others.length > 0 ? 1 : kdDefaults.alpha;
  return {
    methods: others.length > 0 ? others : undefined,
    kd: {
      gamma: kd.gamma ?? (others.length > 0 ? recipe : kdDefaults.gamma),
      alpha: kd.alpha ?? own?.weight ?? (own || !written || others.length === 0 ? withKd : 0),
      temperature: temperature ?? kd.temperature ?? kdDefaults.temperature,
    },
  };
}

/** The shapes of a network's taps for one picture; none for a teacher that gives logits only. */
function tapShapes(
  network: { features?: ImageModel['features'] },
  size: number,
  device: string,
  options: FeatureOptions = {},
): number[][] {
  if (!network.features) return [];
  return tidy(() =>
    noGrad(() =>
      network.features!(zeros([1, 3, size, size], { device }), options).taps.map(({ shape }) => shape.slice(1)),
    ),
  );
}

/** What losses are made for: two networks and a training set. */
export interface MethodsContext extends Omit<LossContext, 'student' | 'teacher'> {
  student: { name: string; network: ImageModel };
  teacher: { name: string; network: TeacherModel };
  imageSize: number;
}

/**
 * Refuse, before the data is loaded, what `makeMethods` would refuse after: networks that a loss cannot compare, losses that cannot be
 * combined, memory that would not fit.
 *
 * @throws UserError
 */
export function checkMethods(settings: readonly MethodSettings[], context: Omit<MethodsContext, 'labels'>): void {
  for (const { name, options } of settings) findLoss(name).check?.(context, options);
  // Made for a handful of samples: what holds something of each is not filled twice.
  makeMethods(settings, { ...context, samples: context.classes }).dispose();
}

/**
 * Make a configuration's losses. The caller disposes them.
 *
 * @throws UserError for networks that a loss cannot compare, losses that cannot be combined, or memory that would not fit
 */
export function makeMethods(settings: readonly MethodSettings[], context: MethodsContext): Methods {
  const { student, teacher, imageSize, device = 'cpu', ...rest } = context;
  student.network.eval();
  const both: LossContext = {
    ...rest,
    device,
    student: { name: student.name, taps: tapShapes(student.network, imageSize, device) },
    teacher: { name: teacher.name, taps: tapShapes(teacher.network, imageSize, device) },
  };
  const made: { loss: ReturnType<typeof createLoss>; on: 'x' | 'both' }[] = [];
  try {
    for (const { name, on, ...chosen } of settings) made.push({ loss: createLoss(name, both, chosen), on });
    for (const [who, { network }] of [
      ['student', student],
      ['teacher', teacher],
    ] as const) {
      const preact = made.some(({ loss }) => loss.phases.some(({ needs }) => needs[who] === 'preact'));
      // A network that is tapped by path has none before its ReLU: that is said now, not in the first step.
      if (preact) tapShapes(network, imageSize, device, { preact });
    }
    return new Methods(made, context.seed);
  } catch (error) {
    for (const { loss } of made) loss.dispose();
    throw error;
  }
}
