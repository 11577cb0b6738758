import type { BatchView, Scheme, SchemeSettings } from '../augment/index.ts';
import { criterionNeeds, type Picked, type PickOptions, pick, pickCount, takePicked } from '../distill/pick/index.ts';
import { cat, type Tensor, tensor } from '../torch/index.ts';

/** Who is asked about images [B, 3, H, W]: logits float32 [B, classes], without gradients. */
export interface Judges {
  classes: number;
  teacher(images: Tensor): Tensor;
  student?: (images: Tensor) => Tensor;
  /** Of the criterion `kl`. */
  temperature: number;
}

/** A batch after the standard augmentation, and the counters that its views are drawn from. */
export interface ViewBatch {
  view: BatchView;
  /** The teacher's logits on x, row by row. */
  teacher: Float32Array;
  index: Int32Array;
  seed: number;
  epoch: number;
  step: number;
  draw: 'sample' | 'batch';
  settings: SchemeSettings;
}

/** 1 for each image that is the same to the bit in both. */
const sameImages = (a: Tensor, b: Tensor): Uint8Array =>
  a.ne(b).to('float32').sum([1, 2, 3]).eq(0).data() as Uint8Array;

const range = (from: number, to: number): Int32Array => Int32Array.from({ length: to - from }, (_, i) => from + i);

/**
 * The views that one scheme makes of a batch: drawn when asked for, and put to the networks at most once each. Images that the
 * scheme left as they were have x's logits already. Made and used inside one `tidy`.
 */
export class ViewPool {
  readonly #batch: ViewBatch;
  readonly #scheme: Scheme;
  readonly #judges: Judges;
  readonly #views: Tensor[] = [];
  /** The teacher's logits on the views, row by row; a row counts where `known` is 1. */
  readonly #logits: Float32Array[] = [];
  readonly #known: Uint8Array[] = [];
  readonly #students = new Map<number, Tensor>();

  constructor(batch: ViewBatch, scheme: Scheme, judges: Judges) {
    this.#batch = batch;
    this.#scheme = scheme;
    this.#judges = judges;
  }

  /** Images in the batch, and so in each view. */
  get size(): number {
    return this.#batch.index.length;
  }

  /** x' [B, 3, H, W] of a round; round 0 is the one there is where nothing is picked. */
  view(round: number): Tensor {
    while (this.#views.length <= round) this.#draw(this.#views.length);
    return this.#views[round]!;
  }

  #draw(round: number): void {
    const { view, teacher, index, seed, epoch, step, draw, settings } = this.#batch;
    const [, , height = 0, width = 0] = view.x.shape;
    const parameters = this.#scheme.draw({ seed, epoch, step, round, index, height, width, draw, settings });
    const images = this.#scheme.apply(view, parameters);
    this.#views.push(images);
    this.#logits.push(teacher.slice());
    this.#known.push(sameImages(images, view.x));
  }

  /** The pool of the first `factor` views: [factor · B, 3, H, W]. */
  images(factor: number): Tensor {
    const views = Array.from({ length: factor }, (_, round) => this.view(round));
    return factor === 1 ? views[0]! : cat(views);
  }

  /** The teacher's logits on images of the pool, row by row. Asks about those not known yet, in one pass. */
  teacherLogits(places: Int32Array): Float32Array {
    const { classes, teacher } = this.#judges;
    const rounds = places.reduce((most, place) => Math.max(most, Math.floor(place / this.size)), 0) + 1;
    this.view(rounds - 1);
    const row = (place: number): [round: number, row: number] => [Math.floor(place / this.size), place % this.size];
    const missing = places.filter((place) => {
      const [round, at] = row(place);
      return this.#known[round]![at] === 0;
    });
    if (missing.length > 0) {
      const logits = teacher(this.#gather(missing)).data();
      for (const [i, place] of missing.entries()) {
        const [round, at] = row(place);
        this.#logits[round]!.set(logits.subarray(i * classes, (i + 1) * classes) as Float32Array, at * classes);
        this.#known[round]![at] = 1;
      }
    }
    const result = new Float32Array(places.length * classes);
    for (const [i, place] of places.entries()) {
      const [round, at] = row(place);
      result.set(this.#logits[round]!.subarray(at * classes, (at + 1) * classes), i * classes);
    }
    return result;
  }

  #gather(places: Int32Array): Tensor {
    const round = Math.floor(places[0]! / this.size);
    const whole = places.length === this.size && places.every((place, i) => place === round * this.size + i);
    if (whole) return this.view(round);
    const last = Math.floor(places.reduce((most, place) => Math.max(most, place)) / this.size);
    return takePicked(this.images(last + 1), { indices: places });
  }

  /** The teacher's logits on the view that is not picked from. */
  plainLogits(): Float32Array {
    return this.teacherLogits(range(0, this.size));
  }

  /** The student's logits on a pool, all of it in one pass: in training mode batch norm uses the pool's statistics. */
  #studentLogits(factor: number): Tensor {
    const { student } = this.#judges;
    if (!student) throw new TypeError('picking by what the student says needs a student');
    const known = this.#students.get(factor) ?? student(this.images(factor));
    this.#students.set(factor, known);
    return known;
  }

  /** What a criterion keeps of the pool. */
  pick(options: PickOptions): Picked {
    const { teacher, seed, step, view } = this.#batch;
    const { classes, temperature } = this.#judges;
    const size = options.factor * this.size;
    const needs = criterionNeeds(options.criterion);
    const rows = (logits: Float32Array): Tensor => tensor(logits, { shape: [logits.length / classes, classes] });
    const { device } = view.x;
    return pick({
      criterion: options.criterion,
      options: options.options,
      keep: pickCount(options, this.size),
      size,
      ...(needs.teacher ? { poolTeacherLogits: rows(this.teacherLogits(range(0, size))).to({ device }) } : {}),
      ...(needs.student ? { poolStudentLogits: this.#studentLogits(options.factor) } : {}),
      ...(needs.batchTeacher ? { batchTeacherLogits: rows(teacher).to({ device }) } : {}),
      temperature,
      seed,
      step,
    });
  }
}
