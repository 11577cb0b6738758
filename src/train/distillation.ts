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
import type { Passes } from '../distill/losses/index.ts';
import type { TapKind } from '../distill/losses/loss.ts';
import type { Methods, TeacherFeatures, View } from '../distill/methods.ts';
import { type KdOptions, kdTerms, mixedCrossEntropy, type Terms } from '../distill/objective.ts';
import { criterionNeeds, type PickOptions, pick, pickCount, takePicked } from '../distill/pick/index.ts';
import type { TeacherModel } from '../distill/teacher.ts';
import type { Features } from '../models/index.ts';
import { cat, type Tensor } from '../torch/index.ts';
import type { Batch, Stage, StepOutput, StudentPass, Task } from './task.ts';

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
interface PickedView {
  images: Tensor;
  /** The teacher's logits, where scoring the pool computed them. */
  teacher: Tensor | null;
  /** Parameters of an x' that was not picked. */
  parameters: Parameters;
  measures: Record<string, number>;
}

function drawView(batch: Batch, strong: StrongView, round: number): { images: Tensor; parameters: Parameters } {
  const { scheme, draw, settings, normalization, channelsLast, seed } = strong;
  const { x, images, index, epoch, step } = batch;
  const [, , height = 0, width = 0] = x.shape;
  const parameters = scheme.draw({ seed, epoch, step, round, index, height, width, draw, settings });
  const view: BatchView = { images, x, normalization, channelsLast };
  return { images: scheme.apply(view, parameters), parameters };
}

/** What the teacher says of a view: its logits, and the taps that losses ask for. */
interface TeacherView {
  logits: Tensor;
  features: TeacherFeatures;
}

function askTeacher(
  teacher: TeacherModel,
  images: Tensor,
  kinds: readonly TapKind[],
  known: Tensor | null = null,
): TeacherView {
  const features = new Map<TapKind, Features>();
  for (const kind of kinds) {
    if (!teacher.features) throw new TypeError('this teacher has no feature taps');
    features.set(kind, teacher.features(images, { preact: kind === 'preact' }));
  }
  const [first] = features.values();
  const logits = known ?? first?.logits ?? teacher.logits(images);
  return { logits, features: features.size > 0 ? features : new Map([['none', { logits, taps: [] }]]) };
}

/** Several views of the batch, of which those with the largest criterion are kept. */
function pickView(
  batch: Batch,
  strong: StrongView,
  options: NonNullable<StrongView['pick']>,
  networks: { teacher: TeacherModel; student: StudentPass; target: Tensor | null; temperature: number },
): PickedView {
  const views = Array.from({ length: options.factor }, (_, round) => drawView(batch, strong, round));
  const pool = cat(views.map((view) => view.images));
  const needs = criterionNeeds(options.criterion);
  const teacher = needs.teacher ? networks.teacher.logits(pool) : null;
  const picked = pick({
    criterion: options.criterion,
    options: options.options,
    keep: pickCount(options, batch.index.length),
    size: pool.size(0),
    ...(teacher ? { poolTeacherLogits: teacher } : {}),
    ...(needs.student ? { poolStudentLogits: networks.student.score(pool, options.updateStatistics) } : {}),
    ...(networks.target ? { batchTeacherLogits: networks.target } : {}),
    temperature: networks.temperature,
    seed: strong.seed,
    step: batch.step,
  });
  return {
    images: takePicked(pool, picked),
    // The paper's code runs the teacher on the picked images a second time.
    teacher: teacher && takePicked(teacher, picked),
    parameters: {},
    measures: picked.ratio === null ? {} : { pick_ratio: picked.ratio },
  };
}

/** The student on one view, with the taps that losses ask for. */
const runStudent = (student: StudentPass, images: Tensor, kind: TapKind): Features =>
  kind === 'none' ? { logits: student(images), taps: [] } : student.features(images, { preact: kind === 'preact' });

/** The student on x and x'. */
function runOnBoth(
  student: StudentPass,
  x: Tensor,
  strong: Tensor,
  passes: StrongView['passes'],
  kinds: Record<View, TapKind>,
): [Features, Features] {
  if (passes === 'separate') return [runStudent(student, x, kinds.x), runStudent(student, strong, kinds.strong)];
  const both = runStudent(student, cat([x, strong]), kinds.x);
  const part = (from: number, count: number): Features => ({
    logits: both.logits.narrow(0, from, count),
    taps: both.taps.map((tap) => tap.narrow(0, from, count)),
  });
  return [part(0, x.size(0)), part(x.size(0), strong.size(0))];
}

const nothing: Passes = { student: 'none', teacher: [], index: false };

/** The stage before the run's own epochs: the terms of the losses that have one, and no cross entropy. */
function initStep(
  batch: Batch,
  stage: Stage,
  student: StudentPass,
  teacher: TeacherModel,
  methods: Methods,
): StepOutput {
  const needs = methods.passes('init');
  const said = askTeacher(teacher, batch.x, needs.teacher);
  const features = needs.student === 'none' ? null : runStudent(student, batch.x, needs.student);
  const terms = methods.terms({ ...inputOf(batch, stage), student: features, teacher: said.features });
  return { terms, logits: features?.logits ?? null };
}

const inputOf = ({ labels, index }: Batch, { name, epoch, step }: Stage) => ({
  labels,
  index,
  epoch,
  step,
  phase: name,
});

/** Whether the run's own epochs need what the teacher says of x. After ab and fsp alone, for one, they do not. */
export function asksTeacherOnX(
  { alpha }: Pick<KdOptions, 'alpha'>,
  strong: { pick?: { criterion: string } | null | undefined } | null | undefined,
  methods: Methods | null,
): boolean {
  const { pick } = strong ?? {};
  return alpha > 0 || Boolean(methods?.actsOn('x')) || (pick ? criterionNeeds(pick.criterion).batchTeacher : false);
}

/**
 * Knowledge distillation from a frozen teacher: on x, and on a second view where one is given; with other losses beside it where
 * `methods` has some. The caller disposes those.
 */
export function distillation(
  teacher: TeacherModel,
  options: KdOptions,
  strong: StrongView | null = null,
  methods: Methods | null = null,
): Task {
  const needs = methods?.passes('train') ?? nothing;
  const strongNeeds = methods?.passes('train', 'strong') ?? nothing;
  const asksOnX = asksTeacherOnX(options, strong, methods);
  return {
    ...(methods ? { modules: methods.modules, enter: (stage) => methods.enter(stage) } : {}),
    init: methods?.init ? { epochs: methods.init.epochs ?? 0, lr: methods.init.lr } : null,
    step(batch, student): StepOutput {
      const stage = batch.stage ?? { name: 'train', epoch: batch.epoch, step: batch.step };
      if (methods && stage.name === 'init') return initStep(batch, stage, student, teacher, methods);
      const said = asksOnX ? askTeacher(teacher, batch.x, needs.teacher) : null;
      const add = (terms: Terms, student: Features, teacher: TeacherView, view: View): void => {
        const input = { ...inputOf(batch, stage), student, teacher: teacher.features };
        if (methods) Object.assign(terms, methods.terms(input, view));
      };
      if (!strong) {
        const features = runStudent(student, batch.x, needs.student);
        const terms = kdTerms({ student: features.logits, teacher: said?.logits ?? null }, batch.labels, options);
        if (said) add(terms, features, said, 'x');
        return { terms, logits: features.logits };
      }
      const networks = { teacher, student, target: said?.logits ?? null, temperature: options.temperature };
      const view: PickedView = strong.pick
        ? pickView(batch, strong, strong.pick, networks)
        : { ...drawView(batch, strong, 0), teacher: null, measures: {} };
      const kinds = { x: needs.student, strong: strongNeeds.student };
      const [features, onStrong] = runOnBoth(student, batch.x, view.images, strong.passes, kinds);
      const logits = features.logits;
      const mixed = strong.labels === 'mixed';
      const saidOfStrong =
        mixed && !methods?.actsOn('strong')
          ? null
          : askTeacher(teacher, view.images, strongNeeds.teacher, view.teacher);
      const terms = kdTerms(
        { student: logits, teacher: said?.logits ?? null },
        batch.labels,
        options,
        mixed ? undefined : { student: onStrong.logits, teacher: saidOfStrong!.logits, weight: strong.weight },
      );
      if (mixed) {
        const mix = mixOf(strong.scheme, view.parameters);
        if (!mix) throw new TypeError(`${strong.scheme.name} mixes no labels`);
        terms.ce_strong = { value: mixedCrossEntropy(onStrong.logits, batch.labels, mix), weight: strong.weight };
      }
      if (said) add(terms, features, said, 'x');
      if (saidOfStrong) add(terms, onStrong, saidOfStrong, 'strong');
      return { terms, logits, measures: view.measures };
    },
  };
}
