import { ops, type Tensor, tidy } from '../torch/index.ts';

/** libtorch's codes for how a loss is reduced. */
const SUM = 2;
const MEAN = 1;

/**
 * The distillation term of Hinton, Vinyals, Dean, "Distilling the Knowledge in a Neural Network", 2015:
 * T^2 / B * sum over the batch and the classes of p_t log(p_t / p_s), p = softmax(logits / T). This, summed over classes,
 * averaged over the batch and multiplied by T^2, is what KL means everywhere here.
 *
 * @param student logits [B, classes]
 * @param teacher logits [B, classes]; no gradient flows into them
 */
export function klDivergence(student: Tensor, teacher: Tensor, temperature: number): Tensor {
  return tidy(() => {
    const batch = student.size(0);
    const p = ops.logSoftmax(student.div(temperature), 1);
    const target = ops.logSoftmax(teacher.detach().div(temperature), 1);
    // Both as logarithms: a probability that underflows gives 0, not NaN.
    return ops.klDiv(p, target, SUM, true).mul(temperature ** 2 / batch);
  });
}

/** Mean cross entropy of logits [B, classes] with labels int64 [B]. */
export function crossEntropy(logits: Tensor, labels: Tensor): Tensor {
  return ops.crossEntropyLoss(logits, labels, null, MEAN);
}
