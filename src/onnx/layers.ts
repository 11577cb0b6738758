/** @file Convolutions, pools, products of matrices and what else is a layer of its own. */
import { float } from './builder.ts';
import type { Size } from './graph.ts';
import type { Lower, Lowering } from './lowering.ts';

/** `[top, left]` as ONNX has pads: begins, then ends. */
const around = ([y = 0, x = 0]: readonly number[]): number[] => [y, x, y, x];

const spatial = (c: Lowering, shape: readonly Size[]): [number, number] => [
  c.fixed(shape.at(-2), 'the height'),
  c.fixed(shape.at(-1), 'the width'),
];

const optionalInputs = (c: Lowering, argument: string): string[] => {
  const value = c.optional(argument);
  return value ? [c.name(value)] : [];
};

const conv: Lower = (c) => {
  const { shape } = c.value('weight');
  return c.node('Conv', [c.input('input'), c.input('weight'), ...optionalInputs(c, 'bias')], {
    kernel_shape: spatial(c, shape),
    strides: c.ints('stride', 2),
    pads: around(c.ints('padding', 2)),
    dilations: c.ints('dilation', 2),
    group: c.number('groups'),
  });
};

const convTranspose: Lower = (c) =>
  c.node('ConvTranspose', [c.input('input'), c.input('weight'), ...optionalInputs(c, 'bias')], {
    kernel_shape: spatial(c, c.value('weight').shape),
    strides: c.ints('stride', 2),
    pads: around(c.ints('padding', 2)),
    output_padding: c.ints('output_padding', 2),
    dilations: c.ints('dilation', 2),
    group: c.number('groups'),
  });

const batchNorm: Lower = (c) => {
  if (c.bool('training')) throw c.cannot("it uses the batch's statistics", 'put the network into eval mode');
  const channels = c.fixed(c.value('input').shape[1], 'the number of channels');
  const all = (argument: string, value: number): string => {
    const given = c.optional(argument);
    return given
      ? c.name(given)
      : c.graph.constant(
          'float32',
          Array.from({ length: channels }, () => value),
          [channels],
        );
  };
  if (!c.optional('running_mean')) throw c.cannot("it uses the batch's statistics");
  const inputs = [c.input('input'), all('weight', 1), all('bias', 0), c.input('running_mean'), c.input('running_var')];
  return c.node('BatchNormalization', inputs, { epsilon: float(c.number('eps')) });
};

/** One standardisation a group of channels and image, then a scale and a shift a channel. */
const groupNorm: Lower = (c) => {
  const { shape } = c.value('input');
  const groups = c.number('num_groups');
  const apart = c.reshape(c.input('input'), shape, [shape[0]!, groups, ...restOf(c, shape, groups)]);
  const ones = c.graph.constant(
    'float32',
    Array.from({ length: groups }, () => 1),
    [groups],
  );
  const zeros = c.graph.constant(
    'float32',
    Array.from({ length: groups }, () => 0),
    [groups],
  );
  const normal = c.node('InstanceNormalization', [apart, ones, zeros], { epsilon: float(c.number('eps')) });
  let value = c.reshape(normal, [shape[0]!, groups, ...restOf(c, shape, groups)], shape);
  for (const [argument, type] of [
    ['weight', 'Mul'],
    ['bias', 'Add'],
  ] as const) {
    const factor = c.optional(argument);
    const spread = shape.slice(2).map(() => 1);
    if (factor) value = c.node(type, [value, c.reshape(c.name(factor), factor.shape, [...factor.shape, ...spread])]);
  }
  return value;
};

const restOf = (c: Lowering, shape: readonly Size[], groups: number): Size[] => {
  const sizes = shape.slice(1).map((size) => c.fixed(size, 'a size of the map'));
  return [sizes.reduce((a, b) => a * b, 1) / groups];
};

const linear: Lower = (c) => {
  const x = c.value('input');
  const weight = c.input('weight');
  const bias = optionalInputs(c, 'bias');
  if (x.shape.length === 2) return c.node('Gemm', [c.name(x), weight, ...bias], { transB: 1 });
  const product = c.node('MatMul', [c.name(x), c.node('Transpose', [weight], { perm: [1, 0] })]);
  return bias.length > 0 ? c.node('Add', [product, bias[0]!]) : product;
};

const matmul =
  (other: string): Lower =>
  (c) =>
    c.node('MatMul', [c.input(), c.input(other)]);

/** Pools with windows: `stride` empty means as large as the window. */
function windows(c: Lowering): { kernel_shape: number[]; strides: number[]; pads: number[] } {
  const kernel = c.ints('kernel_size', 2);
  return {
    kernel_shape: kernel,
    strides: c.given('stride') ? c.ints('stride', 2) : kernel,
    pads: around(c.ints('padding', 2)),
  };
}

/** Does rounding up make the map larger than rounding down would? Where not, there is nothing to say. */
function roundsUp(c: Lowering, dilation: readonly number[]): boolean {
  if (!c.bool('ceil_mode')) return false;
  const { kernel_shape, strides, pads } = windows(c);
  const from = spatial(c, c.value('self').shape);
  const to = spatial(c, c.result.shape);
  return to.some((size, i) => {
    const reach = dilation[i]! * (kernel_shape[i]! - 1) + 1;
    return size !== Math.floor((from[i]! + 2 * pads[i]! - reach) / strides[i]!) + 1;
  });
}

const maxPool: Lower = (c) => {
  const dilations = c.ints('dilation', 2);
  const ceil = roundsUp(c, dilations);
  return c.node('MaxPool', [c.input()], { ...windows(c), dilations, ceil_mode: Number(ceil) });
};

const avgPool: Lower = (c) => {
  if (roundsUp(c, [1, 1])) throw c.cannot('windows that reach over the edge (ceil_mode) are not supported');
  const divisor = c.given('divisor_override') ? c.number('divisor_override') : null;
  const { kernel_shape } = windows(c);
  const include = divisor !== null || c.bool('count_include_pad');
  const pooled = c.node('AveragePool', [c.input()], { ...windows(c), count_include_pad: Number(include) });
  if (divisor === null) return pooled;
  return c.node('Mul', [pooled, c.scalar((kernel_shape[0]! * kernel_shape[1]!) / divisor)]);
};

/** The window a place of an adaptive pool looks at, after PyTorch: it need not be the same for all. */
const adaptiveWindow = (i: number, from: number, to: number): [number, number] => [
  Math.floor((i * from) / to),
  Math.ceil(((i + 1) * from) / to),
];

/** The mean over each of the windows as a matrix [from, to], row by row. */
function averages(from: number, to: number): number[] {
  return Array.from({ length: from * to }, (_, k) => {
    const [row, column] = [Math.floor(k / to), k % to];
    const [start, end] = adaptiveWindow(column, from, to);
    return row >= start && row < end ? 1 / (end - start) : 0;
  });
}

const adaptiveAvgPool: Lower = (c) => {
  const [height, width] = spatial(c, c.value('self').shape);
  const [high, wide] = spatial(c, c.result.shape);
  if (high === 1 && wide === 1) return c.node('GlobalAveragePool', [c.input()]);
  if (height % high === 0 && width % wide === 0) {
    const kernel = [height / high, width / wide];
    return c.node('AveragePool', [c.input()], { kernel_shape: kernel, strides: kernel });
  }
  // Windows of several sizes: a product with the means of the columns, and one with those of the rows.
  const columns = c.node('MatMul', [c.input(), c.graph.constant('float32', averages(width, wide), [width, wide])]);
  const rows = c.graph.constant('float32', averages(height, high), [height, high]);
  return c.node('MatMul', [c.node('Transpose', [rows], { perm: [1, 0] }), columns]);
};

const adaptiveMaxPool: Lower = (c) => {
  const [height, width] = spatial(c, c.value('self').shape);
  const [high, wide] = spatial(c, c.result.shape);
  if (height % high !== 0 || width % wide !== 0) {
    throw c.cannot(`windows of several sizes ([${height}, ${width}] to [${high}, ${wide}]) are not supported`);
  }
  const kernel = [height / high, width / wide];
  // Its second result, the places of the maxima, is not made: whoever reads it is told so.
  return [c.node('MaxPool', [c.input()], { kernel_shape: kernel, strides: kernel })];
};

function resize(c: Lowering, mode: 'nearest' | 'linear', places: string): string {
  if (c.given('scales_h') || c.given('scales_w')) throw c.cannot('give it a size, no scale');
  const attributes = {
    mode,
    coordinate_transformation_mode: places,
    ...(mode === 'nearest' ? { nearest_mode: 'floor' } : {}),
  };
  return c.node('Resize', [c.input(), '', '', c.graph.shape(c.result.shape)], attributes);
}

export const layers: Readonly<Record<string, Lower>> = {
  'aten::conv2d': conv,
  'aten::conv_transpose2d.input': convTranspose,
  'aten::batch_norm': batchNorm,
  'aten::group_norm': groupNorm,
  'aten::linear': linear,
  'aten::matmul': matmul('other'),
  'aten::mm': matmul('mat2'),
  'aten::bmm': matmul('mat2'),
  'aten::addmm': (c) =>
    c.node('Gemm', [c.input('mat1'), c.input('mat2'), c.input()], {
      alpha: float(c.number('alpha')),
      beta: float(c.number('beta')),
    }),
  'aten::einsum': (c) =>
    c.node(
      'Einsum',
      c.list('tensors').map((value) => c.name(value)),
      { equation: c.text('equation') },
    ),
  'aten::max_pool2d': maxPool,
  'aten::avg_pool2d': avgPool,
  'aten::adaptive_avg_pool2d': adaptiveAvgPool,
  'aten::adaptive_max_pool2d': adaptiveMaxPool,
  'aten::upsample_nearest2d': (c) => resize(c, 'nearest', 'asymmetric'),
  'aten::upsample_bilinear2d': (c) => resize(c, 'linear', c.bool('align_corners') ? 'align_corners' : 'half_pixel'),
};
