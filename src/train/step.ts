import { totalLoss } from '../distill/objective.ts';
import { type Module, type SGD, withoutStatistics } from '../nn/index.ts';
import { type Precision, withPrecision } from '../nn/precision.ts';
import { noGrad, stack, type Tensor, tidy } from '../torch/index.ts';
import type { Batch, Task } from './task.ts';

/** What one step measured, as plain numbers. */
export interface StepResult {
  /** The value of each term before its weight, in the objective's order. */
  terms: Record<string, number>;
  /** Their weighted sum. */
  loss: number;
  /** What else the task measured. */
  measures: Record<string, number>;
  /** Pictures of x whose label was the student's first choice. */
  correct: number;
  samples: number;
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

/** Loss, gradients and update of one batch. Leaves no tensor behind. */
export function trainStep(
  student: Module & { forward(images: Tensor): Tensor },
  task: Task,
  batch: Batch,
  optimizer: SGD,
  run: { lr: number; precision: Precision; device: string },
): StepResult {
  return tidy(() => {
    const forward = (images: Tensor): Tensor =>
      withPrecision(run.precision, run.device, () => student.forward(images)).to('float32');
    const score = (images: Tensor, updateStatistics: boolean): Tensor =>
      noGrad(() => (updateStatistics ? forward(images) : withoutStatistics(student, () => forward(images))));
    const { terms, logits, measures = {} } = task.step(batch, Object.assign(forward, { score }));
    const total = totalLoss(terms);
    const names = Object.keys(terms);
    // One copy out for all numbers: on a GPU each would wait for the device.
    const values = noGrad(() => {
      const correct = logits.argmax(1).eq(batch.labels).sum().to('float32');
      return stack([
        ...names.map((name) => terms[name]!.value.detach()),
        total.detach(),
        correct,
      ]).data() as Float32Array;
    });
    const result: StepResult = {
      terms: Object.fromEntries(names.map((name, i) => [name, values[i]!])),
      loss: values[names.length]!,
      measures,
      correct: values[names.length + 1]!,
      samples: batch.index.length,
    };
    if (!Number.isFinite(result.loss)) {
      throw new DivergedError(
        names.filter((name) => !Number.isFinite(result.terms[name])),
        result.terms,
      );
    }
    total.backward();
    optimizer.lr = run.lr;
    optimizer.step();
    optimizer.zeroGrad();
    return result;
  });
}
