/** @file Where a network errs: its confusion, the images it is surest of and wrong, and those that it and its teacher dispute. */
import { UserError } from '../base/errors.ts';
import { datasetInfo, loadSplit } from '../data/index.ts';
import { encodePng } from '../plot/png.ts';
import { type CheckpointScore, type EvaluateCheckpointOptions, evaluateCheckpoint } from './evaluate-checkpoint.ts';

export interface DisputedImage {
  /** Place in the set. */
  index: number;
  label: number;
  /** The class each takes it for; null without a teacher. */
  student: number;
  teacher: number | null;
  /** The student's cross entropy. */
  loss: number;
  /** The image as a PNG in base64. */
  png: string;
}

/** What `thrive eval --save` keeps in the run folder as errors.json. */
export interface ErrorReport {
  data: string;
  split: 'train' | 'test';
  count: number;
  classNames: readonly string[];
  student: { checkpoint: string; top1: number; loss: number };
  teacher: { checkpoint: string; top1: number; loss: number } | null;
  /** True class, class said, how often; where it happened. */
  confusion: [truth: number, said: number, count: number][];
  /** Per cent right of each class. */
  perClass: { count: number; student: number; teacher: number | null }[];
  /** Wrong, the greatest loss first. */
  worst: DisputedImage[];
  /** The student is wrong where the teacher is right, and the reverse; the greatest difference of their losses first. */
  studentWrong: DisputedImage[];
  teacherWrong: DisputedImage[];
}

/** Of each image: the class it is taken for and the cross entropy of its label. */
export interface Answers {
  said: Int32Array;
  loss: Float64Array;
}

const SHOWN = 24;

/** Take in a batch of logits. */
export function addAnswers(to: Answers, first: number, logits: Float32Array, labels: Int32Array): void {
  const classes = logits.length / labels.length;
  for (const [row, label] of labels.entries()) {
    const own = logits.subarray(row * classes, (row + 1) * classes);
    let best = 0;
    for (let c = 1; c < classes; c++) if (own[c]! > own[best]!) best = c;
    let sum = 0;
    for (const value of own) sum += Math.exp(value - own[best]!);
    to.said[first + row] = best;
    to.loss[first + row] = Math.log(sum) + own[best]! - own[label]!;
  }
}

const emptyAnswers = (count: number): Answers => ({ said: new Int32Array(count), loss: new Float64Array(count) });

/** Everything but the networks' scores and the images' bytes. */
export function findErrors(labels: Int32Array, classes: number, student: Answers, teacher: Answers | null) {
  const counts = new Map<number, number>();
  const perClass = Array.from({ length: classes }, () => ({ count: 0, student: 0, teacher: 0 }));
  const places = Array.from(labels.keys());
  for (const i of places) {
    const [label, said] = [labels[i]!, student.said[i]!];
    counts.set(label * classes + said, (counts.get(label * classes + said) ?? 0) + 1);
    const own = perClass[label]!;
    own.count++;
    if (said === label) own.student++;
    if (teacher && teacher.said[i] === label) own.teacher++;
  }
  const wrong = (who: Answers, i: number): boolean => who.said[i] !== labels[i];
  // A loss that is no number is as bad as one can be.
  const badness = (value: number): number => (Number.isNaN(value) ? Number.POSITIVE_INFINITY : value);
  const worstFirst = (some: number[], by: (i: number) => number): number[] =>
    some
      .map((i) => ({ i, bad: badness(by(i)) }))
      .sort((a, b) => (a.bad === b.bad ? a.i - b.i : b.bad - a.bad))
      .slice(0, SHOWN)
      .map(({ i }) => i);
  const gap = (i: number): number => student.loss[i]! - (teacher?.loss[i] ?? 0);
  const percent = (n: number, of: number): number => (of === 0 ? 0 : (100 * n) / of);
  return {
    confusion: [...counts]
      .sort(([a], [b]) => a - b)
      .map(([at, n]): [number, number, number] => [Math.floor(at / classes), at % classes, n]),
    perClass: perClass.map(({ count, student: s, teacher: t }) => ({
      count,
      student: percent(s, count),
      teacher: teacher ? percent(t, count) : null,
    })),
    worst: worstFirst(
      places.filter((i) => wrong(student, i)),
      (i) => student.loss[i]!,
    ),
    studentWrong: teacher
      ? worstFirst(
          places.filter((i) => wrong(student, i) && !wrong(teacher, i)),
          gap,
        )
      : [],
    teacherWrong: teacher
      ? worstFirst(
          places.filter((i) => !wrong(student, i) && wrong(teacher, i)),
          (i) => -gap(i),
        )
      : [],
  };
}

export interface ErrorReportOptions extends EvaluateCheckpointOptions {
  teacher?: { checkpoint: string; model?: string } | undefined;
}

/**
 * Measure a checkpoint, and its teacher where one is given, and find where they err.
 *
 * @throws UserError for a file, architecture or dataset that does not fit
 */
export async function reportErrors(
  path: string,
  { teacher, onLogits: _, ...options }: ErrorReportOptions,
): Promise<{ score: CheckpointScore; report: ErrorReport }> {
  const measure = async (checkpoint: string, model: string | undefined, data: string | undefined) => {
    const batches: [number, Float32Array, Int32Array][] = [];
    const { model: __, data: ___, ...rest } = options;
    const score = await evaluateCheckpoint(checkpoint, {
      ...rest,
      ...(model ? { model } : {}),
      ...(data ? { data } : {}),
      onLogits: (first, logits, labels) => batches.push([first, logits.slice(), labels.slice()]),
    });
    const answers = emptyAnswers(score.count);
    for (const batch of batches) addAnswers(answers, ...batch);
    return { score, answers };
  };
  const student = await measure(path, options.model, options.data);
  const taught = teacher ? await measure(teacher.checkpoint, teacher.model, student.score.data) : null;
  if (taught && taught.score.count !== student.score.count) {
    throw new UserError(
      `the teacher was measured on ${taught.score.count} images, the student on ${student.score.count}`,
    );
  }
  const { data, split } = student.score;
  const info = datasetInfo(data);
  const source = { data, ...(options.dataDir ? { dataDir: options.dataDir } : {}) };
  const set = await loadSplit(source, split, options.limitTest, 'limitTest');
  const found = findErrors(set.labels, info.classes, student.answers, taught?.answers ?? null);
  const size = set.width * set.height;
  const image = (index: number): DisputedImage => {
    const pixels = new Uint8Array(3 * size);
    for (let i = 0; i < size; i++) {
      for (let c = 0; c < 3; c++) pixels[3 * i + c] = set.images[(3 * index + c) * size + i]!;
    }
    return {
      index,
      label: set.labels[index]!,
      student: student.answers.said[index]!,
      teacher: taught?.answers.said[index] ?? null,
      loss: student.answers.loss[index]!,
      png: encodePng({ data: pixels, width: set.width, height: set.height }).toString('base64'),
    };
  };
  const brief = ({ score }: { score: CheckpointScore }) => ({
    checkpoint: score.checkpoint,
    top1: score.top1,
    loss: score.loss,
  });
  return {
    score: student.score,
    report: {
      data,
      split,
      count: set.count,
      classNames: info.classNames,
      student: brief(student),
      teacher: taught && brief(taught),
      confusion: found.confusion,
      perClass: found.perClass,
      worst: found.worst.map(image),
      studentWrong: found.studentWrong.map(image),
      teacherWrong: found.teacherWrong.map(image),
    },
  };
}
