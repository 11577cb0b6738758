import type { ImageModel } from './image-model.ts';
import { createEmptyModel, modelNames } from './registry.ts';
import { measure } from './summary.ts';

/** One architecture's size, for images of one size. */
export interface ModelRow {
  name: string;
  /** All trained values, batch norm included. */
  parameters: number;
  /** Trained values of convolutions and linear layers, as the paper counts a network's size. */
  weightParameters: number;
  /** Of one image; convolutions and linear layers. */
  multiplyAdds: number;
  /** Of one image, without the batch dimension. */
  tapShapes: number[][];
}

/**
 * The sizes of one network, which is left as it was. Runs one blank image of `imageSize` pixels through it.
 *
 * @throws UserError where the images are too small for it
 */
export function modelRow(name: string, model: ImageModel, imageSize: number): ModelRow {
  let tapShapes: number[][] = [];
  const { parameters, weightParameters, multiplyAdds } = measure(model, { imageSize }, (image) => {
    tapShapes = model.features(image).taps.map((tap) => tap.shape.slice(1));
  });
  return { name, parameters, weightParameters, multiplyAdds, tapShapes };
}

/** The architectures with their sizes, one after the other, each freed before the next: all of them take some seconds. */
export function* modelTable(
  imageSize: number,
  classes: number,
  names: readonly string[] = modelNames,
): Generator<ModelRow> {
  for (const name of names) {
    using model = createEmptyModel(name, { classes, imageSize });
    yield modelRow(name, model, imageSize);
  }
}
