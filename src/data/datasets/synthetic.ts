import { defineDataset } from '../dataset.ts';
import { generateSynthetic, SYNTHETIC_CLASSES, SYNTHETIC_COUNT } from '../synthetic.ts';

/** Mean and deviation measured on its 10,000 training images. */
export const synthetic = defineDataset({
  name: 'synthetic',
  title: 'synthetic shapes',
  classNames: SYNTHETIC_CLASSES,
  size: 32,
  mean: [0.304, 0.304, 0.304],
  std: [0.228, 0.228, 0.228],
  policy: 'imagenet',
  count: SYNTHETIC_COUNT,
  generated: true,
  load: ({ split, count, seed }) => generateSynthetic(split, count, seed),
});
