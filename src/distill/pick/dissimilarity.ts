import { operator, type Tensor } from '../../torch/index.ts';
import { defineCriterion, logProbabilities } from './criterion.ts';

let cdist: ReturnType<typeof operator> | undefined;
/** Distances between all rows of two matrices. Not by libtorch's matrix product, whose rounding swallows small ones. */
function distances(a: Tensor, b: Tensor): Tensor {
  // Looked up when first used: an import must not load the engine.
  cdist ??= operator('aten::cdist');
  const withoutProduct = 2;
  return cdist(a, b, 2, withoutProduct) as Tensor;
}

/** The smallest squared distance of the teacher's probabilities to those of the batch's own images. */
export const dissimilarity = defineCriterion({
  name: 'dissimilarity',
  source: 'H. Wang and others, Knowledge Distillation Thrives on Data Augmentation, 2020',
  measures: 'squared distance to the nearest original',
  needs: { teacher: true, batchTeacher: true },
  score({ teacher, batchTeacher }) {
    const originals = logProbabilities(batchTeacher).exp();
    return distances(logProbabilities(teacher).exp(), originals).amin(1).square();
  },
});
