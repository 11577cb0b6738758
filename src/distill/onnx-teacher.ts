/** @file A teacher from any framework that writes ONNX: frozen, logits only, run by onnxruntime-node beside libtorch. */
import { type Normalization, renormalizer } from '../augment/index.ts';
import { UserError } from '../base/errors.ts';
import { describePort, type OnnxInfo, type OnnxPort } from '../formats/index.ts';
import { noGrad, type Tensor, tensor, tidy } from '../torch/index.ts';
import { OnnxSession } from './onnx-session.ts';
import type { TeacherModel } from './teacher.ts';

/** The normalisation under which an image's values are its pixels, from 0 to 255. */
export const pixelNormalization: Normalization = { mean: [0, 0, 0], std: [1 / 255, 1 / 255, 1 / 255] };

export interface OnnxTeacherOptions {
  classes: number;
  /** Height and width of the images. */
  imageSize: number;
  /** The normalisation of the images it takes; `pixelNormalization` for pixels. */
  normalization: Normalization;
  /** The normalisation of the images it will be given. */
  inputNormalization: Normalization;
  /** Threads it may use. */
  threads: number;
}

export class OnnxTeacher implements TeacherModel {
  readonly classes: number;
  readonly #session: OnnxSession;
  readonly #renormalize: ((images: Tensor) => Tensor) | null;

  private constructor(session: OnnxSession, { classes, inputNormalization, normalization }: OnnxTeacherOptions) {
    this.classes = classes;
    this.#session = session;
    this.#renormalize = renormalizer(inputNormalization, normalization);
  }

  /**
   * Check what an .onnx file says of itself, load it, and try it on two made-up images.
   *
   * @throws UserError if it takes or gives something else than images of this size and logits of these classes
   */
  static async open(path: string, info: OnnxInfo, options: OnnxTeacherOptions): Promise<OnnxTeacher> {
    const { input, output } = checkModel(path, info, options);
    const session = await OnnxSession.open(path, { input, output, threads: options.threads });
    const teacher = new OnnxTeacher(session, options);
    try {
      checkOutput(path, session, options);
      return teacher;
    } catch (error) {
      teacher.dispose();
      throw error;
    }
  }

  /** float32 logits [B, classes] of normalised images, on their device. */
  logits(images: Tensor): Tensor {
    const { values, shape } = tidy(() =>
      noGrad(() => {
        const input = (this.#renormalize ? this.#renormalize(images) : images).to('float32');
        return { values: input.data() as Float32Array, shape: input.shape };
      }),
    );
    const answer = this.#session.run(values, shape);
    if (answer.shape.join() !== `${shape[0]},${this.classes}`) {
      throw new UserError(`the teacher made [${answer.shape.join(', ')}] of ${shape[0]} images`);
    }
    return tensor(answer.logits, { shape: answer.shape, device: images.device });
  }

  dispose(): void {
    this.#session.close();
  }
}

const reexport = 'export it again for images [batch, 3, height, width] with a batch size that is left open';

/** Refuse what can be told from the file alone; names of the input and the output to use. */
function checkModel(
  path: string,
  info: OnnxInfo,
  { classes, imageSize }: OnnxTeacherOptions,
): { input: string; output: string } {
  if (info.externalFiles.length > 0) {
    throw new UserError(`${path} keeps weights in other files (${info.externalFiles.slice(0, 3).join(', ')})`, {
      hint: 'save it as one file, so that a run can tell whether its teacher is still the same',
    });
  }
  const [input] = info.inputs;
  if (!input || info.inputs.length !== 1) {
    const names = info.inputs.map(({ name }) => name).join(', ');
    throw new UserError(
      `${path} takes ${info.inputs.length} inputs${names && ` (${names})`}; a teacher takes images and nothing else`,
    );
  }
  checkInput(path, input, imageSize);
  return { input: input.name, output: findOutput(path, info.outputs, classes).name };
}

function checkInput(path: string, input: OnnxPort, imageSize: number): void {
  const says = `${path} takes ${describePort(input)}`;
  if (input.type !== 'float32') {
    throw new UserError(`${says}; a teacher takes float32 images`, {
      hint: 'export it again in float32: model.float() before, and images of that type',
    });
  }
  if (!input.shape) return;
  if (input.shape.length !== 4)
    throw new UserError(`${says}; a teacher takes [batch, 3, height, width]`, { hint: reexport });
  const [batch, channels, height, width] = input.shape;
  if (width === 3 && channels !== 3) {
    throw new UserError(`${says}: channels last; a teacher takes [batch, 3, height, width]`, { hint: reexport });
  }
  if (typeof channels === 'number' && channels !== 3) {
    throw new UserError(`${says}: ${channels} channels; the images here have 3`, { hint: reexport });
  }
  for (const size of [height, width]) {
    if (typeof size !== 'number' || size === imageSize) continue;
    throw new UserError(`${says}; the data's images are ${imageSize} x ${imageSize}`, {
      hint: 'choose a teacher for images of this size',
    });
  }
  if (typeof batch === 'number') throw new UserError(`${says}: batches of ${batch} only`, { hint: reexport });
}

/** The output that may be logits: the only one that is [batch, classes]. */
function findOutput(path: string, outputs: readonly OnnxPort[], classes: number): OnnxPort {
  const logits = outputs.filter(({ type, shape }) => type === 'float32' && (shape === null || shape.length === 2));
  const fitting = logits.filter(({ shape }) => typeof shape?.[1] !== 'number' || shape[1] === classes);
  if (fitting.length === 1) return fitting[0]!;
  const has = outputs.map((output) => `${output.name}: ${describePort(output)}`).join('; ') || 'nothing';
  const [only] = logits;
  const size = only?.shape?.[1];
  if (logits.length === 1 && typeof size === 'number') {
    throw new UserError(`${path} was trained for ${size} classes, the data has ${classes}`, {
      hint: 'choose the dataset it was trained on, or another teacher',
    });
  }
  throw new UserError(
    fitting.length === 0
      ? `${path} gives ${has}; a teacher gives float32 logits [batch, ${classes}]`
      : `${path} gives ${has}; which of these are the logits cannot be told`,
    { hint: 'export it with its logits as the only output' },
  );
}

/** Two images through the model: the right number of classes, and logits rather than probabilities. */
function checkOutput(path: string, session: OnnxSession, { classes, imageSize }: OnnxTeacherOptions): void {
  const shape = [2, 3, imageSize, imageSize];
  const half = 3 * imageSize * imageSize;
  const probe = Float32Array.from({ length: 2 * half }, (_, i) => (i < half ? 0 : Math.sin(i)));
  const { logits, shape: made } = session.run(probe, shape);
  if (made.length !== 2 || made[0] !== 2 || made[1] !== classes) {
    const trained = made.length === 2 && made[0] === 2 ? `: it was trained for ${made[1]} classes` : '';
    throw new UserError(`${path} makes [${made.join(', ')}] of 2 images${trained}; the data has ${classes} classes`, {
      hint: 'choose the dataset it was trained on, or another teacher',
    });
  }
  const rows = [logits.subarray(0, classes), logits.subarray(classes)];
  const sums = rows.map((row) => row.reduce((sum, value) => sum + value, 0));
  if (logits.every((value) => value >= 0 && value <= 1) && sums.every((sum) => Math.abs(sum - 1) < 1e-3)) {
    throw new UserError(`${path} gives probabilities (each row adds up to 1), a teacher gives logits`, {
      hint: 'export it without the softmax at its end',
    });
  }
}
