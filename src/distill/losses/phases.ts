/** @file The phases of a loss: what the usual ones look like, and switching a loss's modules from one to the next. */
import { UserError } from '../../base/errors.ts';
import type { Tensor } from '../../torch/index.ts';
import type { DistillLoss, LossPhase, Needs, PhaseName, TapKind } from './loss.ts';

const nothing: Needs = { student: 'none', teacher: 'none', index: false };

/** The stage before training. The learning rate is the run's own and the student trains, unless said. */
export const initPhase = (phase: Pick<LossPhase, 'epochs' | 'trains' | 'needs'> & Partial<LossPhase>): LossPhase => ({
  name: 'init',
  lr: null,
  student: true,
  ...phase,
});

/** A `train` phase to which the loss adds nothing. */
export const plainPhase = (): LossPhase => trainPhase([], {});

/** The `train` phase: the run's epochs, learning rate and schedule. */
export const trainPhase = (trains: readonly string[], needs: Partial<Needs>): LossPhase => ({
  name: 'train',
  epochs: null,
  lr: null,
  student: true,
  trains,
  needs: { ...nothing, ...needs },
});

/** The phase by name; undefined where the loss has none of that name. */
export const phaseOf = (loss: DistillLoss, name: PhaseName): LossPhase | undefined =>
  loss.phases.find((phase) => phase.name === name);

/**
 * Prepare the loss's own modules for a phase: those it trains in train mode with gradients, the others in eval mode without.
 * Returns the parameters to optimise, named as in the state dict. A loss without that phase trains nothing in it.
 */
export function enterPhase(loss: DistillLoss, name: PhaseName): Map<string, Tensor> {
  const trains = phaseOf(loss, name)?.trains ?? [];
  for (const [key, module] of Object.entries(loss.modules.entries)) {
    const trained = trains.includes(key);
    module.train(trained);
    for (const parameter of module.parameters()) parameter.requiresGrad = trained;
  }
  return new Map([...loss.modules.namedParameters()].filter(([, parameter]) => parameter.requiresGrad));
}

/** What the losses of a phase need together. */
export interface Passes {
  /** The one kind of taps to take from the student. */
  student: TapKind;
  /** The teacher may have to run once for each. */
  teacher: readonly TapKind[];
  index: boolean;
}

/**
 * The forward passes that a phase's losses need. Give each loss the teacher's features of its own kind
 * (`phaseOf(loss, name).needs.teacher`).
 *
 * @throws UserError where two losses read different kinds of the student's taps: it runs once, for its batch norm's sake
 */
export function passesOf(losses: readonly DistillLoss[], name: PhaseName): Passes {
  const teacher = new Set<TapKind>();
  let student: { kind: TapKind; loss: string } | undefined;
  let index = false;
  for (const loss of losses) {
    const needs = phaseOf(loss, name)?.needs ?? nothing;
    index ||= needs.index;
    if (needs.teacher !== 'none') teacher.add(needs.teacher);
    if (needs.student === 'none') continue;
    if (student && student.kind !== needs.student) {
      throw new UserError(
        `${student.loss} and ${loss.name} cannot be combined: only one reads the student's stages before their last ReLU`,
        {
          hint: 'one forward pass of the student gives its stages either before or after that ReLU',
        },
      );
    }
    student = { kind: needs.student, loss: loss.name };
  }
  return { student: student?.kind ?? 'none', teacher: [...teacher], index };
}
