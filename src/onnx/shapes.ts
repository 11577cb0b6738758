/** @file Operators that move elements and compute nothing. */
import type { Size, Value } from './graph.ts';
import type { Lower, Lowering } from './lowering.ts';

/** Whatever has the same elements in the same order. */
const reshape: Lower = (c) => c.reshape(c.input(), c.value('self').shape, c.result.shape);

const convert =
  (argument = 'self'): Lower =>
  (c) =>
    c.cast(c.value(argument), c.dtype);

const transpose = (c: Lowering, order: readonly number[]): string => c.node('Transpose', [c.input()], { perm: order });

function swapped(rank: number, a: number, b: number): number[] {
  const order = Array.from({ length: rank }, (_, i) => i);
  [order[a], order[b]] = [order[b]!, order[a]!];
  return order;
}

const sameShape = (a: readonly Size[], b: readonly Size[]): boolean => JSON.stringify(a) === JSON.stringify(b);

const expand: Lower = (c) => {
  const from = c.value('self').shape;
  const to = c.result.shape;
  return sameShape(from, to) ? c.input() : c.node('Expand', [c.input(), c.graph.shape(to)]);
};

/** Pieces along a dimension, of the sizes the results have. */
const split: Lower = (c) => {
  const dim = c.dim('dim');
  const sizes = c.results.map(({ shape }) => c.fixed(shape[dim], 'the size of a piece'));
  return c.graph.nodes_('Split', [c.input(), c.graph.ints(sizes)], { axis: dim }, sizes.length);
};

const unbind: Lower = (c) => {
  const dim = c.dim('dim');
  const sizes = c.results.map(() => 1);
  const pieces = c.graph.nodes_('Split', [c.input(), c.graph.ints(sizes)], { axis: dim }, sizes.length);
  return pieces.map((piece) => c.node('Squeeze', [piece, c.graph.ints([dim])]));
};

function slice(c: Lowering, dim: number, start: number, end: number, step = 1): string {
  const { graph } = c;
  const inputs = [c.input(), graph.ints([start]), graph.ints([end]), graph.ints([dim]), graph.ints([step])];
  return c.node('Slice', inputs);
}

/** Larger than any size: up to the end. */
const toTheEnd = 2 ** 31 - 1;

const narrow: Lower = (c) => {
  const dim = c.dim('dim');
  const size = c.value('self').shape[dim];
  const start = c.number('start');
  const first = start < 0 ? start + c.fixed(size, 'the place it starts at') : start;
  return slice(c, dim, first, first + c.number('length'));
};

const flip: Lower = (c) => {
  const { graph } = c;
  const dims = c.dims('dims');
  const each = (value: number): string => graph.ints(dims.map(() => value));
  return c.node('Slice', [c.input(), each(-1), each(-toTheEnd), graph.ints(dims), each(-1)]);
};

const stack: Lower = (c) => {
  const values = c.list('tensors');
  const dim = c.axis(c.number('dim'), values[0]!.shape.length + 1);
  const parts = values.map((value) => c.node('Unsqueeze', [c.cast(value, c.dtype), c.graph.ints([dim])]));
  return c.node('Concat', parts, { axis: dim });
};

const tile: Lower = (c) => {
  const { shape } = c.value('self');
  const repeats = c.ints('repeats', shape.length);
  const wide: Size[] = [...repeats.slice(shape.length).map(() => 1), ...shape];
  return c.node('Tile', [c.reshape(c.input(), shape, wide), c.graph.ints(repeats)]);
};

/** PyTorch counts the pads from the last dimension, ONNX from the first. */
const pad: Lower = (c) => {
  const rank = c.value('self').shape.length;
  const given = c.ints('pad', 2);
  const pads = Array.from({ length: 2 * rank }, () => 0);
  for (let i = 0; i < given.length / 2; i++) {
    pads[rank - 1 - i] = given[2 * i]!;
    pads[2 * rank - 1 - i] = given[2 * i + 1]!;
  }
  return c.node('Pad', [c.input(), c.graph.ints(pads), c.scalar(c.number('value'))]);
};

/** [N, g n, H, W] to [N, g, n, H, W], its two parts of the channels swapped, and back. */
const channelShuffle: Lower = (c) => {
  const { shape } = c.value('self');
  const groups = c.number('groups');
  const [batch, channels, ...rest] = shape as [Size, Size, ...Size[]];
  const inner = c.fixed(channels, 'the number of channels') / groups;
  const apart = c.reshape(c.input(), shape, [batch, groups, inner, ...rest]);
  const order = swapped(shape.length + 1, 1, 2);
  return c.reshape(c.node('Transpose', [apart], { perm: order }), [batch, inner, groups, ...rest], shape);
};

const copy: Lower = (c) => {
  const source: Value = c.value('src');
  const name = c.cast(source, c.dtype);
  return sameShape(source.shape, c.result.shape) ? name : c.node('Expand', [name, c.graph.shape(c.result.shape)]);
};

export const shapes: Readonly<Record<string, Lower>> = {
  'aten::view': reshape,
  'aten::reshape': reshape,
  'aten::_unsafe_view': reshape,
  'aten::view_as': reshape,
  'aten::reshape_as': reshape,
  'aten::flatten.using_ints': reshape,
  'aten::unflatten.int': reshape,
  'aten::unsqueeze': reshape,
  'aten::squeeze': reshape,
  'aten::squeeze.dim': reshape,
  'aten::permute': (c) => transpose(c, c.dims('dims')),
  'aten::transpose.int': (c) => transpose(c, swapped(c.value('self').shape.length, c.dim('dim0'), c.dim('dim1'))),
  'aten::t': (c) => (c.value('self').shape.length < 2 ? c.input() : transpose(c, [1, 0])),
  'aten::expand': expand,
  'aten::expand_as': expand,
  'aten::cat': (c) => {
    const values = c.list('tensors');
    return c.node(
      'Concat',
      values.map((value) => c.cast(value, c.dtype)),
      { axis: c.dim('dim', values[0]) },
    );
  },
  'aten::stack': stack,
  'aten::chunk': split,
  'aten::split.Tensor': split,
  'aten::split_with_sizes': split,
  'aten::unbind.int': unbind,
  'aten::narrow': narrow,
  'aten::slice.Tensor': (c) =>
    slice(
      c,
      c.dim('dim'),
      c.given('start') ? c.number('start') : 0,
      c.given('end') ? Math.min(c.number('end'), toTheEnd) : toTheEnd,
      c.number('step'),
    ),
  'aten::select.int': (c) =>
    c.node('Gather', [c.input(), c.graph.constant('int64', [c.number('index')], [])], { axis: c.dim('dim') }),
  'aten::index_select': (c) => c.node('Gather', [c.input(), c.input('index')], { axis: c.dim('dim') }),
  'aten::gather': (c) => c.node('GatherElements', [c.input(), c.input('index')], { axis: c.dim('dim') }),
  'aten::flip': flip,
  'aten::repeat': tile,
  'aten::constant_pad_nd': pad,
  'aten::channel_shuffle': channelShuffle,

  'aten::clone': convert(),
  'aten::contiguous': convert(),
  'aten::detach': convert(),
  'aten::alias': convert(),
  'aten::to.dtype': convert(),
  'aten::to.device': convert(),
  'aten::_to_copy': convert(),
  'aten::copy': copy,
  'aten::dropout': (c) => {
    if (c.bool('train')) throw c.cannot('it drops', 'put the network into eval mode');
    return c.input('input');
  },
  // Tensors of the shape of another, filled with one value.
  'aten::zeros_like': (c) => filledLike(c, 0),
  'aten::ones_like': (c) => filledLike(c, 1),
  'aten::full_like': (c) => filledLike(c, c.number('fill_value')),
};

function filledLike(c: Lowering, value: number): string {
  const { shape } = c.result;
  const one = c.scalar(value);
  return shape.length === 0 ? one : c.node('Expand', [one, c.graph.shape(shape)]);
}
