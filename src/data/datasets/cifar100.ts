import { type CifarLayout, cifarDataset } from '../cifar.ts';
import { mirrored } from '../source.ts';

export const CIFAR100: CifarLayout = {
  name: 'cifar100',
  title: 'CIFAR-100 (binary version)',
  folders: ['cifar-100-binary'],
  files: { train: ['train.bin'], test: ['test.bin'] },
  records: { train: 50_000, test: 10_000 },
  labels: [20, 100],
  // As its own page lists them, in the order of the labels.
  classNames: (
    'apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle ' +
    'caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant flatfish ' +
    'forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle ' +
    'mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine ' +
    'possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake spider squirrel streetcar ' +
    'sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle wardrobe whale ' +
    'willow_tree wolf woman worm'
  ).split(' '),
  namesFile: 'fine_label_names.txt',
  archive: 'cifar-100-binary.tar.gz',
  python: {
    folder: 'cifar-100-python',
    archive: 'cifar-100-python.tar.gz',
    files: { train: ['train'], test: ['test'] },
    labels: 'fine_labels',
    meta: 'meta',
    names: 'fine_label_names',
  },
};

/** Mean and deviation as in the paper's code. */
export const cifar100 = cifarDataset(CIFAR100, {
  mean: [0.5071, 0.4867, 0.4408],
  std: [0.2675, 0.2565, 0.2761],
  cutout: 8,
  source: {
    folder: 'cifar-100-binary',
    // As published on that page.
    files: [
      mirrored(
        ['https://www.cs.toronto.edu/~kriz'],
        'cifar-100-binary.tar.gz',
        '03b5dce01913d631647c71ecec9e9cb8',
        168_513_733,
      ),
    ],
    members: {
      'cifar-100-binary/train.bin': 153_700_000,
      'cifar-100-binary/test.bin': 30_740_000,
      'cifar-100-binary/fine_label_names.txt': 4096,
      'cifar-100-binary/coarse_label_names.txt': 4096,
    },
  },
});
