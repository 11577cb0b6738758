import { type IdxLayout, idxDataset } from '../idx.ts';
import { mirrored, type SourceFile } from '../source.ts';

export const MNIST: IdxLayout = {
  name: 'mnist',
  title: 'MNIST',
  folders: ['mnist', 'MNIST/raw', 'MNIST'],
  foreign: ['fashion-mnist', 'FashionMNIST/raw', 'FashionMNIST', 'fashion_mnist'],
  records: { train: 60_000, test: 10_000 },
  classNames: [...'0123456789'],
};

const page = (file: string, md5: string, bytes: number): SourceFile =>
  mirrored(
    ['https://ossci-datasets.s3.amazonaws.com/mnist', 'https://storage.googleapis.com/cvdf-datasets/mnist'],
    file,
    md5,
    bytes,
  );

/** A mirrored digit is another character. MD5s as torchvision checks them. */
export const mnist = idxDataset(MNIST, {
  mean: 0.1307,
  std: 0.3081,
  flip: false,
  source: {
    folder: 'mnist',
    files: [
      page('train-images-idx3-ubyte.gz', 'f68b3c2dcbeaaa9fbdd348bbdeb94873', 9_912_422),
      page('train-labels-idx1-ubyte.gz', 'd53e105ee54ea40749a09fcbcd1e9432', 28_881),
      page('t10k-images-idx3-ubyte.gz', '9fb629c4189551a2d022fa330f9573f3', 1_648_877),
      page('t10k-labels-idx1-ubyte.gz', 'ec29112dd5afa0611ce80d1b7f02629c', 4_542),
    ],
  },
});
