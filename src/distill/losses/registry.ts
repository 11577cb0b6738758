/** @file The losses by name. Adding one: its file, one line here, its test, its row in docs/losses.md. */
import { UserError } from '../../base/errors.ts';
import { type OptionSpecs, resolveOptions } from '../../base/options.ts';
import { Registry } from '../../base/registry.ts';
import { tidy } from '../../torch/index.ts';
import { abound } from './ab.ts';
import { attention } from './at.ts';
import { correlation } from './cc.ts';
import { crd } from './crd.ts';
import { dist } from './dist.ts';
import { dkd } from './dkd.ts';
import { hint } from './fitnet.ts';
import { fsp } from './fsp.ts';
import { factor } from './ft.ts';
import { kd } from './kd.ts';
import { kdsvd } from './kdsvd.ts';
import type { DistillLoss, LossContext, LossDefinition } from './loss.ts';
import { mlkd } from './mlkd.ts';
import { ModuleDict } from './modules.ts';
import { nst } from './nst.ts';
import { trainPhase } from './phases.ts';
import { pkt } from './pkt.ts';
import { reviewkd } from './reviewkd.ts';
import { rkd } from './rkd.ts';
import { similarity } from './sp.ts';
import { logitStandardization } from './standardize.ts';
import { vid } from './vid.ts';

/** A definition whose options' types are forgotten. */
export type AnyDefinition = LossDefinition<OptionSpecs>;

/** The same definition, of whatever options: its `create` is given what `resolveOptions` checked. */
export const forget = <Specs extends OptionSpecs>(definition: LossDefinition<Specs>): AnyDefinition => ({
  ...definition,
  check: (context, options) =>
    definition.check?.(context, resolveOptions(definition.name, definition.options, options)),
  create: (context, options) =>
    definition.create(context, resolveOptions(definition.name, definition.options, options)),
});

/** Every loss, in the order of docs/losses.md. */
export const lossDefinitions: readonly AnyDefinition[] = [
  forget(kd),
  forget(hint),
  forget(attention),
  forget(similarity),
  forget(correlation),
  forget(vid),
  forget(rkd),
  forget(pkt),
  forget(abound),
  forget(factor),
  forget(fsp),
  forget(nst),
  forget(kdsvd),
  forget(crd),
  forget(dkd),
  forget(dist),
  forget(reviewkd),
  forget(mlkd),
  forget(logitStandardization),
];

/** The losses by short name or another they answer to, as RepDistiller's command line has them; and the user's that were loaded. */
export const losses = new Registry<AnyDefinition>('method', lossDefinitions, { alike: (name) => name.toLowerCase() });

/** The short names. */
export const lossNames: readonly string[] = losses.names;

/**
 * A loss by its short name or another it answers to (`attention` for `at`), or by the path of a file that was loaded.
 *
 * @throws UserError for an unknown name, naming the nearest
 */
export const findLoss = (name: string): AnyDefinition => losses.get(name);

export interface LossSettings {
  /** Default: the definition's. */
  weight?: number;
  options?: Readonly<Record<string, unknown>>;
}

/**
 * A loss for one pair of networks: checked, with its modules and memories made. The caller disposes it.
 *
 * @throws UserError for an unknown name or option, networks that it cannot compare, or memory that would not fit
 * @example
 * const loss = createLoss('at', { student, teacher, classes: 100, samples: 50000, batchSize: 64, seed: 0 });
 */
export function createLoss(name: string, context: LossContext, settings: LossSettings = {}): DistillLoss {
  const definition = findLoss(name);
  const { weight = definition.weight } = settings;
  if (!(weight >= 0 && Number.isFinite(weight))) {
    throw new UserError(`the weight of ${definition.name} must be a number >= 0, got ${weight}`, {
      hint: `its default is ${definition.weight}`,
    });
  }
  const options = resolveOptions(definition.name, definition.options, settings.options);
  definition.check?.(context, options as never);
  const parts = definition.create(context, options as never);
  const modules = parts.modules ?? new ModuleDict({});
  if (context.device && context.device !== 'cpu') modules.to({ device: context.device });
  return {
    name: definition.name,
    weight,
    options,
    modules,
    phases: parts.phases ?? [trainPhase(Object.keys(modules.entries), parts.needs ?? {})],
    ramp: parts.ramp ?? (() => 1),
    terms: (input) => tidy(() => parts.terms(input)),
    dispose: () => modules.dispose(),
  };
}
