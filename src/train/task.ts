/** @file What differs between kinds of training: the terms of a step. The loop stays one loop. */
import { supervisedTerms, type Terms } from '../distill/objective.ts';
import type { Tensor } from '../torch/index.ts';

/** One batch as a task sees it. */
export interface Batch {
  /** Normalised pictures [B, 3, H, W] after the standard augmentation. */
  x: Tensor;
  /** The same before normalisation: uint8 [B, 3, H, W]. */
  pictures: Tensor;
  /** int64 [B] */
  labels: Tensor;
  /** Sample indices in the training set. */
  index: Int32Array;
  epoch: number;
  /** Steps taken before this one, over the whole run. */
  step: number;
}

export interface StepOutput {
  terms: Terms;
  /** The student's logits on x, for training accuracy. */
  logits: Tensor;
  /** Numbers worth recording that are not minimised. */
  measures?: Record<string, number>;
}

/** How a task runs the student. */
export interface StudentPass {
  /** In train mode and the run's precision; float32 logits. */
  (images: Tensor): Tensor;
  /** The same without gradient, to score pictures; running statistics of batch norm move only if asked to. */
  score(images: Tensor, updateStatistics: boolean): Tensor;
}

export interface Task {
  step(batch: Batch, student: StudentPass): StepOutput;
}

/** Cross entropy with the labels: a teacher, or a student alone. */
export function supervised(): Task {
  return {
    step({ x, labels }, student) {
      const logits = student(x);
      return { terms: supervisedTerms(logits, labels), logits };
    },
  };
}
