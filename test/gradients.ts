/** @file The gradients of a network in training mode, as norms, and what PyTorch's float64 has for them. */
import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { createEmptyModel } from '../src/models/index.ts';
import { type DType, type MemoryFormat, ops, tensor, tidy } from '../src/torch/index.ts';
import { fillerTensor, fillModule } from './filler.ts';

interface Gradients {
  size: number;
  loss: number;
  /** Norms by parameter. A bias before a batch norm has no influence and is left out. */
  gradients: Record<string, number>;
}

/** Made by fixtures/models/gradients.py. */
export const float64Gradients: Readonly<Record<string, Gradients>> = JSON.parse(
  readFileSync(new URL('fixtures/models/gradients.json', import.meta.url), 'utf8'),
);

/** Networks whose pass takes as long as that of all others together. */
export const large = ['resnet110', 'wrn_28_10', 'vgg16', 'vgg19', 'ResNet18', 'ResNet50', 'resnet34', 'resnet50'];

/** The same pass here: four images, labels 3, 14, 15, 92, mean cross entropy. */
export function measureGradients(
  name: string,
  { dtype, memoryFormat = 'contiguous' }: { dtype: DType; memoryFormat?: MemoryFormat },
): Pick<Gradients, 'loss' | 'gradients'> {
  const { size } = float64Gradients[name]!;
  using model = fillModule(createEmptyModel(name, { classes: 100, imageSize: size })).to({ dtype, memoryFormat });
  model.train();
  return tidy(() => {
    const images = fillerTensor('input', [4, 3, size, size]).to({ dtype, memoryFormat });
    const loss = ops.crossEntropyLoss(model.forward(images), tensor([3, 14, 15, 92], { dtype: 'int64' }));
    loss.backward();
    const norms = [...model.namedParameters()].map(([key, { grad }]) => [key, grad!.norm().item()] as const);
    model.zeroGrad();
    return { loss: loss.item(), gradients: Object.fromEntries(norms) };
  });
}

export function expectFloat64Gradients(name: string): void {
  const expected = float64Gradients[name]!;
  const { loss, gradients } = measureGradients(name, { dtype: 'float64' });
  expect(loss).toBeAllclose(expected.loss, { rtol: 1e-12 });
  for (const [key, norm] of Object.entries(expected.gradients)) {
    expect(gradients[key], key).toBeAllclose(norm, { rtol: 1e-9, atol: 1e-12 });
  }
}
