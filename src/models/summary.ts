import { UserError } from '../base/errors.ts';
import { Conv2d, ConvTranspose2d, Linear, type Module, type Observation, observe } from '../nn/index.ts';
import { noGrad, type Tensor, tidy, zeros } from '../torch/index.ts';

export interface SummaryOptions {
  /** Height and width of the images in pixels. */
  imageSize: number;
  /** Default 3. */
  channels?: number;
}

/** One call of one layer. */
export interface LayerSummary {
  /** `layer1.0.conv1` */
  path: string;
  /** `Conv2d` */
  type: string;
  /** Of one image: without the batch dimension. */
  outputShape: number[];
  /** Trained values of this layer. A layer that runs twice has them in its first row. */
  parameters: number;
  /** Multiplications with an addition, for one image. Convolutions and linear layers; the rest counts as none. */
  multiplyAdds: number;
}

export interface Summary {
  /** In the order in which the layers run. */
  layers: LayerSummary[];
  /** All trained values, batch norm included. */
  parameters: number;
  /** Trained values of convolutions and linear layers, as the paper counts a network's size. */
  weightParameters: number;
  /** For one image. */
  multiplyAdds: number;
}

const product = (sizes: readonly number[]): number => sizes.reduce((total, size) => total * size, 1);

/**
 * Each output of a convolution takes (in / groups) k^2 multiply-adds, of a linear layer `in`. The counter behind the FLOPs of
 * the paper's tables 6 to 8 divides by the groups twice, so its figures for MobileNetV2 and ShuffleV2 are too low.
 */
function multiplyAdds(module: Module, input: readonly number[], output: readonly number[]): number {
  if (module instanceof Conv2d) {
    return product(output) * (module.inChannels / module.groups) * module.kernelSize ** 2;
  }
  // The other way round: each input is multiplied into a k by k patch of every output channel.
  if (module instanceof ConvTranspose2d) return product(input) * module.outChannels * module.kernelSize ** 2;
  return module instanceof Linear ? product(output) * module.inFeatures : 0;
}

/**
 * The layers an image of the given size runs through, with their output shapes, parameters and multiply-adds. Runs one blank
 * image through the network in evaluation mode; nothing in it changes.
 *
 * @example
 * const { parameters, multiplyAdds, layers } = summary(createModel('resnet20', { classes: 100 }), { imageSize: 32 });
 */
export function summary(model: Module, options: SummaryOptions): Summary {
  return measure(model, options, (image) => model.forward(image));
}

/** The summary of what `run` does with a blank image. Its tensors are freed. */
export function measure(
  model: Module,
  { imageSize, channels = 3 }: SummaryOptions,
  run: (image: Tensor) => unknown,
): Summary {
  if (!Number.isInteger(imageSize) || imageSize < 1) {
    throw new UserError(`the image size must be a positive integer, got ${imageSize}`);
  }
  const modules = [...model.namedModules()];
  const leaves = modules.filter(([, module]) => [...module.children()].length === 0).map(([path]) => path);
  const layers: LayerSummary[] = [];
  const seen = new Set<Module>();
  const observer = ({ path, module, input, output }: Observation): void => {
    const outputShape = output.shape.slice(1);
    layers.push({
      path,
      type: module.constructor.name,
      outputShape,
      parameters: seen.has(module) ? 0 : module.parameterCount(),
      multiplyAdds: multiplyAdds(module, input.shape.slice(1), outputShape),
    });
    seen.add(module);
  };
  const training = modules.map(([, module]) => module.training);
  try {
    for (const [, module] of modules) module.training = false;
    noGrad(() =>
      tidy(() => {
        const device = model.parameters()[0]?.device ?? 'cpu';
        const image = zeros([1, channels, imageSize, imageSize], { device });
        observe(model, leaves, observer, () => void run(image));
      }),
    );
  } finally {
    for (const [i, [, module]] of modules.entries()) module.training = training[i]!;
  }
  const weights = modules.filter(([, m]) => m instanceof Conv2d || m instanceof ConvTranspose2d || m instanceof Linear);
  return {
    layers,
    parameters: model.parameterCount(),
    weightParameters: weights.reduce((sum, [, module]) => sum + module.parameterCount(), 0),
    multiplyAdds: layers.reduce((sum, layer) => sum + layer.multiplyAdds, 0),
  };
}
