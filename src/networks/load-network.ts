import { UserError } from '../base/errors.ts';
import { toGive } from '../base/speech.ts';
import { type FileTensors, readTensors, type StoredTensors } from '../formats/index.ts';
import { type ImageModel, modelNames } from '../models/index.ts';
import { tidy } from '../torch/index.ts';
import { type NetworkInfo, networkOf, networkTensors } from '../train/checkpoint.ts';
import { fromStored } from '../train/weights.ts';
import { checkValues } from './check-values.ts';
import { classOrder, orderNote } from './class-order.ts';
import { type Candidate, type FoundWeights, findWeights } from './find-weights.ts';
import { loadWithNewHead, orderClasses, otherClasses } from './head.ts';
import { findModel, isModelFile } from './model-reference.ts';
import { modelSource } from './model-source.ts';
import { candidateOf, guessModel, knownNetworks, type Recognized } from './recognize.ts';

export interface LoadNetworkOptions {
  /** Architecture, or the path of a file that exports the network; files written here say it themselves. */
  model?: string | undefined;
  /** Classes of the data it will be used on. */
  classes: number;
  imageSize: number;
  /** The setting that names the architecture, for the error that asks for it. */
  modelSetting: string;
  /** Paths of the modules that are the feature taps, instead of the network's own taps. */
  taps?: readonly string[] | undefined;
  /** Load all but the last linear layer, which is drawn from this seed: for weights of other classes. */
  resetHead?: { seed: number } | undefined;
  /** Where in a PyTorch checkpoint the weights are, if not under a usual name. */
  key?: string | undefined;
  /** How a key is given, for the error about several networks in one file: `--key` unless said. */
  keyFlag?: string;
  /** What to do about weights of other classes, for the error. */
  classesHint?: string;
  /** The data it will be used on, whose class names are compared with the file's. */
  data?: { name: string; classNames: readonly string[] };
}

export interface LoadedNetwork {
  network: ImageModel;
  /** The name of its architecture, or the path of its file. */
  model: string;
  /** What the file says of itself, if it was written here. */
  info: NetworkInfo | null;
  /** Scalars a PyTorch checkpoint holds beside the weights (epoch, accuracy, …), or a safetensors file's metadata. */
  extra: Record<string, unknown>;
  /** What the person should know: the file that makes the network is not as it was. */
  notes: string[];
}

const guessText = ({ model, classes }: Recognized): string =>
  `by their names and shapes they are those of a ${model} with ${classes} classes`;

/** The weights of one of `candidates` in a file; null where there are none. */
export const findIn = (
  path: string,
  { tensors, format }: FileTensors,
  candidates: readonly Candidate[],
  { key, keyFlag = '--key' }: Pick<LoadNetworkOptions, 'key' | 'keyFlag'>,
): FoundWeights | null => findWeights(path, tensors, candidates, { key, flag: keyFlag, format });

/** Where the network is made: as asked for, or as the file says. */
function referenceOf(
  path: string,
  options: LoadNetworkOptions,
  info: NetworkInfo | null,
  file: FileTensors,
): { reference: string; changed: boolean } {
  const { model, modelSetting } = options;
  if (model) return { reference: model, changed: false };
  if (!info) {
    const guess = guessModel(findIn(path, file, knownNetworks(), options)?.tensors ?? file.usual().tensors);
    throw new UserError(`${path} does not say which architecture its weights are for`, {
      hint: guess
        ? `${guessText(guess)}: ${toGive(modelSetting, guess.model)}`
        : `name it with ${toGive(modelSetting)}; known: ${modelNames.join(', ')}`,
    });
  }
  const found = findModel(info, path);
  if (!info.modelFile && !modelNames.includes(info.model)) {
    throw new UserError(`${path} says that its weights are for '${info.model}', which is not known here`, {
      hint: `name the architecture with ${toGive(modelSetting)}; known: ${modelNames.join(', ')}`,
    });
  }
  return found;
}

/** Load weights that fit; where they do not, say whose they are if that can be told. */
function loadFitting(network: ImageModel, stored: StoredTensors, path: string): void {
  try {
    network.loadStateDict(fromStored(stored), { from: path });
  } catch (error) {
    const guess = error instanceof UserError ? guessModel(stored) : null;
    if (!guess) throw error;
    const { message } = error as UserError;
    throw new UserError(message, {
      cause: error,
      hint: guessText(guess),
    });
  }
}

/** Build a network and load its weights from a file: ours, any safetensors file, or a PyTorch checkpoint of either format. */
export async function loadNetwork(path: string, options: LoadNetworkOptions): Promise<LoadedNetwork> {
  const { classes, imageSize, taps, resetHead } = options;
  const file = await readTensors(path, options.key);
  const { extra } = file;
  const info = file.format === 'safetensors' ? networkOf(path, extra as Record<string, string>) : null;
  const { reference, changed } = referenceOf(path, options, info, file);
  const source = await modelSource(reference);
  const network = source.createEmpty({ classes, imageSize, taps });
  const notes = changed ? [`note: ${reference} is not as it was when ${path} was trained`] : [];
  try {
    const shapes = new Map([...network.stateDict()].map(([name, { shape }]) => [name, shape]));
    const found = findIn(path, file, [candidateOf(shapes)], options);
    const own = found?.tensors ?? networkTensors(file.usual().tensors);
    notes.push(...(found?.notes ?? []));
    const other = resetHead ? undefined : otherClasses(network.compareStateDict(own));
    if (other) {
      throw new UserError(`${path} was trained for ${other.found} classes, the data has ${other.expected}`, {
        hint: options.classesHint ?? 'choose the dataset it was trained on, or other weights',
      });
    }
    const order =
      info && options.data && !resetHead ? classOrder(path, info.classNames, options.data, options.classesHint) : null;
    checkValues(own, network.stateDict(), path);
    tidy(() => {
      if (resetHead) loadWithNewHead(network, fromStored(own), { ...resetHead, from: path });
      else loadFitting(network, own, path);
      if (order) orderClasses(network, order, path);
    });
    if (order) notes.push(orderNote(path, options.data!.name));
  } catch (error) {
    network.dispose();
    throw error;
  }
  return { network, model: isModelFile(reference) ? reference : source.name, info, extra, notes };
}
