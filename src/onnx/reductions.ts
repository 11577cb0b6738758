/** @file Operators that put several elements into one. */
import { float } from './builder.ts';
import type { Lower, Lowering } from './lowering.ts';

const keepdim = (c: Lowering): number => (c.given('keepdim') ? Number(c.bool('keepdim')) : 0);

/** `ReduceMean` and its like, whose axes are an attribute at this opset. */
const reduced = (c: Lowering, type: string): string =>
  c.node(type, [c.cast(c.value('self'), c.dtype)], { axes: c.dims('dim'), keepdims: keepdim(c) });
const reduce =
  (type: string): Lower =>
  (c) =>
    reduced(c, type);

const sum: Lower = (c) =>
  c.node('ReduceSum', [c.cast(c.value('self'), c.dtype), c.graph.ints(c.dims('dim'))], { keepdims: keepdim(c) });

/** Mean of the squared distances from the mean, over n or n - 1. */
function variance(c: Lowering): string {
  const axes = c.dims('dim');
  const x = c.input();
  const center = c.node('ReduceMean', [x], { axes, keepdims: 1 });
  const distance = c.node('Sub', [x, center]);
  const mean = c.node('ReduceMean', [c.node('Mul', [distance, distance])], { axes, keepdims: keepdim(c) });
  if (!c.bool('unbiased')) return mean;
  const { shape } = c.value('self');
  const count = axes.reduce((product, axis) => product * c.fixed(shape[axis], 'the number of its elements'), 1);
  return c.node('Mul', [mean, c.scalar(count / (count - 1))]);
}

function norm(c: Lowering): string {
  const order = c.number('ord');
  if (order !== 1 && order !== 2) throw c.cannot(`only the norms 1 and 2 can be exported, not ${order}`);
  return reduced(c, order === 1 ? 'ReduceL1' : 'ReduceL2');
}

const argmax: Lower = (c) => {
  if (c.given('dim')) return c.node('ArgMax', [c.input()], { axis: c.dim('dim'), keepdims: keepdim(c) });
  const flat = c.node('Reshape', [c.input(), c.graph.ints([-1])]);
  return c.node('ArgMax', [flat], { axis: 0, keepdims: 0 });
};

const softmax =
  (type: string): Lower =>
  (c) =>
    c.node(type, [c.cast(c.value('self'), c.dtype)], { axis: c.dim('dim') });

export const reductions: Readonly<Record<string, Lower>> = {
  'aten::sum': sum,
  'aten::sum.dim_IntList': sum,
  'aten::mean': reduce('ReduceMean'),
  'aten::mean.dim': reduce('ReduceMean'),
  'aten::amax': reduce('ReduceMax'),
  'aten::amin': reduce('ReduceMin'),
  'aten::max': reduce('ReduceMax'),
  'aten::min': reduce('ReduceMin'),
  'aten::prod.dim_int': reduce('ReduceProd'),
  'aten::logsumexp': reduce('ReduceLogSumExp'),
  'aten::linalg_vector_norm': norm,
  'aten::var': variance,
  'aten::var.dim': variance,
  'aten::std': (c) => c.node('Sqrt', [variance(c)]),
  'aten::std.dim': (c) => c.node('Sqrt', [variance(c)]),
  'aten::argmax': argmax,
  'aten::cumsum': (c) =>
    c.node('CumSum', [c.cast(c.value('self'), c.dtype), c.graph.constant('int64', [c.dim('dim')], [])]),
  'aten::softmax.int': softmax('Softmax'),
  'aten::log_softmax.int': softmax('LogSoftmax'),
  'aten::layer_norm': (c) => {
    const x = c.value('input');
    const normalized = c.ints('normalized_shape');
    const weight = c.optional('weight');
    const bias = c.optional('bias');
    const count = normalized.reduce((a, b) => a * b, 1);
    const scale = weight
      ? c.name(weight)
      : c.graph.constant(
          'float32',
          Array.from({ length: count }, () => 1),
          normalized,
        );
    return c.node('LayerNormalization', [c.name(x), scale, ...(bias ? [c.name(bias)] : [])], {
      axis: x.shape.length - normalized.length,
      epsilon: float(c.number('eps')),
    });
  },
};
