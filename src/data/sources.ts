/** One file to fetch. */
export interface SourceFile {
  file: string;
  /** Where it is published, the first choice first. */
  urls: readonly string[];
  /** As published beside it. */
  md5: string;
  bytes: number;
}

/** How a dataset gets onto the disk. */
export interface Source {
  /** The folder below the data folder, named as the readers look for it. */
  folder: string;
  files: readonly SourceFile[];
  /** When the one file is a .tar.gz: what to take out of it (path → largest size in bytes). */
  members?: Readonly<Record<string, number>>;
}

const CIFAR_PAGE = 'https://www.cs.toronto.edu/~kriz';

const mirrored = (pages: readonly string[], file: string, md5: string, bytes: number): SourceFile => ({
  file,
  urls: pages.map((page) => `${page}/${file}`),
  md5,
  bytes,
});

const FASHION_PAGES = [
  'http://fashion-mnist.s3-website.eu-central-1.amazonaws.com',
  'https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion',
];
const MNIST_PAGES = [
  'https://ossci-datasets.s3.amazonaws.com/mnist',
  'https://storage.googleapis.com/cvdf-datasets/mnist',
];

/**
 * The official places. MD5s as published on the CIFAR page and in Fashion-MNIST's README, for MNIST as torchvision checks
 * them. MD5 finds damage, not forgery; that is what it is used for here.
 */
export const SOURCES: Readonly<Record<string, Source>> = {
  cifar10: {
    folder: 'cifar-10-batches-bin',
    files: [mirrored([CIFAR_PAGE], 'cifar-10-binary.tar.gz', 'c32a1d4ab5d03f1284b67883e8d87530', 170_052_171)],
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
  cifar100: {
    folder: 'cifar-100-binary',
    files: [mirrored([CIFAR_PAGE], 'cifar-100-binary.tar.gz', '03b5dce01913d631647c71ecec9e9cb8', 168_513_733)],
    members: {
      'cifar-100-binary/train.bin': 153_700_000,
      'cifar-100-binary/test.bin': 30_740_000,
      'cifar-100-binary/fine_label_names.txt': 4096,
      'cifar-100-binary/coarse_label_names.txt': 4096,
    },
  },
  mnist: {
    folder: 'mnist',
    files: [
      mirrored(MNIST_PAGES, 'train-images-idx3-ubyte.gz', 'f68b3c2dcbeaaa9fbdd348bbdeb94873', 9_912_422),
      mirrored(MNIST_PAGES, 'train-labels-idx1-ubyte.gz', 'd53e105ee54ea40749a09fcbcd1e9432', 28_881),
      mirrored(MNIST_PAGES, 't10k-images-idx3-ubyte.gz', '9fb629c4189551a2d022fa330f9573f3', 1_648_877),
      mirrored(MNIST_PAGES, 't10k-labels-idx1-ubyte.gz', 'ec29112dd5afa0611ce80d1b7f02629c', 4_542),
    ],
  },
  'fashion-mnist': {
    folder: 'fashion-mnist',
    files: [
      mirrored(FASHION_PAGES, 'train-images-idx3-ubyte.gz', '8d4fb7e6c68d591d4c3dfef9ec88bf0d', 26_421_880),
      mirrored(FASHION_PAGES, 'train-labels-idx1-ubyte.gz', '25c81989df183df01b3e8a0aad5dffbe', 29_515),
      mirrored(FASHION_PAGES, 't10k-images-idx3-ubyte.gz', 'bef4ecab320f06d8554ea6380940ec79', 4_422_102),
      mirrored(FASHION_PAGES, 't10k-labels-idx1-ubyte.gz', 'bb300cfdad3c16e7a12a480ee83cd310', 5_148),
    ],
  },
};
