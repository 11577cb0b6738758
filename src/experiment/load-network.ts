import { UserError } from '../base/errors.ts';
import { readWeights, type StoredTensors } from '../formats/index.ts';
import { createModel, type ImageModel, modelNames } from '../models/index.ts';
import { tidy } from '../torch/index.ts';
import { type NetworkInfo, networkOf, networkTensors } from '../train/checkpoint.ts';
import { checkFinite, fromStored } from '../train/weights.ts';

export interface LoadNetworkOptions {
  /** Architecture; files written here say it themselves. */
  model?: string;
  /** Classes of the data it will be used on. */
  classes: number;
  imageSize: number;
  /** The flag that names the architecture, for the error that asks for it. */
  modelFlag: string;
}

export interface LoadedNetwork {
  network: ImageModel;
  model: string;
  /** What the file says of itself, if it was written here. */
  info: NetworkInfo | null;
  /** Scalars a PyTorch checkpoint holds beside the weights (epoch, accuracy, …), or a safetensors file's metadata. */
  extra: Record<string, unknown>;
}

/** Output classes of the weights: the size of the last two-dimensional tensor, which is the classifier in every family. */
function classesOf(tensors: StoredTensors): number | undefined {
  return [...tensors.values()].filter((tensor) => tensor.shape.length === 2).at(-1)?.shape[0];
}

/** Build a network and load its weights from a file: ours, any safetensors file, or a PyTorch checkpoint of either format. */
export async function loadNetwork(path: string, options: LoadNetworkOptions): Promise<LoadedNetwork> {
  const { tensors, extra, format } = await readWeights(path);
  const info = format === 'safetensors' ? networkOf(path, extra as Record<string, string>) : null;
  const model = options.model ?? info?.model;
  if (!model) {
    throw new UserError(`${path} does not say which architecture its weights are for`, {
      hint: `name it with ${options.modelFlag}; known: ${modelNames.join(', ')}`,
    });
  }
  const own = networkTensors(tensors);
  const classes = classesOf(own);
  const network = createModel(model, { classes: options.classes, imageSize: options.imageSize });
  try {
    const { missing, unexpected, mismatched } = network.compareStateDict(own);
    const onlyClasses = missing.length + unexpected.length === 0 && mismatched.length > 0 && mismatched.length <= 2;
    if (onlyClasses && classes !== undefined && classes !== options.classes) {
      throw new UserError(`${path} was trained for ${classes} classes, the data has ${options.classes}`, {
        hint: 'choose the data set it was trained on, or other weights',
      });
    }
    tidy(() => {
      network.loadStateDict(fromStored(own), { from: path });
      checkFinite(network.stateDict(), path);
    });
  } catch (error) {
    network.dispose();
    throw error;
  }
  return { network, model, info, extra };
}
