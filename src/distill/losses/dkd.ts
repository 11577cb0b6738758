/**
 * @file DKD: Zhao, Cui, Song, Qiu, Liang, "Decoupled Knowledge Distillation", CVPR 2022.
 *
 *     alpha TCKD + beta NCKD
 *
 * TCKD: KL of (target, all others); NCKD: KL among the other classes, the target left out. Both times T^2 / B, teacher first, as
 * everywhere here. Taps: logits and labels. alpha 1, beta 8, T 4, weight 1 that grows over 20 epochs beside 1 cross entropy:
 * mdistiller's defaults (the authors'), where beta is set for each pair (ResNet-56 to 20: 2) and the weight of epoch e, from 1, is
 * min(e / 20, 1). The authors take the logarithm of summed probabilities, which underflows to -infinity; here log-sum-exp does
 * not. Their -1000 on the target's logit is a mask here.
 */

import { count, flag, nonNegative, positive } from '../../base/options.ts';
import { ops, stack, type Tensor, tidy } from '../../torch/index.ts';
import { SUM } from './functions.ts';
import { defineLoss } from './loss.ts';
import { standardize } from './standardize.ts';
import { readLogits } from './taps.ts';

/** exp of it is 0, and differences of two of it are finite. */
const MASKED = -1e9;

/** Log probabilities of one network, decoupled. */
interface Decoupled {
  /** Of the target and of all others together, [B, 2]. */
  binary: Tensor;
  /** Among the others, [B, C]; the target's is about -1e9. */
  others: Tensor;
}

function decouple(logits: Tensor, target: Tensor, temperature: number): Decoupled {
  // Log probabilities, not logits, so that nothing of the logits' size is lost in differences.
  const all = ops.logSoftmax(logits.div(temperature), 1);
  const rest = all.maskedFill(target, MASKED);
  const own = all.maskedFill(ops.logicalNot(target), 0).sum(1);
  return { binary: stack([own, ops.logsumexp(rest, [1])], 1), others: ops.logSoftmax(rest, 1) };
}

/** The two terms, without alpha and beta. Logits [B, classes], labels int64 [B]. */
export function decoupledTerms(
  s: Tensor,
  t: Tensor,
  labels: Tensor,
  temperature: number,
): { target: Tensor; others: Tensor } {
  return tidy(() => {
    const target = ops.oneHot(labels, s.size(1)).gt(0);
    const student = decouple(s, target, temperature);
    const teacher = decouple(t.detach(), target, temperature);
    const scale = temperature ** 2 / s.size(0);
    return {
      target: ops.klDiv(student.binary, teacher.binary, SUM, true).mul(scale),
      others: ops.klDiv(student.others, teacher.others, SUM, true).mul(scale),
    };
  });
}

export const dkd = defineLoss({
  name: 'dkd',
  aliases: ['decoupled'],
  paper: 'Zhao et al.: Decoupled Knowledge Distillation (CVPR 2022, arXiv:2203.08679)',
  year: 2022,
  equation: 'α KL(target | others) + β KL(among others), times T²/B',
  taps: 'logits, labels',
  weight: 1,
  gamma: 1,
  onlyOriginal: 'it needs the class of each image, which a mixed image does not have',
  options: {
    alpha: nonNegative(1, 'factor of the target term'),
    beta: nonNegative(8, 'factor of the term among the other classes'),
    temperature: positive(4, 'divides the logits before the softmax'),
    warmup: count(20, 'epochs over which the weight grows to its full value', 0),
    standardize: flag(false, 'standardise the logits first (see lskd)'),
  },
  create: (_context, { alpha, beta, temperature, warmup, standardize: standardized }) => ({
    ramp: (epoch) => (warmup === 0 ? 1 : Math.min(1, (epoch + 1) / warmup)),
    terms(input) {
      const { s, t } = readLogits(input);
      const [a, b] = standardized ? [standardize(s), standardize(t)] : [s, t];
      const { target, others } = decoupledTerms(a, b, input.labels, temperature);
      return { target: target.mul(alpha), others: others.mul(beta) };
    },
  }),
});
