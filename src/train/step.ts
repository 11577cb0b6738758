import { type Terms, totalLoss } from '../distill/objective.ts';
import type { FeatureOptions, Features } from '../models/index.ts';
import { clipGradNorm, type Module, type Optimizer, withoutStatistics } from '../nn/index.ts';
import { type Precision, withPrecision } from '../nn/precision.ts';
import { grad, noGrad, stack, type Tensor, tidy } from '../torch/index.ts';
import type { Batch, StudentPass, Task } from './task.ts';

/** How much of the update a term accounts for. */
export interface GradientShare {
  value: number;
  weight: number;
  /** L2 norm, over all of the student's weights, of the gradient of weight times value. */
  norm: number;
  /** The norm over the sum of all terms' norms. */
  share: number;
}

/** What one step measured, as plain numbers. */
export interface StepResult {
  /** The value of each term before its weight, in the objective's order. */
  terms: Record<string, number>;
  /** Their weights. */
  weights?: Record<string, number>;
  /** Their weighted sum. */
  loss: number;
  /** What else the task measured. */
  measures: Record<string, number>;
  /** Images of x whose label was the student's first choice; 0 where the student did not run. */
  correct: number;
  samples: number;
  /** By term, where it was asked for. */
  gradients?: Record<string, GradientShare>;
}

/** A loss that is not finite: the run stops before the weights take it up. */
export class DivergedError extends Error {
  override readonly name: string = 'DivergedError';
  readonly terms: readonly string[];
  constructor(terms: readonly string[], values: Record<string, number>) {
    const said = Object.entries(values).map(([name, value]) => `${name} ${value}`);
    super(`the loss is not finite: ${terms.join(', ') || 'total'} (${said.join(', ')})`);
    this.terms = terms;
  }
}

/** A network as a step trains it. */
export type Trainee = Module & {
  forward(images: Tensor): Tensor;
  features?(images: Tensor, options?: FeatureOptions): Features;
};

export interface StepRun {
  lr: number;
  precision: Precision;
  device: string;
  /** Measure each term's share of the gradient: one more backward pass a term. */
  gradients?: boolean;
  /** Clip the gradient's norm to this. It is measured as `grad_norm`. */
  clipGrad?: number | null;
}

function studentPass(student: Trainee, { precision, device }: StepRun): StudentPass {
  const forward = (images: Tensor): Tensor =>
    withPrecision(precision, device, () => student.forward(images)).to('float32');
  const features = (images: Tensor, options: FeatureOptions): Features => {
    if (!student.features) throw new TypeError(`${student.constructor.name} has no feature taps`);
    const found = withPrecision(precision, device, () => student.features!(images, options));
    return { logits: found.logits.to('float32'), taps: found.taps };
  };
  const score = (images: Tensor, updateStatistics: boolean): Tensor =>
    noGrad(() => (updateStatistics ? forward(images) : withoutStatistics(student, () => forward(images))));
  return Object.assign(forward, { features, score });
}

/** The norm of each term's weighted gradient over `parameters`. Leaves the graph and every `.grad` as they are. */
function gradientNorms(terms: Terms, parameters: readonly Tensor[]): Record<string, number> {
  return tidy(() => {
    const norms = Object.entries(terms).map(([name, { value, weight }]) => {
      if (weight === 0 || !value.requiresGrad) return [name, 0] as const;
      const squares = tidy(() => {
        const gradients = grad([value], parameters, { retainGraph: true, allowUnused: true });
        const norms = gradients.flatMap((gradient) => (gradient ? [gradient.to('float32').norm()] : []));
        return norms.length > 0 ? stack(norms).norm() : null;
      });
      return [name, squares ? weight * squares.item() : 0] as const;
    });
    return Object.fromEntries(norms);
  });
}

function gradientShares(
  terms: Terms,
  values: Record<string, number>,
  parameters: readonly Tensor[],
): Record<string, GradientShare> {
  const norms = gradientNorms(terms, parameters);
  const sum = Object.values(norms).reduce((total, norm) => total + norm, 0);
  return Object.fromEntries(
    Object.entries(terms).map(([name, { weight }]) => {
      const norm = norms[name]!;
      return [name, { value: values[name]!, weight, norm, share: sum > 0 ? norm / sum : 0 }];
    }),
  );
}

/** Loss, gradients and update of one batch. Leaves no tensor behind. */
export function trainStep(student: Trainee, task: Task, batch: Batch, optimizer: Optimizer, run: StepRun): StepResult {
  return tidy(() => {
    const { terms, logits, measures = {} } = task.step(batch, studentPass(student, run));
    const total = totalLoss(terms);
    const names = Object.keys(terms);
    // One copy out for all numbers: on a GPU each would wait for the device.
    const values = noGrad(() => {
      const correct = logits ? [logits.argmax(1).eq(batch.labels).sum().to('float32')] : [];
      return stack([
        ...names.map((name) => terms[name]!.value.detach().to('float32')),
        total.detach(),
        ...correct,
      ]).data() as Float32Array;
    });
    const result: StepResult = {
      terms: Object.fromEntries(names.map((name, i) => [name, values[i]!])),
      weights: Object.fromEntries(names.map((name) => [name, terms[name]!.weight])),
      loss: values[names.length]!,
      measures,
      correct: values[names.length + 1] ?? 0,
      samples: batch.index.length,
    };
    if (!Number.isFinite(result.loss)) {
      throw new DivergedError(
        names.filter((name) => !Number.isFinite(result.terms[name])),
        result.terms,
      );
    }
    // A single term's share is all of it.
    const several = Object.values(terms).filter(({ weight }) => weight > 0).length > 1;
    if (run.gradients && several) {
      const parameters = [...student.parameters()].filter((parameter) => parameter.requiresGrad);
      result.gradients = gradientShares(terms, result.terms, parameters);
    }
    total.backward();
    if (run.clipGrad) {
      const norm = clipGradNorm(optimizer.parameters, run.clipGrad);
      if (!Number.isFinite(norm)) throw new DivergedError(['norm of the gradient'], { 'norm of the gradient': norm });
      result.measures = { ...result.measures, grad_norm: norm };
    }
    optimizer.lr = run.lr;
    optimizer.step();
    optimizer.zeroGrad();
    return result;
  });
}
