/** @file Operators that work on each element by itself. */
import type { DType } from '../torch/index.ts';
import { isFloating } from '../torch/index.ts';
import { float } from './builder.ts';
import type { Lower, Lowering } from './lowering.ts';

/** `self` as the result's type. */
const self = (c: Lowering, argument = 'self'): string => c.cast(c.value(argument), c.dtype);

const unary =
  (type: string): Lower =>
  (c) =>
    c.node(type, [self(c)]);
const binary =
  (type: string): Lower =>
  (c) =>
    c.node(type, [self(c), self(c, 'other')]);
const scalar =
  (type: string, argument = 'other'): Lower =>
  (c) =>
    c.node(type, [self(c), c.scalar(c.number(argument))]);

/** `other` times `alpha`, as torch.add and torch.sub have it. */
function scaled(c: Lowering): string {
  const alpha = c.number('alpha');
  const other = self(c, 'other');
  return alpha === 1 ? other : c.node('Mul', [other, c.scalar(alpha)]);
}

/** The type two operands are compared in. */
const common = (a: DType, b: DType): DType => (isFloating(a) || !isFloating(b) ? a : b);

const compare =
  (type: string, negate = false): Lower =>
  (c) => {
    const [a, b] = [c.value('self'), c.optional('other')];
    const dtype = b ? common(a.dtype, b.dtype) : a.dtype;
    const other = b ? c.cast(b, dtype) : c.scalar(c.number('other'), dtype);
    const result = c.node(type, [c.cast(a, dtype), other]);
    return negate ? c.node('Not', [result]) : result;
  };

const logical =
  (type: string): Lower =>
  (c) =>
    c.node(type, [c.cast(c.value('self'), 'bool'), c.cast(c.value('other'), 'bool')]);

const clip =
  (least: string, most: string): Lower =>
  (c) => {
    const bound = (name: string): string => (name && c.given(name) ? c.scalar(c.number(name)) : '');
    return c.node('Clip', [self(c), bound(least), bound(most)]);
  };

/** 0.5 x (1 + erf(x / √2)), or the approximation by tanh. */
function gelu(c: Lowering): string {
  const x = self(c);
  const times = (a: string, b: string): string => c.node('Mul', [a, b]);
  const plus = (a: string, b: string): string => c.node('Add', [a, b]);
  const cube = (): string => times(times(times(x, x), x), c.scalar(0.044715));
  const inner =
    c.text('approximate') === 'tanh'
      ? c.node('Tanh', [times(plus(x, cube()), c.scalar(Math.sqrt(2 / Math.PI)))])
      : c.node('Erf', [times(x, c.scalar(Math.SQRT1_2))]);
  return times(times(x, c.scalar(0.5)), plus(inner, c.scalar(1)));
}

function elu(c: Lowering): string {
  if (c.number('scale') !== 1 || c.number('input_scale') !== 1) {
    const positive = c.node('Mul', [c.node('Relu', [self(c)]), c.scalar(c.number('scale'))]);
    const below = c.node('Clip', [c.node('Mul', [self(c), c.scalar(c.number('input_scale'))]), '', c.scalar(0)]);
    const curve = c.node('Sub', [c.node('Exp', [below]), c.scalar(1)]);
    return c.node('Add', [positive, c.node('Mul', [curve, c.scalar(c.number('alpha') * c.number('scale'))])]);
  }
  return c.node('Elu', [self(c)], { alpha: float(c.number('alpha')) });
}

function softplus(c: Lowering): string {
  const beta = c.number('beta');
  if (beta === 1) return c.node('Softplus', [self(c)]);
  return c.node('Div', [c.node('Softplus', [c.node('Mul', [self(c), c.scalar(beta)])]), c.scalar(beta)]);
}

export const pointwise: Readonly<Record<string, Lower>> = {
  'aten::add.Tensor': (c) => c.node('Add', [self(c), scaled(c)]),
  'aten::add.Scalar': (c) => c.node('Add', [self(c), c.scalar(c.number('other') * c.number('alpha'))]),
  'aten::sub.Tensor': (c) => c.node('Sub', [self(c), scaled(c)]),
  'aten::sub.Scalar': (c) => c.node('Sub', [self(c), c.scalar(c.number('other') * c.number('alpha'))]),
  'aten::rsub.Scalar': (c) => {
    const alpha = c.number('alpha');
    return c.node('Sub', [
      c.scalar(c.number('other')),
      alpha === 1 ? self(c) : c.node('Mul', [self(c), c.scalar(alpha)]),
    ]);
  },
  'aten::mul.Tensor': binary('Mul'),
  'aten::mul.Scalar': scalar('Mul'),
  'aten::div.Tensor': binary('Div'),
  'aten::div.Scalar': scalar('Div'),
  'aten::minimum': binary('Min'),
  'aten::maximum': binary('Max'),
  'aten::pow.Tensor_Scalar': (c) =>
    c.number('exponent') === 2 ? c.node('Mul', [self(c), self(c)]) : scalar('Pow', 'exponent')(c),
  'aten::pow.Tensor_Tensor': (c) => c.node('Pow', [self(c), self(c, 'exponent')]),
  'aten::addcmul': (c) => {
    const product = c.node('Mul', [self(c, 'tensor1'), self(c, 'tensor2')]);
    const value = c.number('value');
    return c.node('Add', [self(c), value === 1 ? product : c.node('Mul', [product, c.scalar(value)])]);
  },
  'aten::lerp.Scalar': (c) =>
    c.node('Add', [self(c), c.node('Mul', [c.node('Sub', [self(c, 'end'), self(c)]), c.scalar(c.number('weight'))])]),

  'aten::neg': unary('Neg'),
  'aten::abs': unary('Abs'),
  'aten::sign': unary('Sign'),
  'aten::exp': unary('Exp'),
  'aten::log': unary('Log'),
  'aten::sqrt': unary('Sqrt'),
  'aten::sin': unary('Sin'),
  'aten::cos': unary('Cos'),
  'aten::erf': unary('Erf'),
  'aten::floor': unary('Floor'),
  'aten::ceil': unary('Ceil'),
  'aten::round': unary('Round'),
  'aten::reciprocal': unary('Reciprocal'),
  'aten::square': (c) => c.node('Mul', [self(c), self(c)]),
  'aten::rsqrt': (c) => c.node('Reciprocal', [c.node('Sqrt', [self(c)])]),
  'aten::expm1': (c) => c.node('Sub', [c.node('Exp', [self(c)]), c.scalar(1)]),
  'aten::log1p': (c) => c.node('Log', [c.node('Add', [self(c), c.scalar(1)])]),

  'aten::relu': unary('Relu'),
  'aten::relu6': (c) => c.node('Clip', [self(c), c.scalar(0), c.scalar(6)]),
  'aten::leaky_relu': (c) => c.node('LeakyRelu', [self(c)], { alpha: float(c.number('negative_slope')) }),
  'aten::prelu': (c) => {
    const [x, weight] = [c.value('self'), c.value('weight')];
    // One slope a channel: to be spread over the dimensions after it.
    const spread = x.shape.slice(2).map(() => 1);
    return c.node('PRelu', [self(c), c.reshape(c.name(weight), weight.shape, [...weight.shape, ...spread])]);
  },
  'aten::elu': elu,
  'aten::gelu': gelu,
  'aten::silu': (c) => c.node('Mul', [self(c), c.node('Sigmoid', [self(c)])]),
  'aten::mish': (c) => c.node('Mul', [self(c), c.node('Tanh', [c.node('Softplus', [self(c)])])]),
  'aten::hardtanh': clip('min_val', 'max_val'),
  'aten::hardswish': unary('HardSwish'),
  'aten::hardsigmoid': (c) => c.node('HardSigmoid', [self(c)], { alpha: float(1 / 6), beta: float(0.5) }),
  'aten::sigmoid': unary('Sigmoid'),
  'aten::tanh': unary('Tanh'),
  'aten::softplus': softplus,
  'aten::log_sigmoid': (c) => c.node('Neg', [c.node('Softplus', [c.node('Neg', [self(c)])])]),
  'aten::clamp': clip('min', 'max'),
  'aten::clamp_min': clip('min', ''),
  'aten::clamp_max': clip('', 'max'),

  'aten::eq.Tensor': compare('Equal'),
  'aten::eq.Scalar': compare('Equal'),
  'aten::ne.Tensor': compare('Equal', true),
  'aten::ne.Scalar': compare('Equal', true),
  'aten::gt.Tensor': compare('Greater'),
  'aten::gt.Scalar': compare('Greater'),
  'aten::ge.Tensor': compare('GreaterOrEqual'),
  'aten::ge.Scalar': compare('GreaterOrEqual'),
  'aten::lt.Tensor': compare('Less'),
  'aten::lt.Scalar': compare('Less'),
  'aten::le.Tensor': compare('LessOrEqual'),
  'aten::le.Scalar': compare('LessOrEqual'),
  'aten::logical_and': logical('And'),
  'aten::logical_or': logical('Or'),
  'aten::logical_not': (c) => c.node('Not', [c.cast(c.value('self'), 'bool')]),
  'aten::isnan': (c) => c.node('IsNaN', [c.input()]),
  'aten::where.self': (c) => c.node('Where', [c.input('condition'), self(c), self(c, 'other')]),
  'aten::masked_fill.Scalar': (c) => c.node('Where', [c.input('mask'), c.scalar(c.number('value')), self(c)]),
};
