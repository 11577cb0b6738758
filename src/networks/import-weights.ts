import { statSync } from 'node:fs';
import { extname } from 'node:path';
import { UserError } from '../base/errors.ts';
import { named, toGive } from '../base/speech.ts';
import { normalizationOf } from '../data/index.ts';
import { readTensors } from '../formats/index.ts';
import { datasetReference, openDataset } from '../parts/index.ts';
import { type NetworkInfo, networkTensors, saveNetwork } from '../train/checkpoint.ts';
import { findIn, loadNetwork } from './load-network.ts';
import { checkModel, modelFile, modelLabel } from './model-reference.ts';
import { knownNetworks, type Recognized, recognizeModel } from './recognize.ts';
import { type NormalizationSetting, teacherNormalization } from './teacher-normalization.ts';

export interface ImportOptions {
  /** Architecture, or a file that exports the network; recognised by the weights unless given. */
  model?: string;
  /** The dataset it classifies: its classes, image size and normalisation go into the checkpoint. */
  data: string;
  out: string;
  /** How the images were normalised that it was trained with; taken to be as the dataset's are unless said. */
  normalization?: NormalizationSetting;
  /** Which of several networks in the file: a key of a PyTorch checkpoint, or what its names begin with: `ema`. */
  key?: string;
  /** Draw the classifier anew from `seed` (default 0), for weights of other classes. */
  resetHead?: boolean;
  seed?: number;
}

export interface Imported {
  file: string;
  model: string;
  /** Whether the architecture was found out by the names and shapes of the weights. */
  recognized: boolean;
  /** Classes of the file's own classifier, where the architecture was recognised. */
  fileClasses: number | null;
  classes: number;
  data: string;
  parameters: number;
  resetHead: boolean;
  bytes: number;
  /** What the person should know. */
  notes: string[];
}

/**
 * Bring weights from elsewhere (PyTorch's `.pth` as RepDistiller and torchvision write them, any safetensors file) into a
 * checkpoint that says what it is, so that `eval` and `distill` need not be told.
 *
 * @example
 * await importWeights('resnet56.pth', { data: 'cifar100', out: 'teacher.safetensors' });
 * @throws UserError for weights of no architecture here, of other classes than the data's, or that are not finite
 */
export async function importWeights(path: string, options: ImportOptions): Promise<Imported> {
  const { out, resetHead = false, seed = 0 } = options;
  if (extname(out) !== '.safetensors') {
    throw new UserError(`${named('out')} ${out}: a checkpoint is a .safetensors file`, {
      hint: 'thrive export writes other formats',
    });
  }
  if (options.seed !== undefined && !resetHead) {
    throw new UserError(`${named('seed')} ${seed}: nothing is drawn`, {
      hint: `it is for a new classifier: ${toGive('resetHead')}`,
    });
  }
  if (options.model) checkModel(options.model);
  const info = await openDataset(options.data);
  const found = options.model ? null : await recognizeFile(path, options.key);
  const model = options.model ?? found!.model;
  const {
    network,
    extra,
    notes,
    info: said,
  } = await loadNetwork(path, {
    model,
    classes: info.classes,
    imageSize: info.size,
    modelSetting: 'model',
    key: options.key,
    ...(resetHead ? { resetHead: { seed } } : {}),
    data: info,
    classesHint: `choose the dataset it was trained on, or load all but the classifier with ${toGive('resetHead')}`,
  });
  using owned = network;
  const file = modelFile(model);
  const chosen = teacherNormalization(path, said, options.normalization, normalizationOf(info), '--normalization');
  if (chosen.note) notes.push(chosen.note);
  const assumed = said ? said.normalizationAssumed && options.normalization === undefined : chosen.note !== undefined;
  const described: NetworkInfo = {
    model: modelLabel(model),
    ...(file ? { modelFile: file } : {}),
    classes: info.classes,
    imageSize: info.size,
    data: datasetReference(options.data),
    normalization: chosen.normalization,
    ...(assumed ? { normalizationAssumed: true } : {}),
    classNames: info.classNames,
  };
  saveNetwork(out, owned, {
    network: described,
    metrics: {},
    epoch: typeof extra.epoch === 'number' ? extra.epoch : 0,
  });
  return {
    file: out,
    model: described.model,
    recognized: found !== null,
    fileClasses: found?.classes ?? null,
    classes: info.classes,
    data: datasetReference(options.data),
    parameters: owned.parameterCount(),
    resetHead,
    bytes: statSync(out).size,
    notes,
  };
}

/** Whose weights a file holds, under whatever its names begin with. */
async function recognizeFile(path: string, key: string | undefined): Promise<Recognized> {
  const file = await readTensors(path, key);
  const tensors = findIn(path, file, knownNetworks(), { key })?.tensors ?? networkTensors(file.usual().tensors);
  return recognizeModel(tensors, path, 'model');
}
