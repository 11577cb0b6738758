/** @file A teacher from any framework that writes ONNX: frozen, logits only, run by onnxruntime-node beside libtorch. */
import { type Normalization, renormalizer } from '../augment/index.ts';
import { UserError } from '../base/errors.ts';
import { describePort, type OnnxInfo, type OnnxPort } from '../formats/index.ts';
import { noGrad, type Tensor, tensor, tidy } from '../torch/index.ts';
import { checkContract, openBatch } from './onnx-contract.ts';
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
  /** Images in a batch, each size it will be given: it is tried on them. */
  batchSizes?: readonly number[] | undefined;
  /** Where each class of the data is among its own; in the same order unless given. */
  classOrder?: readonly number[] | undefined;
}

export class OnnxTeacher implements TeacherModel {
  readonly classes: number;
  readonly #session: OnnxSession;
  readonly #renormalize: ((images: Tensor) => Tensor) | null;

  readonly #order: readonly number[] | undefined;

  private constructor(
    session: OnnxSession,
    { classes, inputNormalization, normalization, classOrder }: OnnxTeacherOptions,
  ) {
    this.classes = classes;
    this.#order = classOrder;
    this.#session = session;
    this.#renormalize = renormalizer(inputNormalization, normalization);
  }

  /**
   * Check what an .onnx file says of itself, load it, and try it on made-up images in batches of the sizes to come.
   *
   * @throws UserError if it takes or gives something else than images of this size and logits of these classes
   */
  static async open(path: string, info: OnnxInfo, options: OnnxTeacherOptions): Promise<OnnxTeacher> {
    const { input, output } = checkModel(path, info, options);
    const session = await OnnxSession.open(path, { input, output, threads: options.threads });
    const teacher = new OnnxTeacher(session, options);
    try {
      checkContract(path, (values, shape) => session.run(values, shape), {
        ...options,
        batchSizes: options.batchSizes ?? usualSizes,
      });
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
    const logits = this.#order ? reordered(answer.logits, this.#order) : answer.logits;
    return tensor(logits, { shape: answer.shape, device: images.device });
  }

  dispose(): void {
    this.#session.close();
  }
}

/** Where nobody says what will come. */
const usualSizes = [2, 1, 7];

/** Each row's values at `order`. */
function reordered(logits: Float32Array, order: readonly number[]): Float32Array {
  const classes = order.length;
  return logits.map((_, i) => logits[i - (i % classes) + order[i % classes]!]!);
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
      hint: "save it as one file, so that a run can tell whether its teacher is still the same: torch.onnx.export(…, external_data=False), or onnx.save(onnx.load('in.onnx'), 'out.onnx')",
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
  if (typeof batch === 'number') throw new UserError(`${says}: batches of ${batch} only`, { hint: openBatch });
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
