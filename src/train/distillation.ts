/**
 * @file A distillation step: the two-view objective of "Knowledge Distillation Thrives on Data Augmentation" (arXiv:2012.02909,
 * later version, section 3.2), its control rows, and picking. x is the batch after the standard augmentation, x' what a
 * stronger one makes of it; the teacher labels both.
 */
import {
  type BatchView,
  mixOf,
  type Normalization,
  type Parameters,
  type Scheme,
  type SchemeSettings,
} from '../augment/index.ts';
import { type KdOptions, kdTerms, mixedCrossEntropy, type Terms, type ViewLogits } from '../distill/objective.ts';
import { criterionNeeds, type PickOptions, pick, pickCount, takePicked } from '../distill/pick.ts';
import type { TeacherModel } from '../distill/teacher.ts';
import { cat, type Tensor } from '../torch/index.ts';
import type { Batch, StepOutput, StudentPass, Task } from './task.ts';

/** The second view of each step. */
export interface StrongView {
  scheme: Scheme;
  /** A draw for each sample, or one for the batch, as in the paper's code. */
  draw: 'sample' | 'batch';
  settings: SchemeSettings;
  normalization: Normalization;
  channelsLast: boolean;
  seed: number;
  /** Weight of KL(x'); the paper's is alpha again. */
  weight: number;
  /**
   * What x' is held against: the teacher's output on it, or (the paper's control row) the two labels mixed by lambda. The
   * latter needs a scheme that mixes.
   */
  labels: 'teacher' | 'mixed';
  /** Two passes, so that batch norm sees x and x' apart, as in the paper; or one pass over both. */
  passes: 'separate' | 'joint';
  pick: (PickOptions & { updateStatistics: boolean }) | null;
}

/** x' of a step, with what is known of it already. */
interface View {
  images: Tensor;
  /** The teacher's logits, where scoring the pool computed them. */
  teacher: Tensor | null;
  /** Parameters of an x' that was not picked. */
  parameters: Parameters;
  measures: Record<string, number>;
}

function drawView(batch: Batch, strong: StrongView, round: number): { images: Tensor; parameters: Parameters } {
  const { scheme, draw, settings, normalization, channelsLast, seed } = strong;
  const { x, pictures, index, epoch, step } = batch;
  const [, , height = 0, width = 0] = x.shape;
  const parameters = scheme.draw({ seed, epoch, step, round, index, height, width, draw, settings });
  const view: BatchView = { pictures, x, normalization, channelsLast };
  return { images: scheme.apply(view, parameters), parameters };
}

/** Several views of the batch, of which those with the largest criterion are kept. */
function pickView(
  batch: Batch,
  strong: StrongView,
  options: NonNullable<StrongView['pick']>,
  networks: { teacher: TeacherModel; student: StudentPass; target: Tensor; temperature: number },
): View {
  const views = Array.from({ length: options.factor }, (_, round) => drawView(batch, strong, round));
  const pool = cat(views.map((view) => view.images));
  const needs = criterionNeeds(options.criterion);
  const teacher = needs.teacher ? networks.teacher.logits(pool) : null;
  const picked = pick({
    criterion: options.criterion,
    keep: pickCount(options, batch.index.length),
    size: pool.size(0),
    ...(teacher ? { poolTeacherLogits: teacher } : {}),
    ...(needs.student ? { poolStudentLogits: networks.student.score(pool, options.updateStatistics) } : {}),
    batchTeacherLogits: networks.target,
    temperature: networks.temperature,
    seed: strong.seed,
    step: batch.step,
  });
  return {
    images: takePicked(pool, picked),
    // The paper's code runs the teacher on the picked pictures a second time.
    teacher: teacher && takePicked(teacher, picked),
    parameters: {},
    measures: picked.ratio === null ? {} : { pick_ratio: picked.ratio },
  };
}

/** Student logits on x and x'. */
function runStudent(student: StudentPass, x: Tensor, strong: Tensor, passes: StrongView['passes']): [Tensor, Tensor] {
  if (passes === 'separate') return [student(x), student(strong)];
  const sizes = [x.size(0), strong.size(0)] as const;
  const both = student(cat([x, strong]));
  return [both.narrow(0, 0, sizes[0]), both.narrow(0, sizes[0], sizes[1])];
}

/** Knowledge distillation from a frozen teacher: on x, and on a second view where one is given. */
export function distillation(teacher: TeacherModel, options: KdOptions, strong: StrongView | null = null): Task {
  return {
    step(batch, student): StepOutput {
      const target = teacher.logits(batch.x);
      if (!strong) {
        const logits = student(batch.x);
        return { terms: kdTerms({ student: logits, teacher: target }, batch.labels, options), logits };
      }
      const networks = { teacher, student, target, temperature: options.temperature };
      const view: View = strong.pick
        ? pickView(batch, strong, strong.pick, networks)
        : { ...drawView(batch, strong, 0), teacher: null, measures: {} };
      const [logits, strongLogits] = runStudent(student, batch.x, view.images, strong.passes);
      const x: ViewLogits = { student: logits, teacher: target };
      if (strong.labels === 'mixed') {
        const terms: Terms = kdTerms(x, batch.labels, options);
        const mix = mixOf(strong.scheme, view.parameters);
        if (!mix) throw new TypeError(`${strong.scheme.name} mixes no labels`);
        terms.ce_strong = { value: mixedCrossEntropy(strongLogits, batch.labels, mix), weight: strong.weight };
        return { terms, logits, measures: view.measures };
      }
      const strongTeacher = view.teacher ?? teacher.logits(view.images);
      const terms = kdTerms(x, batch.labels, options, { student: strongLogits, teacher: strongTeacher });
      terms.kl_strong!.weight = strong.weight;
      return { terms, logits, measures: view.measures };
    },
  };
}
