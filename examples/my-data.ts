/**
 * A dataset of your own:
 *   thrive train --data ./examples/my-data.ts --model resnet8 --epochs 2
 *
 * Stripes, upright and lying, drawn here; yours would read files below `dir` (what --data-dir says). It may be asynchronous.
 */
import { defineDataset, stream } from 'thrive';

const size = 32;

export default defineDataset({
  name: 'stripes',
  classNames: ['upright', 'lying'],
  size,
  // Of the training images, on the scale 0 to 1: for normalising.
  mean: [0.5, 0.5, 0.5],
  std: [0.3, 0.3, 0.3],
  // What augmentation may do. A mirrored stripe is still a stripe; no AutoAugment policy was searched for these.
  flip: true,
  count: { train: 200, test: 60 },
  load({ split }) {
    const count = split === 'train' ? 200 : 60;
    const labels = Array.from({ length: count }, (_, i) => i % 2);
    const images = new Uint8Array(count * 3 * size * size);
    const draws = stream(7, `stripes.${split}`);
    for (const [i, label] of labels.entries()) {
      const random = draws.child(i);
      const [width, shift] = [2 + random.int(5), random.int(size)];
      for (let pixel = 0; pixel < 3 * size * size; pixel++) {
        const [row, column] = [Math.floor((pixel % (size * size)) / size), pixel % size];
        const along = (label === 0 ? column : row) + shift;
        const bright = Math.floor(along / width) % 2 === 0 ? 190 : 50;
        images[i * 3 * size * size + pixel] = bright + random.int(30);
      }
    }
    return { images, labels };
  },
});
