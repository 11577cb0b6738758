import { type IdxLayout, idxDataset } from '../idx.ts';
import { mirrored, type SourceFile } from '../source.ts';

export const FASHION_MNIST: IdxLayout = {
  name: 'fashion-mnist',
  title: 'Fashion-MNIST',
  folders: ['fashion-mnist', 'FashionMNIST/raw', 'FashionMNIST', 'fashion_mnist'],
  foreign: ['mnist', 'MNIST/raw', 'MNIST'],
  systemFolders: ['/usr/share/datasets/fashion-mnist'], // Debian's package dataset-fashion-mnist
  records: { train: 60_000, test: 10_000 },
  classNames: [
    'T-shirt/top',
    'Trouser',
    'Pullover',
    'Dress',
    'Coat',
    'Sandal',
    'Shirt',
    'Sneaker',
    'Bag',
    'Ankle boot',
  ],
};

const page = (file: string, md5: string, bytes: number): SourceFile =>
  mirrored(
    [
      'http://fashion-mnist.s3-website.eu-central-1.amazonaws.com',
      'https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion',
    ],
    file,
    md5,
    bytes,
  );

/** MD5s as in its README. */
export const fashionMnist = idxDataset(FASHION_MNIST, {
  mean: 0.286,
  std: 0.353,
  flip: true,
  source: {
    folder: 'fashion-mnist',
    files: [
      page('train-images-idx3-ubyte.gz', '8d4fb7e6c68d591d4c3dfef9ec88bf0d', 26_421_880),
      page('train-labels-idx1-ubyte.gz', '25c81989df183df01b3e8a0aad5dffbe', 29_515),
      page('t10k-images-idx3-ubyte.gz', 'bef4ecab320f06d8554ea6380940ec79', 4_422_102),
      page('t10k-labels-idx1-ubyte.gz', 'bb300cfdad3c16e7a12a480ee83cd310', 5_148),
    ],
  },
});
