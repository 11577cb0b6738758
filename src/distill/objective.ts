/** @file What is minimised: named terms, each with its weight. The trainer only sums them. */
import { UserError } from '../base/errors.ts';
import { ops, type Tensor, tensor, tidy } from '../torch/index.ts';
import { crossEntropy } from './kl.ts';
import { kdTerm } from './losses/kd.ts';

/** A term's value (a scalar tensor) and its weight in the total. */
export interface Term {
  value: Tensor;
  weight: number;
}
export type Terms = Record<string, Term>;

/** Knowledge distillation's weights: total = gamma CE + alpha KL, at temperature T (paper: 0.1, 0.9, 4). */
export interface KdOptions {
  gamma: number;
  alpha: number;
  temperature: number;
}

export const kdDefaults: Readonly<KdOptions> = { gamma: 0.1, alpha: 0.9, temperature: 4 };

/** Logits of teacher and student on one view of the batch. */
export interface ViewLogits {
  student: Tensor;
  teacher: Tensor;
}

/** Cross entropy alone: teachers and baselines. */
export function supervisedTerms(logits: Tensor, labels: Tensor): Terms {
  return { ce: { value: crossEntropy(logits, labels), weight: 1 } };
}

/**
 * gamma CE(x) + alpha KL(x), and weight KL(x') where a second view x' is given (default: alpha): the paper's sum of the two, not
 * averaged, with the teacher's own output on x' as the target and no label (paper, section 3.2; each KL over its own batch size).
 * KL is the loss kd.
 * What has weight 0 is left out; where alpha is 0 the teacher need not have seen x.
 */
export function kdTerms(
  x: Omit<ViewLogits, 'teacher'> & { teacher: Tensor | null },
  labels: Tensor,
  options: KdOptions,
  strong?: ViewLogits & { weight?: number },
): Terms {
  const { gamma, alpha, temperature } = options;
  const kl = ({ student, teacher }: ViewLogits): Tensor =>
    kdTerm({ student: { logits: student }, teacher: { logits: teacher } }, temperature);
  const terms: Terms = {};
  if (gamma > 0) terms.ce = { value: crossEntropy(x.student, labels), weight: gamma };
  if (alpha > 0) {
    if (!x.teacher) throw new TypeError('KL(x) has a weight and no target');
    terms.kl = { value: kl({ student: x.student, teacher: x.teacher }), weight: alpha };
  }
  const weight = strong?.weight ?? alpha;
  if (strong && weight > 0) terms.kl_strong = { value: kl(strong), weight };
  return terms;
}

/**
 * Cross entropy with two labels, each by its image's share: lambda CE(y) + (1 - lambda) CE(y of the partner), the hard labels of
 * mixup and CutMix (S. Yun and others, "CutMix", 2019). Mean over the batch.
 */
export function mixedCrossEntropy(
  logits: Tensor,
  labels: Tensor,
  { partner, lambda }: { readonly partner: Int32Array; readonly lambda: Float64Array },
): Tensor {
  return tidy(() => {
    const { device } = logits;
    const other = labels.indexSelect(0, tensor(partner, { dtype: 'int64', device }));
    const share = tensor(lambda, { dtype: logits.dtype, device });
    const each = (target: Tensor): Tensor => ops.crossEntropyLoss(logits, target, null, 0);
    return each(labels)
      .mul(share)
      .add(each(other).mul(share.rsub(1)))
      .mean();
  });
}

/** The weighted sum. Terms of weight 0 are left out, so that a NaN among them does no harm. */
export function totalLoss(terms: Terms): Tensor {
  let total: Tensor | undefined;
  for (const { value, weight } of Object.values(terms)) {
    if (weight === 0) continue;
    const part = value.mul(weight);
    total = total ? total.add(part) : part;
  }
  if (!total) throw new UserError('every term of the objective has weight 0');
  return total;
}
