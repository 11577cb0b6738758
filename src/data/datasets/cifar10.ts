import { type CifarLayout, cifarDataset } from '../cifar.ts';
import { mirrored } from '../source.ts';

export const CIFAR10: CifarLayout = {
  name: 'cifar10',
  title: 'CIFAR-10 (binary version)',
  folders: ['cifar-10-batches-bin'],
  files: { train: [1, 2, 3, 4, 5].map((i) => `data_batch_${i}.bin`), test: ['test_batch.bin'] },
  records: { train: 10_000, test: 10_000 },
  labels: [10],
  // As its own page lists them, in the order of the labels.
  classNames: 'airplane automobile bird cat deer dog frog horse ship truck'.split(' '),
  namesFile: 'batches.meta.txt',
  archive: 'cifar-10-binary.tar.gz',
  python: {
    folder: 'cifar-10-batches-py',
    archive: 'cifar-10-python.tar.gz',
    files: { train: [1, 2, 3, 4, 5].map((i) => `data_batch_${i}`), test: ['test_batch'] },
    labels: 'labels',
    meta: 'batches.meta',
    names: 'label_names',
  },
};

/** Mean and deviation: per pixel over the training set. Holes of 16: T. DeVries and G. Taylor, "Cutout", 2017. */
export const cifar10 = cifarDataset(CIFAR10, {
  mean: [0.4914, 0.4822, 0.4465],
  std: [0.247, 0.2435, 0.2616],
  cutout: 16,
  source: {
    folder: 'cifar-10-batches-bin',
    // As published on that page.
    files: [
      mirrored(
        ['https://www.cs.toronto.edu/~kriz'],
        'cifar-10-binary.tar.gz',
        'c32a1d4ab5d03f1284b67883e8d87530',
        170_052_171,
      ),
    ],
    members: {
      'cifar-10-batches-bin/data_batch_1.bin': 30_730_000,
      'cifar-10-batches-bin/data_batch_2.bin': 30_730_000,
      'cifar-10-batches-bin/data_batch_3.bin': 30_730_000,
      'cifar-10-batches-bin/data_batch_4.bin': 30_730_000,
      'cifar-10-batches-bin/data_batch_5.bin': 30_730_000,
      'cifar-10-batches-bin/test_batch.bin': 30_730_000,
      'cifar-10-batches-bin/batches.meta.txt': 4096,
    },
  },
});
