/**
 * @file The losses of a run beside cross entropy and KL, as one thing: which passes they need, their modules under one roof, and
 * their terms with weights, named `at.stage1` (or `sp`, where a loss has a single term) and `at_strong.stage1` on x'.
 */
import { UserError } from '../base/errors.ts';
import type { Features } from '../models/index.ts';
import type { Tensor } from '../torch/index.ts';
import { enterPhase, type Passes, passesOf, phaseOf } from './losses/index.ts';
import type { DistillLoss, LossInput, LossPhase, PhaseName, TapKind } from './losses/loss.ts';
import { ModuleDict } from './losses/modules.ts';
import type { Terms } from './objective.ts';

/** A loss in use. `both`: on the strongly augmented view x' as well as on x. */
export interface Method {
  loss: DistillLoss;
  on: 'x' | 'both';
}

/** The teacher's features by the kind of taps. */
export type TeacherFeatures = ReadonlyMap<TapKind, Features>;

/** The batch after the standard augmentation (x), or what a stronger one made of it (x'). */
export type View = 'x' | 'strong';

/** One view of the batch, as the losses see it. */
export interface MethodInput extends Omit<LossInput, 'student' | 'teacher' | 'seed'> {
  student: Features | null;
  teacher: TeacherFeatures;
}

const noFeatures = (logits: Tensor): Features => ({ logits, taps: [] });

/** Whether a loss adds nothing to the run's own epochs. */
function actsOnlyBefore(loss: DistillLoss): boolean {
  const train = phaseOf(loss, 'train');
  return phaseOf(loss, 'init') !== undefined && train?.trains.length === 0 && train.needs.student === 'none';
}

export class Methods {
  readonly list: readonly Method[];
  /** Every loss's modules by the loss's name: for the optimizer and the checkpoint. */
  readonly modules: ModuleDict;
  /** The stage before the run's own epochs, where a loss has one. */
  readonly init: LossPhase | null;
  readonly #seed: number;
  readonly #passes: Record<PhaseName, Record<View, Passes>>;

  /** @throws UserError for losses that cannot be combined */
  constructor(list: readonly Method[], seed: number) {
    this.list = list;
    this.#seed = seed;
    const losses = list.map(({ loss }) => loss);
    this.modules = new ModuleDict(Object.fromEntries(losses.map((loss) => [loss.name, loss.modules])));
    const first = losses.filter((loss) => phaseOf(loss, 'init'));
    if (first.length > 1) {
      throw new UserError(
        `${first.map(({ name }) => name).join(' and ')} cannot be combined: each begins with a stage of its own`,
        {
          hint: 'use one of them',
        },
      );
    }
    const before = list.find(({ loss, on }) => on === 'both' && actsOnlyBefore(loss));
    if (before) {
      throw new UserError(
        `${before.loss.name} cannot act on x': it acts before the run's own epochs, where there is only x`,
      );
    }
    this.init = (first[0] && phaseOf(first[0], 'init')) ?? null;
    const onStrong = this.on('strong').map(({ loss }) => loss);
    const passes = (phase: PhaseName): Record<View, Passes> => ({
      x: passesOf(losses, phase),
      strong: passesOf(onStrong, phase),
    });
    this.#passes = { init: passes('init'), train: passes('train') };
  }

  /** Prepare the losses' modules for a stage: those it trains in train mode with gradients, the others frozen. */
  enter(phase: PhaseName): void {
    for (const { loss } of this.list) enterPhase(loss, phase);
  }

  /** What the losses of a stage need of both networks on a view. */
  passes(phase: PhaseName, view: View = 'x'): Passes {
    return this.#passes[phase][view];
  }

  /** The terms on a view, each with its weight in this epoch. */
  terms(input: MethodInput, view: View = 'x'): Terms {
    const terms: Terms = {};
    for (const { loss } of this.on(view)) {
      const phase = phaseOf(loss, input.phase);
      if (!phase || (input.phase === 'train' && actsOnlyBefore(loss))) continue;
      const teacher = input.teacher.get(phase.needs.teacher) ?? [...input.teacher.values()][0];
      if (!teacher) throw new TypeError(`${loss.name} was given nothing of the teacher`);
      // A first stage minimises its loss as it is, as in RepDistiller: ft's weight of 200 would blow its auto-encoder up.
      const weight = input.phase === 'train' ? loss.weight * loss.ramp(input.epoch) : 1;
      const student = input.student ?? noFeatures(teacher.logits);
      const values = Object.entries(loss.terms({ ...input, student, teacher, seed: this.#seed }));
      const name = view === 'x' ? loss.name : `${loss.name}_strong`;
      for (const [key, value] of values) terms[values.length === 1 ? name : `${name}.${key}`] = { value, weight };
    }
    return terms;
  }

  /** Whether a loss has a term on a view in the run's own epochs: then the teacher is needed there. */
  actsOn(view: View): boolean {
    return this.on(view).some(({ loss }) => !actsOnlyBefore(loss));
  }

  /** The losses that act on a view. */
  on(view: View): readonly Method[] {
    return view === 'x' ? this.list : this.list.filter(({ on }) => on === 'both');
  }

  dispose(): void {
    for (const { loss } of this.list) loss.dispose();
  }
}
