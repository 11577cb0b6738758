/** @file Networks to train and to load: an architecture here by its name, or what a user's file exports. */
import { UserError } from '../base/errors.ts';
import { createEmptyModel, ImageModel, type ModelOptions, TappedModel } from '../models/index.ts';
import { initialize, Module, withoutDrawing } from '../nn/index.ts';
import { codeError, importUserModule } from '../parts/user-module.ts';
import { noGrad, Tensor, tidy, zeros } from '../torch/index.ts';
import { checkModel, isModelFile, type ModelFile, modelFile, modelLabel } from './model-reference.ts';

export interface NetworkOptions {
  classes: number;
  /** Height and width of the images. */
  imageSize: number;
  /** Paths of the modules whose outputs are the feature taps, instead of the network's own taps. */
  taps?: readonly string[] | undefined;
}

/** Something that networks are made from. */
export interface ModelSource {
  /** For people and records: `resnet20`, `my-net.ts`. */
  name: string;
  /** Null for an architecture here. */
  file: ModelFile | null;
  /** A network with weights drawn from `seed`. */
  create(options: NetworkOptions & { seed: number }): ImageModel;
  /** A network whose weights are all zero: to load others into, or to look at its shapes. */
  createEmpty(options: NetworkOptions): ImageModel;
}

type Maker = (options: { classes: number; imageSize: number }) => unknown;

/** What `export default` may be, for hints. */
const expected = 'export default a class that extends Module, or a function of { classes, imageSize } that returns one';

function makerIn(exported: Record<string, unknown>, path: string): Maker {
  for (const name of ['default', 'createModel', 'model']) {
    const found = exported[name];
    if (found instanceof Module) {
      throw new UserError(`${path} exports a network that is made already`, { hint: expected });
    }
    if (typeof found !== 'function') continue;
    // The maker of a class is called with new; what is no Module is found out when it returns.
    if (found.prototype instanceof Module) return (options) => Reflect.construct(found, [options]);
    if (/^class\b/.test(Function.prototype.toString.call(found))) {
      throw new UserError(`${path}: the class ${found.name} that it exports does not extend Module`, {
        hint: "import { Module } from 'thrive' and extend that",
      });
    }
    return found as Maker;
  }
  const names = Object.keys(exported).filter((name) => name !== '__esModule');
  throw new UserError(
    `${path} exports no network: it exports ${names.length > 0 ? names.map((name) => (name === 'default' ? `default, ${described(exported.default)}` : `'${name}'`)).join(', ') : 'nothing'}`,
    { hint: expected },
  );
}

const described = (value: unknown): string =>
  value === null || value === undefined
    ? String(value)
    : typeof value === 'object'
      ? `an object of class ${value.constructor?.name ?? 'none'}`
      : `a ${typeof value}`;

/** Run what the user's file exports. */
function make(maker: Maker, path: string, { classes, imageSize }: ModelOptions & { imageSize: number }): Module {
  let made: unknown;
  try {
    made = withoutDrawing(() => maker({ classes, imageSize }));
  } catch (error) {
    throw codeError(`${path} failed to make a network`, path, error);
  }
  if (!(made instanceof Module)) {
    throw new UserError(`${path} made ${described(made)}, not a network`, { hint: expected });
  }
  if (made.parameterCount() === 0) {
    made.dispose();
    throw new UserError(`the network of ${path} has no weights`, {
      hint: 'layers are found in public fields and arrays in them; a field named with # is not seen',
    });
  }
  return made;
}

/** One blank batch through the network: what comes out must be logits. */
function checkOutput(network: Module, path: string, { classes, imageSize }: NetworkOptions): void {
  const modes = [...network.namedModules()].map(([, module]): [Module, boolean] => [module, module.training]);
  const shape = [2, 3, imageSize, imageSize];
  try {
    network.eval();
    noGrad(() =>
      tidy(() => {
        let output: unknown;
        try {
          output = network.forward(zeros(shape));
        } catch (error) {
          throw codeError(`the network of ${path} fails on a batch [${shape.join(', ')}]`, path, error);
        }
        if (output instanceof Tensor && output.shape.join() === `2,${classes}` && output.dtype === 'float32') return;
        const got = output instanceof Tensor ? `${output.dtype} [${output.shape.join(', ')}]` : described(output);
        throw new UserError(
          `the network of ${path} makes ${got} of a batch [${shape.join(', ')}]; it must be float32 logits [2, ${classes}]`,
          { hint: 'one row for each image, one column for each class; take their number from the options' },
        );
      }),
    );
  } finally {
    for (const [module, training] of modes) module.training = training;
  }
}

/** A network as everything here uses it: with its own taps, or with those asked for. */
function withTaps(network: Module, { classes, taps }: NetworkOptions): ImageModel {
  if (!taps && network instanceof ImageModel) return network;
  try {
    return new TappedModel(network, { classes, ...(taps ? { taps } : {}) });
  } catch (error) {
    network.dispose();
    throw error;
  }
}

/**
 * What networks of this name, or of this file, are made from. A file's default export (or `createModel`, or `model`) is a class
 * that extends Module and takes `{ classes, imageSize }`, or a function of these that returns a Module. Weights are drawn by
 * each layer's `resetParameters`, as for the architectures here, so that they follow from the seed. The file is code and runs
 * as such.
 *
 * @example
 * const { create } = await modelSource('./my-net.ts');
 * const student = create({ classes: 100, imageSize: 32, seed: 1, taps: ['conv1', 'layer1', 'layer3.4.bn2'] });
 * @throws UserError for an unknown name, a file that is not there, throws or exports no network; and from the functions it
 * returns, for a network that does not give logits, or an unknown tap
 */
export async function modelSource(reference: string): Promise<ModelSource> {
  checkModel(reference);
  const name = modelLabel(reference);
  if (!isModelFile(reference)) {
    const empty = (options: NetworkOptions): ImageModel => createEmptyModel(reference, options);
    return {
      name,
      file: null,
      create: (options) => withTaps(initialize(empty(options), options.seed), options),
      createEmpty: (options) => withTaps(empty(options), options),
    };
  }
  const file = modelFile(reference);
  const maker = makerIn(await importUserModule(reference, 'the network'), reference);
  const checked = (options: NetworkOptions, prepare: (network: Module) => void): ImageModel => {
    const network = make(maker, reference, options);
    try {
      prepare(network);
      checkOutput(network, reference, options);
    } catch (error) {
      network.dispose();
      throw error;
    }
    return withTaps(network, options);
  };
  return {
    name,
    file,
    create: (options) => checked(options, (network) => void initialize(network, options.seed)),
    createEmpty: (options) => checked(options, () => {}),
  };
}
