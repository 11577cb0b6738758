/** Each operator's ONNX form against libtorch, run by onnxruntime, on another batch than those that were traced. */
import { describe, expect, test } from 'vitest';
import { filler, fillModule } from '../../test/filler.ts';
import { ortModel, relativeDifference } from '../../test/onnx.ts';
import { BatchNorm2d, Conv2d, ConvTranspose2d, Linear, Module, parameter } from '../nn/index.ts';
import { cat, noGrad, ones, operator, ops, stack, type Tensor, tensor, tidy } from '../torch/index.ts';
import { exportedOperators, exportOnnx } from './index.ts';

/** Whatever is computed is summed up to ten "logits", each element with a weight of its own. */
class Net extends Module {
  readonly #fn: (images: Tensor, net: Net) => Tensor;
  readonly conv = new Conv2d(3, 6, 3, { padding: 1 });
  readonly norm = new BatchNorm2d(6);
  readonly up = new ConvTranspose2d(3, 4, 2, { stride: 2 });
  readonly fc = new Linear(8, 5);
  readonly slope = parameter(tensor([0.1, 0.2, 0.3]));
  readonly scale = parameter(tensor([0.5, 1.5, 0.7]));
  readonly shift = parameter(tensor([0.1, -0.2, 0.3]));
  constructor(fn: (images: Tensor, net: Net) => Tensor) {
    super();
    this.#fn = fn;
    fillModule(this);
  }
  forward(images: Tensor): Tensor {
    return tidy(() => {
      const made = this.#fn(images, this).to('float32');
      const flat = made.reshape([images.size(0), -1]);
      const weights = tensor(filler('weights', [flat.size(1), 10]), { shape: [flat.size(1), 10] });
      return flat.matmul(weights);
    });
  }
}

const size = 8;
const makeImages = (batch: number): Float32Array => filler('images', [batch, 3, size, size]);

async function difference(network: Module, batch = 3): Promise<number> {
  const model = await ortModel(exportOnnx(network, { imageSize: size }));
  const shape = [batch, 3, size, size];
  const values = makeImages(batch);
  const got = await model.run(values, shape);
  await model.release();
  const expected = tidy(() => noGrad(() => network.eval().forward(tensor(values, { shape })).data() as Float32Array));
  expect(got.shape).toEqual([batch, 10]);
  return relativeDifference(got.values, expected);
}

/** An operator that is not in the table of src/torch/ops.ts. */
const other = (name: string) => operator(name) as (...values: unknown[]) => Tensor;

const cases: Record<string, (x: Tensor, net: Net) => Tensor> = {
  'add, alpha': (x) => x.add(x.abs(), 0.5),
  'add scalar': (x) => x.add(2, 1.5),
  'sub, alpha': (x) => x.sub(x.abs(), 0.5),
  'sub scalar': (x) => x.sub(0.25),
  rsub: (x) => x.rsub(1),
  'rsub, alpha': (x) => ops.rsubScalar(x, 1, 0.3),
  'mul, div': (x) => x.mul(x).div(x.abs().add(1)).mul(3).div(7),
  'constant first': (x) => ones([1, 3, 1, 1]).mul(2).sub(x),
  'minimum, maximum': (x) => ops.minimum(x, x.neg().mul(2)).add(ops.maximum(x, x.mul(0.5))),
  pow: (x) => x.abs().add(1).pow(1.5).add(x.square()),
  'pow by a tensor': (x) => x.abs().add(1).pow(x.sigmoid()),
  'addcmul, lerp': (x) => ops.lerp(ops.addcmul(x, x, x.abs(), 0.5), x.neg(), 0.3),
  'exp, log, sqrt': (x) => x.exp().add(1).log().add(x.abs().sqrt()),
  'rsqrt, reciprocal': (x) => ops.rsqrt(x.abs().add(1)).add(ops.reciprocal(x.abs().add(2))),
  'expm1, log1p': (x) => ops.expm1(x).add(ops.log1p(x.abs())),
  'sin, cos, tanh, sigmoid': (x) => ops.sin(x).add(ops.cos(x)).add(ops.tanh(x)).add(x.sigmoid()),
  'sign, floor, ceil, round': (x) =>
    ops
      .sign(x)
      .add(x.mul(3).floor())
      .add(ops.ceil(x.mul(2)))
      .add(x.mul(4).round()),
  erf: (x) => other('aten::erf')(x),
  'relu6, hardswish, hardsigmoid': (x) =>
    other('aten::relu6')(x.mul(8))
      .add(other('aten::hardswish')(x.mul(4)))
      .add(other('aten::hardsigmoid')(x.mul(4))),
  gelu: (x) => other('aten::gelu')(x),
  'gelu, tanh': (x) => other('aten::gelu')(x, 'tanh'),
  'silu, mish': (x) => other('aten::silu')(x).add(other('aten::mish')(x)),
  elu: (x) => other('aten::elu')(x, 0.7),
  selu: (x) => other('aten::elu')(x, 1.6733, 1.0507, 1),
  'leaky relu, hardtanh': (x) => ops.leakyRelu(x, 0.2).add(ops.hardtanh(x, -0.5, 0.7)),
  prelu: (x, net) => other('aten::prelu')(x, net.slope),
  softplus: (x) =>
    ops
      .softplus(x)
      .add(ops.softplus(x, 2, 20))
      .add(ops.logSigmoid(x)),
  clamp: (x) => x.clamp(-0.5, 0.7).add(x.clamp(null, 0.3)).add(ops.clampMin(x, 0.1)),
  comparisons: (x) =>
    cat(
      [x.gt(0), x.ge(x.neg()), x.lt(0.3), x.le(0.1), x.eq(x), x.ne(0)].map((mask) => mask.to('float32')),
      1,
    ),
  'logic, where': (x) => {
    const mask = ops.logicalAnd(x.gt(0), ops.logicalOr(x.lt(0.5), ops.logicalNot(x.lt(1))));
    return ops.where(mask, x, x.mul(3)).add(x.maskedFill(mask, 0.25));
  },
  'sum, mean': (x) => cat([x.sum([2, 3]), x.mean([2, 3]), x.mean([1, 2, 3], true).flatten(1), x.sum(-1).sum(-1)], 1),
  'amax, amin, prod': (x) => cat([x.amax([2, 3]), x.amin([1, 2]), ops.prodDim(ops.prodDim(x.add(1.1), 3), 2)], 1),
  'var, std': (x) => cat([x.var([2, 3]), x.std([2, 3], { unbiased: false })], 1),
  norm: (x) => cat([x.norm({ dim: [2, 3] }), x.norm({ p: 1, dim: [1, 2] })], 1),
  'argmax, cumsum': (x) => x.argmax(1).to('float32').unsqueeze(1).add(ops.cumsum(x, 2)),
  softmax: (x) => ops.softmax(x, 1).add(ops.logSoftmax(x, -1)),
  logsumexp: (x) => ops.logsumexp(x, [2, 3]),
  'layer norm': (x) => other('aten::layer_norm')(x, [8, 8], null, null, 1e-5),
  'group norm': (x, net) => other('aten::group_norm')(net.conv.forward(x), 2, net.norm.weight, net.norm.bias, 1e-5),
  'group norm, instances': (x, net) => other('aten::group_norm')(x, 3, net.scale, net.shift, 1e-5),
  'view, flatten, squeeze': (x) =>
    x
      .view([x.size(0), 3, 64])
      .unsqueeze(2)
      .squeeze(2)
      .flatten(1),
  'view that mixes the batch': (x) => x.reshape([-1, 8]).mul(2),
  'view with the batch in the middle': (x) =>
    x
      .permute([1, 0, 2, 3])
      .reshape([3, x.size(0), 64])
      .permute([1, 0, 2]),
  'permute, transpose': (x) => x.permute([0, 2, 3, 1]).transpose(1, -1).relu(),
  expand: (x, net) =>
    net.scale
      .view([1, 3, 1, 1])
      .expand([x.size(0), 3, 8, 8])
      .mul(x)
      .add(x.mean([1], true).expand([-1, 3, -1, -1])),
  'a token for each image': (x, net) => cat([net.scale.view([1, 3, 1]).expand([x.size(0), 3, 1]), x.flatten(2)], 2),
  'stack, unbind': (x) =>
    stack(
      ops.unbind(x, 1).map((part, i) => part.mul(i + 1)),
      2,
    ),
  'chunk, split': (x) => cat([...x.chunk(2, 3).reverse(), ...x.split(3, 3)], 3),
  'narrow, slice, select': (x) =>
    cat([x.narrow(1, 1, 2), ops.slice(x, 1, -2, null, 1), x.select(1, -1).unsqueeze(1)], 1),
  'slice by steps': (x) => ops.slice(x, 3, 1, 7, 2),
  'index_select, gather': (x) => {
    const index = tensor([2, 0], { dtype: 'int64' });
    return cat([x.indexSelect(1, index), x.gather(3, ones([x.size(0), 2, 8, 8]).to('int64'))], 1);
  },
  'flip, repeat, pad': (x) => ops.constantPad(ops.repeat(x.flip([2, 3]), [1, 2, 1, 1]), [1, 2, 0, 3], 0.5),
  'channel shuffle': (x, net) => ops.channelShuffle(net.conv.forward(x), 3),
  'clone, contiguous, detach, to': (x) => x.clone().contiguous().detach().to('float64').mul(2).to('float32'),
  'copy into': (x) => ops.zerosLike(x).copy_(x.mul(2)),
  'ones like': (x) => x.add(ops.onesLike(x)).sub(ops.fullLike(x, 0.5)),
  'in place': (x) => x.mul(2).add_(x).relu_().mul_(0.5).sub_(x).div_(3).clamp(-1, 1),
  'in place on a view of its own': (x) => x.mul(2).flatten(1).relu_(),
  'convolution, strided, dilated, in groups': (x) => {
    const weight = tensor(filler('w', [6, 1, 3, 3]), { shape: [6, 1, 3, 3] });
    return ops.conv2d(x, weight, null, [2, 1], [1, 2], [1, 2], 3);
  },
  'convolution and batch norm': (x, net) => net.norm.forwardRelu(net.conv.forward(x)),
  'batch norm read twice': (x, net) => {
    const maps = net.conv.forward(x);
    return net.norm.forward(maps).add(maps);
  },
  'batch norm without convolution': (x, net) => net.norm.forward(cat([x, x.neg()], 1)),
  'transposed convolution': (x, net) => net.up.forward(x),
  'linear of a vector': (x, net) => net.fc.forward(x.mean([1, 2])),
  'linear of maps': (x, net) => net.fc.forward(x),
  'matrix products': (x) => {
    const rows = x.flatten(2);
    return ops.bmm(rows, rows.transpose(1, 2)).add(rows.matmul(rows.transpose(1, 2)));
  },
  'addmm, mm, t': (x, net) => {
    const v = x.mean([1, 2]);
    return ops.addmm(net.fc.bias!, v, net.fc.weight.t(), 0.5, 2).add(ops.mm(v, net.fc.weight.t()));
  },
  einsum: (x) => ops.einsum('bchw,bdhw->bcd', [x, x.abs()]),
  'max pool': (x) => ops.maxPool2d(x, 3, 2, 1),
  'max pool, rounded up': (x) => ops.maxPool2d(x, 3, 2, 0, 1, true),
  'average pool': (x) => ops.avgPool2d(x, 3, 2, 1),
  'average pool, pads not counted': (x) => ops.avgPool2d(x, 3, 2, 1, false, false),
  'average pool, own divisor': (x) => ops.avgPool2d(x, 2, [], 0, false, true, 3),
  'adaptive pool to 1': (x) => ops.adaptiveAvgPool2d(x, [1, 1]),
  'adaptive pool, even': (x) => ops.adaptiveAvgPool2d(x, [4, 2]),
  'adaptive pool, windows of several sizes': (x) => ops.adaptiveAvgPool2d(x, [3, 5]),
  'adaptive max pool': (x) => ops.adaptiveMaxPool2d(x, [2, 4])[0],
  nearest: (x) => ops.upsampleNearest2d(x, [16, 20]),
  bilinear: (x) => ops.upsampleBilinear2d(x, [13, 16], false),
  'bilinear, corners': (x) => ops.upsampleBilinear2d(x, [13, 16], true),
  'dropout in eval mode': (x) => ops.dropout(x, 0.5, false),
  attention: (x) => {
    const tokens = x.flatten(2).transpose(1, 2);
    const scores = tokens.matmul(tokens.transpose(1, 2)).div(Math.sqrt(3));
    return ops.softmax(scores, -1).matmul(tokens);
  },
};

describe('an operator and its ONNX form agree', () => {
  test.each(Object.keys(cases))('%s', async (name) => {
    const network = new Net(cases[name]!);
    expect(await difference(network)).toBeLessThan(2e-6);
    network.dispose();
  });

  test('one image, and many', async () => {
    const network = new Net((x, net) => net.norm.forwardRelu(net.conv.forward(x)));
    expect(await difference(network, 1)).toBeLessThan(2e-6);
    expect(await difference(network, 65)).toBeLessThan(2e-6);
    network.dispose();
  });
});

test('names are those of libtorch', () => {
  for (const name of exportedOperators) expect(operator(name, { unchecked: true }).schema).toContain(name);
});
