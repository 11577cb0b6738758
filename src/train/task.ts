/** @file What differs between kinds of training: the terms of a step. The loop stays one loop. */
import { type KdOptions, kdTerms, supervisedTerms, type Terms } from '../distill/objective.ts';
import type { Teacher } from '../distill/teacher.ts';
import type { Tensor } from '../torch/index.ts';

/** One batch as a task sees it. */
export interface Batch {
  /** Normalised pictures [B, 3, H, W] after the standard augmentation. */
  x: Tensor;
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
}

/** `student` runs the student in train mode and the run's precision and gives float32 logits. */
export interface Task {
  step(batch: Batch, student: (images: Tensor) => Tensor): StepOutput;
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

/** Knowledge distillation from a frozen teacher. */
export function distillation(teacher: Teacher, options: KdOptions): Task {
  return {
    step({ x, labels }, student) {
      const target = teacher.logits(x);
      const logits = student(x);
      return { terms: kdTerms({ student: logits, teacher: target }, labels, options), logits };
    },
  };
}
