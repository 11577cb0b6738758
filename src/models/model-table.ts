import { noGrad, tidy, zeros } from '../torch/index.ts';
import { createEmptyModel, modelNames } from './registry.ts';
import { summary } from './summary.ts';

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
    const model = createEmptyModel(name, { classes, imageSize }).eval();
    try {
      const { parameters, weightParameters, multiplyAdds } = summary(model, { imageSize });
      const tapShapes = noGrad(() =>
        tidy(() => model.features(zeros([1, 3, imageSize, imageSize])).taps.map((tap) => tap.shape.slice(1))),
      );
      yield { name, parameters, weightParameters, multiplyAdds, tapShapes };
    } finally {
      model.dispose();
    }
  }
}
