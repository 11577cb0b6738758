/**
 * @file One right call of every operator in the table: the signatures are checked by tsc, ops.test.ts runs them and compares
 * gradients with finite differences, and the fuzzer starts from them and spoils one argument at a time.
 */
import { dtypeCode, type ops, type Tensor, tensor } from '../../src/torch/index.ts';

type Ops = typeof ops;
type Arguments<K extends keyof Ops> = Parameters<Ops[K]>;

export interface Example<A extends readonly unknown[] = readonly unknown[]> {
  /** Fresh arguments, so that in-place operators spoil nothing. */
  args: () => A;
  /** Is its gradient with respect to the floating point tensors to be checked? */
  differentiable: boolean;
}
export type Examples = { readonly [K in keyof Ops]?: Example<Arguments<K>> };

const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
const fill = (shape: readonly number[], value: (i: number) => number): Tensor =>
  tensor(
    Float64Array.from({ length: size(shape) }, (_, i) => value(i)),
    { shape, dtype: 'float64' },
  );

/** Between -1 and 1, no two alike and none near 0 or a half, so that kinks and ties are far from every difference. */
const x = (...shape: number[]): Tensor => fill(shape, (i) => (i % 2 ? -1 : 1) * (0.11 + 0.7 * ((i * 0.618) % 1)));
const y = (...shape: number[]): Tensor => fill(shape, (i) => (i % 3 ? 1 : -1) * (0.13 + 0.6 * ((i * 0.381 + 0.5) % 1)));
/** Between 0.2 and 1. */
const positive = (...shape: number[]): Tensor => fill(shape, (i) => 0.2 + 0.8 * ((i * 0.618) % 1));
const ints = (values: number[], shape: readonly number[] = [values.length]): Tensor =>
  tensor(values, { dtype: 'int64' }).reshape(shape);
const bools = (values: boolean[]): Tensor => tensor(values);

const grad = <A extends readonly unknown[]>(args: () => A): Example<A> => ({ args, differentiable: true });
const plain = <A extends readonly unknown[]>(args: () => A): Example<A> => ({ args, differentiable: false });

const one = grad((): [Tensor] => [x(2, 3)]);
const onePositive = grad((): [Tensor] => [positive(2, 3)]);
const flat = plain((): [Tensor] => [x(2, 3)]);
const two = grad((): [Tensor, Tensor] => [x(2, 3), y(3)]);
const twoFlat = plain((): [Tensor, Tensor] => [x(2, 3), y(3)]);
const scalar = grad((): [Tensor, number] => [x(2, 3), 0.75]);
const scalarFlat = plain((): [Tensor, number] => [x(2, 3), 0.5]);
const f32 = dtypeCode('float32');

export const examples: Examples = {
  add: grad(() => [x(2, 3), y(3), 2]),
  addScalar: grad(() => [x(2, 3), 1.5, 2]),
  add_: grad(() => [x(2, 3), y(3), 2]),
  addScalar_: grad(() => [x(2, 3), 1.5, 2]),
  sub: grad(() => [x(2, 3), y(3), 2]),
  subScalar: grad(() => [x(2, 3), 1.5, 2]),
  sub_: grad(() => [x(2, 3), y(3), 2]),
  rsubScalar: grad(() => [x(2, 3), 1.5, 2]),
  mul: two,
  mulScalar: scalar,
  mul_: two,
  mulScalar_: scalar,
  div: two,
  divScalar: scalar,
  div_: two,
  divScalar_: scalar,
  neg: one,
  abs: one,
  sign: flat,
  exp: one,
  expm1: one,
  log: onePositive,
  log1p: onePositive,
  sqrt: onePositive,
  rsqrt: onePositive,
  reciprocal: one,
  pow: grad(() => [positive(2, 3), 1.7]),
  powTensor: grad(() => [positive(2, 3), y(3)]),
  sin: one,
  cos: one,
  tanh: one,
  sigmoid: one,
  softplus: grad(() => [x(2, 3), 1, 20]),
  floor: flat,
  ceil: flat,
  round: flat,
  trunc: flat,
  clamp: grad(() => [x(2, 3), -0.51, 0.52]),
  clamp_: grad(() => [x(2, 3), null, 0.52]),
  clampMin: grad(() => [x(2, 3), -0.01]),
  minimum: two,
  maximum: two,
  remainder: plain(() => [x(2, 3), 0.3]),
  lerp: grad(() => [x(2, 3), y(2, 3), 0.3]),
  lerp_: grad(() => [x(2, 3), y(2, 3), 0.3]),
  addcmul: grad(() => [x(2, 3), y(2, 3), positive(3), 0.5]),
  addcmul_: grad(() => [x(2, 3), y(2, 3), positive(3), 0.5]),
  where: grad(() => [bools([true, false, true]), x(2, 3), y(2, 3)]),
  bitwiseAnd: plain(() => [ints([5, 6, 7]), 3]),

  eq: twoFlat,
  eqScalar: scalarFlat,
  ne: twoFlat,
  neScalar: scalarFlat,
  gt: twoFlat,
  gtScalar: scalarFlat,
  ge: twoFlat,
  geScalar: scalarFlat,
  lt: twoFlat,
  ltScalar: scalarFlat,
  le: twoFlat,
  leScalar: scalarFlat,
  logicalNot: flat,
  logicalAnd: twoFlat,
  logicalOr: twoFlat,
  isnan: flat,
  isfinite: flat,
  any: flat,
  all: flat,
  equal: plain(() => [x(2, 3), x(2, 3)]),

  sum: one,
  sumDim: grad(() => [x(2, 3), [1], true]),
  mean: one,
  meanDim: grad(() => [x(2, 3, 2), [0, 2], false]),
  var: grad(() => [x(2, 3), false]),
  varDim: grad(() => [x(2, 3), [1], true, true]),
  stdDim: grad(() => [x(2, 3), [1]]),
  std: grad(() => [x(2, 3), true]),
  prodDim: grad(() => [x(2, 3), 1]),
  amax: grad(() => [x(2, 3), [1]]),
  amin: grad(() => [x(2, 3), [0]]),
  max: one,
  min: one,
  maxDim: grad(() => [x(2, 3), 1]),
  argmax: plain(() => [x(2, 3), 1]),
  argsort: plain(() => [x(2, 3), -1, true]),
  sort: grad(() => [x(2, 3), -1, true]),
  topk: grad(() => [x(2, 3), 2]),
  cumsum: grad(() => [x(2, 3), 1]),
  logsumexp: grad(() => [x(2, 3), [1]]),
  vectorNorm: grad(() => [x(2, 3), 2, [1]]),
  bincount: plain(() => [ints([0, 1, 1, 3]), null, 6]),
  histc: plain(() => [x(10), 4, -1, 1]),

  matmul: grad(() => [x(2, 2, 3), y(3, 2)]),
  mm: grad(() => [x(2, 3), y(3, 2)]),
  bmm: grad(() => [x(2, 2, 3), y(2, 3, 2)]),
  addmm: grad(() => [x(2, 2), y(2, 3), x(3, 2), 0.5, 2]),
  linear: grad(() => [x(2, 3), y(4, 3), x(4)]),
  t: one,
  einsum: grad(() => ['ij,kj->ik', [x(2, 3), y(4, 3)]]),
  svd: plain(() => [x(3, 2), false]),
  diagonal: grad(() => [x(3, 3), 1]),
  eye: plain(() => [3, f32]),
  triu: grad(() => [x(3, 3), 1]),

  view: grad(() => [x(2, 3), [3, -1]]),
  reshape: grad(() => [x(2, 3), [6]]),
  flatten: grad(() => [x(2, 3, 2), 1]),
  permute: grad(() => [x(2, 3, 2), [2, 0, 1]]),
  transpose: grad(() => [x(2, 3), 0, 1]),
  unsqueeze: grad(() => [x(2, 3), 1]),
  squeeze: grad(() => [x(2, 1, 3), 1]),
  expand: grad(() => [x(2, 1), [2, 3]]),
  expandAs: grad(() => [x(2, 1), y(2, 3)]),
  cat: grad(() => [[x(2, 3), y(1, 3)], 0]),
  stack: grad(() => [[x(2, 3), y(2, 3)], 1]),
  chunk: grad(() => [x(4, 3), 2]),
  split: grad(() => [x(5, 2), 2]),
  unbind: grad(() => [x(2, 3), 1]),
  narrow: grad(() => [x(4, 3), 0, 1, 2]),
  slice: grad(() => [x(5, 2), 0, 0, 5, 2]),
  select: grad(() => [x(4, 3), 0, 2]),
  indexSelect: grad(() => [x(4, 3), 0, ints([3, 0, 3])]),
  gather: grad(() => [x(2, 3), 1, ints([2, 0, 1, 1], [2, 2])]),
  scatter: grad(() => [x(2, 3), 1, ints([2, 0], [2, 1]), 1]),
  index: grad(() => [x(4, 3), [null, ints([2, 2, 0])]]),
  indexPut_: grad(() => [x(4, 3), [ints([1, 1])], y(2, 3), true]),
  indexCopy_: grad(() => [x(4, 3), 0, ints([2, 0]), y(2, 3)]),
  indexAdd_: grad(() => [x(4, 3), 0, ints([2, 2]), y(2, 3), 2]),
  maskedFill: grad(() => [x(2, 3), bools([true, false, true]), 5]),
  maskedSelect: grad(() => [x(2, 3), bools([true, false, true])]),
  flip: grad(() => [x(2, 3), [1]]),
  roll: grad(() => [x(2, 3), [1], [1]]),
  repeat: grad(() => [x(2, 3), [2, 1, 2]]),
  repeatInterleave: grad(() => [x(2, 3), 2, 1]),
  constantPad: grad(() => [x(2, 3), [1, 2, 0, 1], 7]),
  unfold: grad(() => [x(2, 6), 1, 3, 2]),
  oneHot: plain(() => [ints([0, 2, 1]), 4]),
  channelShuffle: plain(() => [x(1, 4, 2, 2), 2]), // libtorch 1.13 has no gradient for it, and says so
  nonzero: plain(() => [ints([0, 3, 0, 5])]),

  empty: plain(() => [[2, 3], f32]),
  zeros: plain(() => [[2, 3], f32]),
  ones: plain(() => [[2, 3], f32]),
  full: plain(() => [[2, 3], 7, f32]),
  arange: plain(() => [0, 5, 2, dtypeCode('int64')]),
  linspace: plain(() => [0, 1, 5]),
  emptyLike: flat,
  zerosLike: flat,
  onesLike: flat,
  fullLike: plain(() => [x(2, 3), 2]),
  clone: one,
  contiguous: one,
  detach: flat,
  detach_: flat,
  copy_: grad(() => [x(2, 3), y(3)]),
  fill_: grad(() => [x(2, 3), 2]),
  zero_: one,
  toDtype: plain(() => [x(2, 3), f32]),
  toDevice: plain(() => [x(2, 3), 'cpu', f32]),
  toCopy: plain(() => [x(2, 3), f32]),

  normal_: plain(() => [x(2, 3), 1, 2]),
  uniform_: plain(() => [x(2, 3), -1, 1]),
  bernoulli: plain(() => [x(2, 3), 0.5]),
  randperm: plain(() => [6]),
  multinomial: plain(() => [positive(2, 3), 2]),

  conv2d: grad(() => [x(2, 2, 4, 4), y(3, 2, 3, 3), x(3), [2, 1], [1, 0], 1, 1]),
  convTranspose2d: grad(() => [x(1, 2, 3, 3), y(2, 2, 2, 2), x(2), 2]),
  batchNorm: grad(() => [x(3, 2, 2, 2), positive(2), y(2), null, null, true, 0.1, 1e-5, false]),
  relu: one,
  relu_: one,
  leakyRelu: grad(() => [x(2, 3), 0.2]),
  leakyRelu_: grad(() => [x(2, 3), 0.2]),
  hardtanh: grad(() => [x(2, 3), -0.51, 0.52]),
  dropout: grad(() => [x(2, 3), 0.5, false]),
  maxPool2d: grad(() => [x(1, 2, 4, 4), 2]),
  avgPool2d: grad(() => [x(1, 2, 4, 4), [2, 2], [1, 2], 1]),
  adaptiveAvgPool2d: grad(() => [x(1, 2, 4, 4), [2, 3]]),
  adaptiveMaxPool2d: grad(() => [x(1, 2, 4, 4), 2]),
  upsampleNearest2d: grad(() => [x(1, 2, 2, 2), [4, 3]]),
  upsampleBilinear2d: grad(() => [x(1, 2, 2, 2), [4, 3], false]),
  gridSampler2d: grad(() => [x(1, 2, 4, 4), y(1, 3, 3, 2), 0, 0, false]),
  affineGrid: grad(() => [x(1, 2, 3), [1, 1, 2, 3], false]),
  im2col: grad(() => [x(1, 2, 4, 4), [2, 2], [1, 1], [0, 0], [1, 1]]),
  softmax: grad(() => [x(2, 3), 1]),
  logSoftmax: grad(() => [x(2, 3), 1]),
  logSigmoid: one,

  crossEntropyLoss: grad(() => [x(3, 4), ints([1, 0, 3]), null, 1, -100, 0.1]),
  nllLoss: grad(() => [x(3, 4), ints([1, 0, 3])]),
  klDiv: grad(() => [x(2, 3), positive(2, 3), 2]),
  mseLoss: grad(() => [x(2, 3), y(2, 3)]),
  l1Loss: grad(() => [x(2, 3), y(2, 3)]),
  smoothL1Loss: grad(() => [x(2, 3), y(2, 3), 1, 0.5]),
  cosineSimilarity: grad(() => [x(2, 3), y(2, 3), 1]),

  foreachAdd_: plain(() => [[x(2, 3), x(3)], [y(2, 3), y(3)], 2]),
  foreachMul_: plain(() => [[x(2, 3), x(3)], 0.5]),
  foreachZero_: plain(() => [[x(2, 3), x(3)]]),
  foreachNorm: plain(() => [[x(2, 3), x(3)], 2]),
  foreachAddcmul_: plain(() => [[x(2, 3), x(3)], [y(2, 3), y(3)], [x(2, 3), x(3)], 2]),
};
