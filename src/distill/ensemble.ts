/**
 * @file Several teachers as one.
 *
 *     probabilities   p = sum of w_i softmax(t_i / T)           logits   t = sum of w_i t_i            weights w_i add up to 1
 *
 * Averaging the softened probabilities is what most mean by an ensemble of teachers; averaging logits lets the most confident one
 * speak loudest. Either way the result is given as logits: for probabilities T log p, whose softmax at temperature T is p.
 */
import { UserError } from '../base/errors.ts';
import { ops, stack, type Tensor, tidy } from '../torch/index.ts';
import type { TeacherModel } from './teacher.ts';

export const ensembleKinds = ['probabilities', 'logits'] as const;
export type EnsembleKind = (typeof ensembleKinds)[number];

export interface EnsembleMember {
  teacher: TeacherModel;
  /** Its share, before all are divided by their sum. */
  weight: number;
}

/** A teacher that is the mean of several, each with its own normalisation. Takes ownership of them. Logits only. */
export class Ensemble implements TeacherModel {
  readonly classes: number;
  readonly #members: readonly EnsembleMember[];
  readonly #kind: EnsembleKind;
  readonly #temperature: number;

  /** @throws UserError for members of different classes, or weights that are not all positive */
  constructor(members: readonly EnsembleMember[], kind: EnsembleKind, temperature: number) {
    const [first, ...others] = members;
    if (!first) throw new TypeError('an ensemble needs a teacher');
    const other = others.find(({ teacher }) => teacher.classes !== first.teacher.classes);
    if (other) {
      throw new UserError(
        `teachers of ${first.teacher.classes} and of ${other.teacher.classes} classes do not go together`,
      );
    }
    const sum = members.reduce((total, { weight }) => total + weight, 0);
    const wrong = members.find(({ weight }) => !(weight > 0 && Number.isFinite(weight)));
    if (wrong) throw new UserError(`the weight of a teacher must be a number > 0, got ${wrong.weight}`);
    this.classes = first.teacher.classes;
    this.#members = members.map(({ teacher, weight }) => ({ teacher, weight: weight / sum }));
    this.#kind = kind;
    this.#temperature = temperature;
  }

  /** float32 [B, classes]; for probabilities T log p, at the temperature T of the run. */
  logits(images: Tensor): Tensor {
    return tidy(() => {
      if (this.#kind === 'logits') {
        const parts = this.#members.map(({ teacher, weight }) => teacher.logits(images).mul(weight));
        return parts.slice(1).reduce((sum, part) => sum.add(part), parts[0]!);
      }
      // log(w softmax), summed as log-sum-exp so that nothing underflows.
      const parts = this.#members.map(({ teacher, weight }) =>
        ops.logSoftmax(teacher.logits(images).div(this.#temperature), 1).add(Math.log(weight)),
      );
      return ops.logsumexp(stack(parts), [0]).mul(this.#temperature);
    });
  }

  dispose(): void {
    for (const { teacher } of this.#members) teacher.dispose();
  }
}
