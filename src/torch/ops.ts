/**
 * @file The table of libtorch operators in use. Each line is the operator's own schema, which gives the TypeScript signature
 * (schema.ts) and is compared with the loaded libtorch's by ops.test.ts. Any other operator: `operator('aten::name.overload')`.
 */
export const schemas = {
  // Pointwise arithmetic
  add: 'aten::add.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor',
  addScalar: 'aten::add.Scalar(Tensor self, Scalar other, Scalar alpha=1) -> Tensor',
  add_: 'aten::add_.Tensor(Tensor(a!) self, Tensor other, *, Scalar alpha=1) -> Tensor(a!)',
  addScalar_: 'aten::add_.Scalar(Tensor(a!) self, Scalar other, Scalar alpha=1) -> Tensor(a!)',
  sub: 'aten::sub.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor',
  subScalar: 'aten::sub.Scalar(Tensor self, Scalar other, Scalar alpha=1) -> Tensor',
  sub_: 'aten::sub_.Tensor(Tensor(a!) self, Tensor other, *, Scalar alpha=1) -> Tensor(a!)',
  rsubScalar: 'aten::rsub.Scalar(Tensor self, Scalar other, Scalar alpha=1) -> Tensor',
  mul: 'aten::mul.Tensor(Tensor self, Tensor other) -> Tensor',
  mulScalar: 'aten::mul.Scalar(Tensor self, Scalar other) -> Tensor',
  mul_: 'aten::mul_.Tensor(Tensor(a!) self, Tensor other) -> Tensor(a!)',
  mulScalar_: 'aten::mul_.Scalar(Tensor(a!) self, Scalar other) -> Tensor(a!)',
  div: 'aten::div.Tensor(Tensor self, Tensor other) -> Tensor',
  divScalar: 'aten::div.Scalar(Tensor self, Scalar other) -> Tensor',
  div_: 'aten::div_.Tensor(Tensor(a!) self, Tensor other) -> Tensor(a!)',
  divScalar_: 'aten::div_.Scalar(Tensor(a!) self, Scalar other) -> Tensor(a!)',
  neg: 'aten::neg(Tensor self) -> Tensor',
  abs: 'aten::abs(Tensor self) -> Tensor',
  sign: 'aten::sign(Tensor self) -> Tensor',
  exp: 'aten::exp(Tensor self) -> Tensor',
  expm1: 'aten::expm1(Tensor self) -> Tensor',
  log: 'aten::log(Tensor self) -> Tensor',
  log1p: 'aten::log1p(Tensor self) -> Tensor',
  sqrt: 'aten::sqrt(Tensor self) -> Tensor',
  rsqrt: 'aten::rsqrt(Tensor self) -> Tensor',
  reciprocal: 'aten::reciprocal(Tensor self) -> Tensor',
  pow: 'aten::pow.Tensor_Scalar(Tensor self, Scalar exponent) -> Tensor',
  powTensor: 'aten::pow.Tensor_Tensor(Tensor self, Tensor exponent) -> Tensor',
  sin: 'aten::sin(Tensor self) -> Tensor',
  cos: 'aten::cos(Tensor self) -> Tensor',
  tanh: 'aten::tanh(Tensor self) -> Tensor',
  sigmoid: 'aten::sigmoid(Tensor self) -> Tensor',
  softplus: 'aten::softplus(Tensor self, Scalar beta=1, Scalar threshold=20) -> Tensor',
  floor: 'aten::floor(Tensor self) -> Tensor',
  ceil: 'aten::ceil(Tensor self) -> Tensor',
  round: 'aten::round(Tensor self) -> Tensor',
  trunc: 'aten::trunc(Tensor self) -> Tensor',
  clamp: 'aten::clamp(Tensor self, Scalar? min=None, Scalar? max=None) -> Tensor',
  clamp_: 'aten::clamp_(Tensor(a!) self, Scalar? min=None, Scalar? max=None) -> Tensor(a!)',
  clampMin: 'aten::clamp_min(Tensor self, Scalar min) -> Tensor',
  minimum: 'aten::minimum(Tensor self, Tensor other) -> Tensor',
  maximum: 'aten::maximum(Tensor self, Tensor other) -> Tensor',
  remainder: 'aten::remainder.Scalar(Tensor self, Scalar other) -> Tensor',
  lerp: 'aten::lerp.Scalar(Tensor self, Tensor end, Scalar weight) -> Tensor',
  lerp_: 'aten::lerp_.Scalar(Tensor(a!) self, Tensor end, Scalar weight) -> Tensor(a!)',
  addcmul: 'aten::addcmul(Tensor self, Tensor tensor1, Tensor tensor2, *, Scalar value=1) -> Tensor',
  addcmul_: 'aten::addcmul_(Tensor(a!) self, Tensor tensor1, Tensor tensor2, *, Scalar value=1) -> Tensor(a!)',
  where: 'aten::where.self(Tensor condition, Tensor self, Tensor other) -> Tensor',
  bitwiseAnd: 'aten::bitwise_and.Scalar(Tensor self, Scalar other) -> Tensor',

  // Comparison and logic
  eq: 'aten::eq.Tensor(Tensor self, Tensor other) -> Tensor',
  eqScalar: 'aten::eq.Scalar(Tensor self, Scalar other) -> Tensor',
  ne: 'aten::ne.Tensor(Tensor self, Tensor other) -> Tensor',
  neScalar: 'aten::ne.Scalar(Tensor self, Scalar other) -> Tensor',
  gt: 'aten::gt.Tensor(Tensor self, Tensor other) -> Tensor',
  gtScalar: 'aten::gt.Scalar(Tensor self, Scalar other) -> Tensor',
  ge: 'aten::ge.Tensor(Tensor self, Tensor other) -> Tensor',
  geScalar: 'aten::ge.Scalar(Tensor self, Scalar other) -> Tensor',
  lt: 'aten::lt.Tensor(Tensor self, Tensor other) -> Tensor',
  ltScalar: 'aten::lt.Scalar(Tensor self, Scalar other) -> Tensor',
  le: 'aten::le.Tensor(Tensor self, Tensor other) -> Tensor',
  leScalar: 'aten::le.Scalar(Tensor self, Scalar other) -> Tensor',
  logicalNot: 'aten::logical_not(Tensor self) -> Tensor',
  logicalAnd: 'aten::logical_and(Tensor self, Tensor other) -> Tensor',
  logicalOr: 'aten::logical_or(Tensor self, Tensor other) -> Tensor',
  isnan: 'aten::isnan(Tensor self) -> Tensor',
  isfinite: 'aten::isfinite(Tensor self) -> Tensor',
  any: 'aten::any(Tensor self) -> Tensor',
  all: 'aten::all(Tensor self) -> Tensor',
  equal: 'aten::equal(Tensor self, Tensor other) -> bool',

  // Reductions
  sum: 'aten::sum(Tensor self, *, ScalarType? dtype=None) -> Tensor',
  sumDim: 'aten::sum.dim_IntList(Tensor self, int[1]? dim, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor',
  mean: 'aten::mean(Tensor self, *, ScalarType? dtype=None) -> Tensor',
  meanDim: 'aten::mean.dim(Tensor self, int[1]? dim, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor',
  var: 'aten::var(Tensor self, bool unbiased=True) -> Tensor',
  varDim: 'aten::var.dim(Tensor self, int[1]? dim, bool unbiased=True, bool keepdim=False) -> Tensor',
  stdDim: 'aten::std.dim(Tensor self, int[1]? dim, bool unbiased=True, bool keepdim=False) -> Tensor',
  std: 'aten::std(Tensor self, bool unbiased=True) -> Tensor',
  prodDim: 'aten::prod.dim_int(Tensor self, int dim, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor',
  amax: 'aten::amax(Tensor self, int[1] dim=[], bool keepdim=False) -> Tensor',
  amin: 'aten::amin(Tensor self, int[1] dim=[], bool keepdim=False) -> Tensor',
  max: 'aten::max(Tensor self) -> Tensor',
  min: 'aten::min(Tensor self) -> Tensor',
  maxDim: 'aten::max.dim(Tensor self, int dim, bool keepdim=False) -> (Tensor, Tensor)',
  argmax: 'aten::argmax(Tensor self, int? dim=None, bool keepdim=False) -> Tensor',
  argsort: 'aten::argsort(Tensor self, int dim=-1, bool descending=False) -> Tensor',
  sort: 'aten::sort(Tensor self, int dim=-1, bool descending=False) -> (Tensor, Tensor)',
  topk: 'aten::topk(Tensor self, int k, int dim=-1, bool largest=True, bool sorted=True) -> (Tensor, Tensor)',
  cumsum: 'aten::cumsum(Tensor self, int dim, *, ScalarType? dtype=None) -> Tensor',
  logsumexp: 'aten::logsumexp(Tensor self, int[1] dim, bool keepdim=False) -> Tensor',
  vectorNorm:
    'aten::linalg_vector_norm(Tensor self, Scalar ord=2, int[1]? dim=None, bool keepdim=False, *, ScalarType? dtype=None) -> Tensor',
  bincount: 'aten::bincount(Tensor self, Tensor? weights=None, int minlength=0) -> Tensor',
  histc: 'aten::histc(Tensor self, int bins=100, Scalar min=0, Scalar max=0) -> Tensor',

  // Linear algebra
  matmul: 'aten::matmul(Tensor self, Tensor other) -> Tensor',
  mm: 'aten::mm(Tensor self, Tensor mat2) -> Tensor',
  bmm: 'aten::bmm(Tensor self, Tensor mat2) -> Tensor',
  addmm: 'aten::addmm(Tensor self, Tensor mat1, Tensor mat2, *, Scalar beta=1, Scalar alpha=1) -> Tensor',
  linear: 'aten::linear(Tensor input, Tensor weight, Tensor? bias=None) -> Tensor',
  t: 'aten::t(Tensor(a) self) -> Tensor(a)',
  einsum: 'aten::einsum(str equation, Tensor[] tensors, *, int[]? path=None) -> Tensor',
  svd: 'aten::linalg_svd(Tensor A, bool full_matrices=True, *, str? driver=None) -> (Tensor, Tensor, Tensor)',
  diagonal: 'aten::diagonal(Tensor(a) self, int offset=0, int dim1=0, int dim2=1) -> Tensor(a)',
  eye: 'aten::eye(int n, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor',
  triu: 'aten::triu(Tensor self, int diagonal=0) -> Tensor',

  // Shape and indexing
  view: 'aten::view(Tensor(a) self, int[] size) -> Tensor(a)',
  reshape: 'aten::reshape(Tensor(a) self, int[] shape) -> Tensor(a)',
  flatten: 'aten::flatten.using_ints(Tensor(a) self, int start_dim=0, int end_dim=-1) -> Tensor(a)',
  permute: 'aten::permute(Tensor(a) self, int[] dims) -> Tensor(a)',
  transpose: 'aten::transpose.int(Tensor(a) self, int dim0, int dim1) -> Tensor(a)',
  unsqueeze: 'aten::unsqueeze(Tensor(a) self, int dim) -> Tensor(a)',
  squeeze: 'aten::squeeze.dim(Tensor(a) self, int dim) -> Tensor(a)',
  expand: 'aten::expand(Tensor(a) self, int[] size, *, bool implicit=False) -> Tensor(a)',
  expandAs: 'aten::expand_as(Tensor(a) self, Tensor other) -> Tensor(a)',
  cat: 'aten::cat(Tensor[] tensors, int dim=0) -> Tensor',
  stack: 'aten::stack(Tensor[] tensors, int dim=0) -> Tensor',
  chunk: 'aten::chunk(Tensor(a) self, int chunks, int dim=0) -> Tensor(a)[]',
  split: 'aten::split.Tensor(Tensor(a) self, int split_size, int dim=0) -> Tensor(a)[]',
  unbind: 'aten::unbind.int(Tensor(a) self, int dim=0) -> Tensor(a)[]',
  narrow: 'aten::narrow(Tensor(a) self, int dim, int start, int length) -> Tensor(a)',
  slice: 'aten::slice.Tensor(Tensor(a) self, int dim=0, int? start=None, int? end=None, int step=1) -> Tensor(a)',
  select: 'aten::select.int(Tensor(a) self, int dim, int index) -> Tensor(a)',
  indexSelect: 'aten::index_select(Tensor self, int dim, Tensor index) -> Tensor',
  gather: 'aten::gather(Tensor self, int dim, Tensor index, *, bool sparse_grad=False) -> Tensor',
  scatter: 'aten::scatter.value(Tensor self, int dim, Tensor index, Scalar value) -> Tensor',
  index: 'aten::index.Tensor(Tensor self, Tensor?[] indices) -> Tensor',
  indexPut_: 'aten::index_put_(Tensor(a!) self, Tensor?[] indices, Tensor values, bool accumulate=False) -> Tensor(a!)',
  indexCopy_: 'aten::index_copy_(Tensor(a!) self, int dim, Tensor index, Tensor source) -> Tensor(a!)',
  indexAdd_: 'aten::index_add_(Tensor(a!) self, int dim, Tensor index, Tensor source, *, Scalar alpha=1) -> Tensor(a!)',
  maskedFill: 'aten::masked_fill.Scalar(Tensor self, Tensor mask, Scalar value) -> Tensor',
  maskedSelect: 'aten::masked_select(Tensor self, Tensor mask) -> Tensor',
  flip: 'aten::flip(Tensor self, int[] dims) -> Tensor',
  roll: 'aten::roll(Tensor self, int[1] shifts, int[1] dims=[]) -> Tensor',
  repeat: 'aten::repeat(Tensor self, int[] repeats) -> Tensor',
  repeatInterleave:
    'aten::repeat_interleave.self_int(Tensor self, int repeats, int? dim=None, *, int? output_size=None) -> Tensor',
  constantPad: 'aten::constant_pad_nd(Tensor self, int[] pad, Scalar value=0) -> Tensor',
  unfold: 'aten::unfold(Tensor(a) self, int dimension, int size, int step) -> Tensor(a)',
  oneHot: 'aten::one_hot(Tensor self, int num_classes=-1) -> Tensor',
  channelShuffle: 'aten::channel_shuffle(Tensor self, int groups) -> Tensor',
  nonzero: 'aten::nonzero(Tensor self) -> Tensor',

  // Creation, copies and types
  empty:
    'aten::empty.memory_format(int[] size, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None, MemoryFormat? memory_format=None) -> Tensor',
  zeros:
    'aten::zeros(int[] size, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor',
  ones: 'aten::ones(int[] size, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor',
  full: 'aten::full(int[] size, Scalar fill_value, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor',
  arange:
    'aten::arange.start_step(Scalar start, Scalar end, Scalar step=1, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor',
  linspace:
    'aten::linspace(Scalar start, Scalar end, int steps, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor',
  emptyLike:
    'aten::empty_like(Tensor self, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None, MemoryFormat? memory_format=None) -> Tensor',
  zerosLike:
    'aten::zeros_like(Tensor self, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None, MemoryFormat? memory_format=None) -> Tensor',
  onesLike:
    'aten::ones_like(Tensor self, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None, MemoryFormat? memory_format=None) -> Tensor',
  fullLike:
    'aten::full_like(Tensor self, Scalar fill_value, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None, MemoryFormat? memory_format=None) -> Tensor',
  clone: 'aten::clone(Tensor self, *, MemoryFormat? memory_format=None) -> Tensor',
  contiguous: 'aten::contiguous(Tensor(a) self, *, MemoryFormat memory_format=0) -> Tensor(a)',
  detach: 'aten::detach(Tensor(a) self) -> Tensor(a)',
  detach_: 'aten::detach_(Tensor(a!) self) -> Tensor(a!)',
  copy_: 'aten::copy_(Tensor(a!) self, Tensor src, bool non_blocking=False) -> Tensor(a!)',
  fill_: 'aten::fill_.Scalar(Tensor(a!) self, Scalar value) -> Tensor(a!)',
  zero_: 'aten::zero_(Tensor(a!) self) -> Tensor(a!)',
  toDtype:
    'aten::to.dtype(Tensor(a) self, ScalarType dtype, bool non_blocking=False, bool copy=False, MemoryFormat? memory_format=None) -> Tensor(a)',
  toDevice:
    'aten::to.device(Tensor(a) self, Device device, ScalarType dtype, bool non_blocking=False, bool copy=False, MemoryFormat? memory_format=None) -> Tensor(a)',
  toCopy:
    'aten::_to_copy(Tensor self, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None, bool non_blocking=False, MemoryFormat? memory_format=None) -> Tensor',

  // Random
  normal_: 'aten::normal_(Tensor(a!) self, float mean=0., float std=1., *, Generator? generator=None) -> Tensor(a!)',
  uniform_: 'aten::uniform_(Tensor(a!) self, float from=0., float to=1., *, Generator? generator=None) -> Tensor(a!)',
  bernoulli: 'aten::bernoulli.p(Tensor self, float p, *, Generator? generator=None) -> Tensor',
  randperm:
    'aten::randperm(int n, *, ScalarType? dtype=4, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> Tensor',
  multinomial:
    'aten::multinomial(Tensor self, int num_samples, bool replacement=False, *, Generator? generator=None) -> Tensor',

  // Networks
  conv2d:
    'aten::conv2d(Tensor input, Tensor weight, Tensor? bias=None, int[2] stride=1, int[2] padding=0, int[2] dilation=1, int groups=1) -> Tensor',
  convTranspose2d:
    'aten::conv_transpose2d.input(Tensor input, Tensor weight, Tensor? bias=None, int[2] stride=1, int[2] padding=0, int[2] output_padding=0, int groups=1, int[2] dilation=1) -> Tensor',
  batchNorm:
    'aten::batch_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor? running_var, bool training, float momentum, float eps, bool cudnn_enabled) -> Tensor',
  relu: 'aten::relu(Tensor self) -> Tensor',
  relu_: 'aten::relu_(Tensor(a!) self) -> Tensor(a!)',
  leakyRelu: 'aten::leaky_relu(Tensor self, Scalar negative_slope=0.01) -> Tensor',
  leakyRelu_: 'aten::leaky_relu_(Tensor(a!) self, Scalar negative_slope=0.01) -> Tensor(a!)',
  hardtanh: 'aten::hardtanh(Tensor self, Scalar min_val=-1, Scalar max_val=1) -> Tensor',
  dropout: 'aten::dropout(Tensor input, float p, bool train) -> Tensor',
  maxPool2d:
    'aten::max_pool2d(Tensor self, int[2] kernel_size, int[2] stride=[], int[2] padding=0, int[2] dilation=1, bool ceil_mode=False) -> Tensor',
  avgPool2d:
    'aten::avg_pool2d(Tensor self, int[2] kernel_size, int[2] stride=[], int[2] padding=0, bool ceil_mode=False, bool count_include_pad=True, int? divisor_override=None) -> Tensor',
  adaptiveAvgPool2d: 'aten::adaptive_avg_pool2d(Tensor self, int[2] output_size) -> Tensor',
  adaptiveMaxPool2d: 'aten::adaptive_max_pool2d(Tensor self, int[2] output_size) -> (Tensor, Tensor)',
  upsampleNearest2d:
    'aten::upsample_nearest2d(Tensor self, int[2] output_size, float? scales_h=None, float? scales_w=None) -> Tensor',
  upsampleBilinear2d:
    'aten::upsample_bilinear2d(Tensor self, int[2] output_size, bool align_corners, float? scales_h=None, float? scales_w=None) -> Tensor',
  gridSampler2d:
    'aten::grid_sampler_2d(Tensor input, Tensor grid, int interpolation_mode, int padding_mode, bool align_corners) -> Tensor',
  affineGrid: 'aten::affine_grid_generator(Tensor theta, int[] size, bool align_corners) -> Tensor',
  im2col: 'aten::im2col(Tensor self, int[2] kernel_size, int[2] dilation, int[2] padding, int[2] stride) -> Tensor',
  softmax: 'aten::softmax.int(Tensor self, int dim, ScalarType? dtype=None) -> Tensor',
  logSoftmax: 'aten::log_softmax.int(Tensor self, int dim, ScalarType? dtype=None) -> Tensor',
  logSigmoid: 'aten::log_sigmoid(Tensor self) -> Tensor',

  // Losses
  crossEntropyLoss:
    'aten::cross_entropy_loss(Tensor self, Tensor target, Tensor? weight=None, int reduction=1, int ignore_index=-100, float label_smoothing=0.) -> Tensor',
  nllLoss:
    'aten::nll_loss_nd(Tensor self, Tensor target, Tensor? weight=None, int reduction=1, int ignore_index=-100) -> Tensor',
  klDiv: 'aten::kl_div(Tensor self, Tensor target, int reduction=1, *, bool log_target=False) -> Tensor',
  mseLoss: 'aten::mse_loss(Tensor self, Tensor target, int reduction=1) -> Tensor',
  l1Loss: 'aten::l1_loss(Tensor self, Tensor target, int reduction=1) -> Tensor',
  smoothL1Loss: 'aten::smooth_l1_loss(Tensor self, Tensor target, int reduction=1, float beta=1.) -> Tensor',
  cosineSimilarity: 'aten::cosine_similarity(Tensor x1, Tensor x2, int dim=1, float eps=1e-08) -> Tensor',

  // Many tensors in one call
  foreachAdd_: 'aten::_foreach_add_.List(Tensor(a!)[] self, Tensor[] other, *, Scalar alpha=1) -> ()',
  foreachMul_: 'aten::_foreach_mul_.Scalar(Tensor(a!)[] self, Scalar scalar) -> ()',
  foreachZero_: 'aten::_foreach_zero_(Tensor(a!)[] self) -> ()',
  foreachNorm: 'aten::_foreach_norm.Scalar(Tensor[] self, Scalar ord=2) -> Tensor[]',
  foreachAddcmul_:
    'aten::_foreach_addcmul_.Scalar(Tensor(a!)[] self, Tensor[] tensor1, Tensor[] tensor2, Scalar value=1) -> ()',
} as const;
