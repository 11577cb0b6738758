/**
 * @file What a model must do to teach, tried on made-up images before any run begins: logits of its own for each image, for
 * every batch size that the run has.
 */
import type { Normalization } from '../augment/index.ts';
import { UserError } from '../base/errors.ts';

export interface ContractOptions {
  classes: number;
  /** Height and width of the images. */
  imageSize: number;
  /** The normalisation of the images it takes. */
  normalization: Normalization;
  /** Images in a batch, each size that will come; the smaller last ones too. */
  batchSizes: readonly number[];
}

/** Runs the model: float32 values of a shape to float32 values of a shape. Throws where it cannot. */
export type RunModel = (values: Float32Array, shape: number[]) => { logits: Float32Array; shape: number[] };

/** Different images to try; each batch is a few of each and many of one, so that what a batch has in common differs. */
const IMAGES = 5;
/** Logits of one image in two batches may differ by rounding: this share of their span. */
const TOLERANCE = 1e-3;

/** Pixel values of made-up image `which`: waves and grain, of its own brightness and contrast. */
function fillImage(
  values: Float32Array,
  which: number,
  { imageSize, normalization: { mean, std } }: ContractOptions,
): void {
  const plane = imageSize * imageSize;
  const [middle, contrast] = [60 + 30 * which, 20 + 25 * ((which * 2) % IMAGES)];
  for (let i = 0; i < 3 * plane; i++) {
    const wave = Math.sin(i * 0.013 * (which + 1)) + Math.cos((i % imageSize) * 0.7 * (which + 1));
    const grain = ((Math.imul(i + 1, 2654435761 + 97 * which) >>> 8) % 1000) / 1000 - 0.5;
    const pixel = Math.min(255, Math.max(0, middle + contrast * (wave / 2 + grain)));
    const channel = Math.floor(i / plane);
    values[i] = (pixel / 255 - mean[channel]!) / std[channel]!;
  }
}

/** Which image is where in the batch number `turn`: the first is in every batch, in other company each time. */
function imageAt(turn: number, i: number): number {
  if (i === 0) return 0;
  return i < IMAGES ? 1 + ((i + turn) % (IMAGES - 1)) : turn % IMAGES;
}

/** How to export a model for any number of images. */
export const openBatch =
  "export it again with the batch left open: torch.onnx.export(model.eval(), images, file, input_names=['images'], dynamic_axes={'images': {0: 'batch'}})";
const inEvaluation = 'export it in evaluation mode: model.eval() first, and no training=TrainingMode.TRAINING';

/**
 * Try a model on the batch sizes of a run.
 *
 * @param path how messages call it
 * @throws UserError if it fails on one, gives other shapes, probabilities or values that are not finite, or if an image's logits
 * depend on the other images of its batch, or on chance
 */
export function checkContract(path: string, run: RunModel, options: ContractOptions): void {
  const { classes, imageSize } = options;
  const pixels = 3 * imageSize * imageSize;
  const images = Array.from({ length: IMAGES }, (_, which) => {
    const values = new Float32Array(pixels);
    fillImage(values, which, options);
    return values;
  });
  const sizes = [...new Set(options.batchSizes)].filter((size) => size > 0);
  const batch = (turn: number, size: number): Float32Array => {
    const values = new Float32Array(size * pixels);
    for (let i = 0; i < size; i++) values.set(images[imageAt(turn, i)]!, i * pixels);
    return values;
  };
  const attempt = (turn: number, size: number): Float32Array => {
    const shape = [size, 3, imageSize, imageSize];
    let made: ReturnType<RunModel>;
    try {
      made = run(batch(turn, size), shape);
    } catch (error) {
      throw new UserError(
        `${path} fails on ${size === 1 ? 'a single image' : `a batch of ${size} images`}; ${needs(sizes)}`,
        {
          hint: openBatch,
          cause: error,
        },
      );
    }
    checkShape(path, made.shape, size, classes);
    return made.logits;
  };
  // The same batch twice, then each size in another composition; one size alone in two.
  const turns = sizes.length > 1 ? sizes : [...sizes, ...sizes];
  const seen = new Map<number, Float32Array>();
  const rows: Float32Array[] = [];
  let apart = 0;
  let chance = 0;
  turns.forEach((size, turn) => {
    const logits = attempt(turn, size);
    checkFinite(path, logits);
    if (turn === 0) chance = distance(logits, attempt(turn, size));
    for (let i = 0; i < size; i++) {
      const row = logits.subarray(i * classes, (i + 1) * classes);
      const image = imageAt(turn, i);
      const before = seen.get(image);
      if (before) apart = Math.max(apart, distance(before, row));
      else {
        seen.set(image, row.slice());
        rows.push(row);
      }
    }
  });
  checkLogits(path, rows);
  const span = Math.max(...rows.map((row) => Math.max(...row) - Math.min(...row)));
  if (chance > TOLERANCE * span) {
    throw new UserError(`${path} gives other logits for the same images each time`, { hint: inEvaluation });
  }
  if (apart > TOLERANCE * span) {
    throw new UserError(
      `${path}: an image's logits depend on the other images of its batch (by ${apart.toPrecision(2)}, where logits span ${span.toPrecision(2)}): it was exported in training mode, or computes across the batch`,
      { hint: inEvaluation },
    );
  }
}

const needs = (sizes: readonly number[]): string => `a teacher here is given batches of ${sizes.join(', ')}`;

const distance = (a: Float32Array, b: Float32Array): number =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);

function checkShape(path: string, made: readonly number[], size: number, classes: number): void {
  if (made.length === 2 && made[0] === size && made[1] === classes) return;
  const trained = made.length === 2 && made[0] === size ? `: it was trained for ${made[1]} classes` : '';
  throw new UserError(
    `${path} makes [${made.join(', ')}] of ${size === 1 ? '1 image' : `${size} images`}${trained}; the data has ${classes} classes`,
    { hint: trained ? 'choose the dataset it was trained on, or another teacher' : openBatch },
  );
}

function checkFinite(path: string, logits: Float32Array): void {
  const bad = logits.find((value) => !Number.isFinite(value));
  if (bad === undefined) return;
  throw new UserError(`${path} gives ${bad} among its logits: they are not finite`, {
    hint: 'its weights are damaged, or they overflow: export it in float32 from weights that work',
  });
}

/** Refuse what a softmax, a log-softmax or a sigmoid makes. */
function checkLogits(path: string, rows: readonly Float32Array[]): void {
  const all = (test: (value: number) => boolean): boolean => rows.every((row) => row.every(test));
  const sums = (of: (value: number) => number): number[] =>
    rows.map((row) => row.reduce((sum, value) => sum + of(value), 0));
  const near = (values: number[], to: number): boolean => values.every((value) => Math.abs(value - to) < 1e-3 * to);
  const refuse = (what: string, layer: string): UserError =>
    new UserError(`${path} gives ${what}, a teacher gives logits`, {
      hint: `export it without the ${layer} at its end`,
    });
  const shares = all((value) => value >= 0) && sums((value) => value);
  if (shares && (near(shares, 1) || near(shares, 100))) {
    throw refuse(`probabilities (each row adds up to ${near(shares, 1) ? 1 : 100})`, 'softmax');
  }
  if (all((value) => value <= 0) && near(sums(Math.exp), 1)) {
    throw refuse("logarithms of probabilities (each row's exponentials add up to 1)", 'log-softmax');
  }
  if (all((value) => value >= 0 && value <= 1)) throw refuse('values from 0 to 1, as of a sigmoid', 'sigmoid');
}
