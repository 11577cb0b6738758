import { UserError } from '../base/errors.ts';
import { readWeights } from '../formats/index.ts';
import { createEmptyModel, type ImageModel, modelNames } from '../models/index.ts';
import type { LoadReport } from '../nn/index.ts';
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

/**
 * The classes of weights that differ from a network's in nothing but the classifier: it alone has two dimensions, and as many
 * columns as the network's own.
 */
function otherClasses({
  missing,
  unexpected,
  mismatched,
}: LoadReport): { found: number; expected: number } | undefined {
  if (missing.length + unexpected.length > 0 || mismatched.length > 2) return undefined;
  const classifier = mismatched.find(({ expected, found }) => expected.length === 2 && found.length === 2);
  if (!classifier || classifier.expected[1] !== classifier.found[1]) return undefined;
  const [found, expected] = [classifier.found[0]!, classifier.expected[0]!];
  const fits = mismatched.every((tensor) => tensor.found[0] === found && tensor.expected[0] === expected);
  return fits ? { found, expected } : undefined;
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
  if (!options.model && !modelNames.includes(model)) {
    throw new UserError(`${path} says that its weights are for '${model}', which is not known here`, {
      hint: `name the architecture with ${options.modelFlag}; known: ${modelNames.join(', ')}`,
    });
  }
  const own = networkTensors(tensors);
  const network = createEmptyModel(model, { classes: options.classes, imageSize: options.imageSize });
  try {
    const classes = otherClasses(network.compareStateDict(own));
    if (classes) {
      throw new UserError(`${path} was trained for ${classes.found} classes, the data has ${classes.expected}`, {
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
