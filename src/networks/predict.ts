/** @file Images classified: files to the most probable classes, by a checkpoint or an .onnx. */
import { normalizeImages } from '../augment/index.ts';
import { UserError } from '../base/errors.ts';
import { readImageFile } from '../data/image-file.ts';
import { type DatasetInfo, datasetInfo, normalizationOf } from '../data/index.ts';
import { readOnnxInfo } from '../formats/index.ts';
import { defaultThreads, noGrad, setNumThreads, type Tensor, tensor, tidy } from '../torch/index.ts';
import { checkpointNetwork } from '../train/checkpoint.ts';
import { loadNetwork } from './load-network.ts';
import { isOnnx } from './onnx-metadata.ts';
import { openOnnxTeacher } from './onnx-teacher.ts';

export interface PredictOptions {
  /** The dataset it was trained on, where the file does not say it: its classes, image size and normalisation. */
  data?: string | undefined;
  /** Architecture, where the file does not say it. */
  model?: string | undefined;
  /** Classes told of each image; 5 unless given. */
  top?: number | undefined;
  threads?: number | undefined;
  onNote?: (text: string) => void;
}

export interface Prediction {
  file: string;
  /** Most probable first. */
  classes: { index: number; name: string; probability: number }[];
}

export interface Predictions {
  checkpoint: string;
  model: string;
  data: string;
  images: Prediction[];
}

interface Classifier {
  model: string;
  info: Pick<DatasetInfo, 'name' | 'size' | 'classNames'>;
  /** Logits of normalised images. */
  logits(images: Tensor): Tensor;
  normalization: { mean: readonly number[]; std: readonly number[] };
  dispose(): void;
}

function unknownData(path: string): UserError {
  return new UserError(`${path} does not say which data it was trained on`, { hint: 'name it with --data' });
}

async function openOnnx(path: string, { data, model, threads, onNote }: PredictOptions): Promise<Classifier> {
  const name = data ?? readOnnxInfo(path).metadata.get('data');
  if (name === undefined) throw unknownData(path);
  const info = datasetInfo(name);
  const opened = await openOnnxTeacher(path, { data: info, model, threads });
  for (const note of opened.notes) onNote?.(note);
  const { teacher } = opened;
  return {
    model: opened.name,
    info,
    normalization: normalizationOf(info),
    logits: (images) => teacher.logits(images),
    dispose: () => teacher.dispose(),
  };
}

async function openCheckpoint(path: string, { data, model, onNote }: PredictOptions): Promise<Classifier> {
  const known = checkpointNetwork(path);
  if (!known && data === undefined) throw unknownData(path);
  const given = data === undefined ? null : datasetInfo(data);
  const loaded = await loadNetwork(path, {
    model,
    classes: given?.classes ?? known!.classes,
    imageSize: given?.size ?? known!.imageSize,
    modelSetting: 'model',
  });
  for (const note of loaded.notes) onNote?.(note);
  const network = loaded.network.eval();
  return {
    model: loaded.model,
    info: given ?? { name: known!.data, size: known!.imageSize, classNames: known!.classNames },
    normalization: loaded.info?.normalization ?? normalizationOf(given!),
    logits: (images) => network.forward(images),
    dispose: () => network.dispose(),
  };
}

/** The most probable classes of one image's logits. */
function best(logits: ArrayLike<number>, names: readonly string[], top: number): Prediction['classes'] {
  const values = Array.from(logits);
  const most = Math.max(...values);
  const shares = values.map((value) => Math.exp(value - most));
  const sum = shares.reduce((total, share) => total + share, 0);
  return shares
    .map((share, index) => ({ index, name: names[index] ?? String(index), probability: share / sum }))
    .sort((a, b) => b.probability - a.probability || a.index - b.index)
    .slice(0, top);
}

/**
 * Classify image files. Each is scaled to the network's size and normalised as its training images were.
 *
 * @example
 * const { images } = await predict('runs/student/last.safetensors', ['cat.jpg']);
 * console.log(images[0].classes[0].name);
 * @throws UserError for a file that is no image, or weights that do not fit
 */
export async function predict(
  path: string,
  files: readonly string[],
  options: PredictOptions = {},
): Promise<Predictions> {
  const { top = 5, threads = defaultThreads() } = options;
  if (files.length === 0) throw new UserError('no image is named', { hint: 'give the files of images' });
  const classifier = await (isOnnx(path) ? openOnnx(path, options) : openCheckpoint(path, options));
  const { model, info, normalization } = classifier;
  try {
    setNumThreads(threads);
    const images: Prediction[] = [];
    // One by one: a batch would only matter for many, and a file that is no image is named at once.
    for (const file of files) {
      const pixels = await readImageFile(file, info.size);
      const logits = tidy(() =>
        noGrad(() => {
          const image = tensor(pixels, { shape: [1, 3, info.size, info.size], dtype: 'uint8' });
          return classifier.logits(normalizeImages(image, normalization)).to('float32').data() as Float32Array;
        }),
      );
      images.push({ file, classes: best(logits, info.classNames, top) });
    }
    return { checkpoint: path, model, data: info.name, images };
  } finally {
    classifier.dispose();
  }
}
