import { createEmptyModel, modelNames } from './registry.ts';
import { measure } from './summary.ts';

/** One architecture's size, for pictures of one size. */
export interface ModelRow {
  name: string;
  /** All trained values, batch norm included. */
  parameters: number;
  /** Trained values of convolutions and linear layers, as the paper counts a network's size. */
  weightParameters: number;
  /** Of one picture; convolutions and linear layers. */
  multiplyAdds: number;
  /** Of one picture, without the batch dimension. */
  tapShapes: number[][];
}

/**
 * The architectures with their sizes. Runs one blank picture of `imageSize` pixels through each, and frees it before the next:
 * all of them take some seconds.
 */
export function* modelTable(
  imageSize: number,
  classes: number,
  names: readonly string[] = modelNames,
): Generator<ModelRow> {
  for (const name of names) {
    const model = createEmptyModel(name, { classes, imageSize });
    try {
      let tapShapes: number[][] = [];
      const { parameters, weightParameters, multiplyAdds } = measure(model, { imageSize }, (picture) => {
        tapShapes = model.features(picture).taps.map((tap) => tap.shape.slice(1));
      });
      yield { name, parameters, weightParameters, multiplyAdds, tapShapes };
    } finally {
      model.dispose();
    }
  }
}
