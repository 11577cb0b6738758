/** @file What differs between kinds of training: the terms of a step. The loop stays one loop. */
import type { PhaseName } from '../distill/losses/loss.ts';
import { supervisedTerms, type Terms } from '../distill/objective.ts';
import type { FeatureOptions, Features } from '../models/index.ts';
import type { Module } from '../nn/index.ts';
import type { Tensor } from '../torch/index.ts';

/** Where in a run a step is: the run's own epochs, or a stage before them. */
export interface Stage {
  name: PhaseName;
  /** Complete epochs and steps of this stage before this one. */
  epoch: number;
  step: number;
}

/** One batch as a task sees it. */
export interface Batch {
  /** Normalised images [B, 3, H, W] after the standard augmentation. */
  x: Tensor;
  /** The same before normalisation: uint8 [B, 3, H, W]. */
  images: Tensor;
  /** int64 [B] */
  labels: Tensor;
  /** Sample indices in the training set. */
  index: Int32Array;
  /** Complete epochs before this one, and steps taken, over the whole run: what draws are made from. */
  epoch: number;
  step: number;
  /** Default: the run's own epochs, from their beginning. */
  stage?: Stage;
}

export interface StepOutput {
  terms: Terms;
  /** The student's logits on x, for training accuracy; null where it did not run. */
  logits: Tensor | null;
  /** Numbers worth recording that are not minimised. */
  measures?: Record<string, number>;
}

/** How a task runs the student. */
export interface StudentPass {
  /** In train mode and the run's precision; float32 logits. */
  (images: Tensor): Tensor;
  /** The same with its feature taps, in the precision they were computed in. */
  features(images: Tensor, options: FeatureOptions): Features;
  /** The same without gradient, to score images; running statistics of batch norm move only if asked to. */
  score(images: Tensor, updateStatistics: boolean): Tensor;
}

export interface Task {
  step(batch: Batch, student: StudentPass): StepOutput;
  /** What trains beside the student: the optimizer's and the checkpoint's, not the network's. */
  readonly modules?: Module;
  /** A stage before the run's own epochs: so many, at this learning rate (null: the run's own). No schedule, no evaluation. */
  readonly init?: { epochs: number; lr: number | null } | null;
  /** Called before the first step of a stage, and when a run is continued in it. */
  enter?(stage: PhaseName): void;
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
