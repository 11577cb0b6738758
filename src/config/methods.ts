/** @file The losses of a configuration: written by name, checked before anything is loaded. */
import { z } from 'zod';
import { UserError } from '../base/errors.ts';
import { resolveOptions } from '../base/options.ts';
import { findLoss } from '../distill/losses/index.ts';
import { type KdOptions, kdDefaults } from '../distill/objective.ts';

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
