import { describe, expect, test } from 'vitest';
import { filler, fillModule } from '../../test/filler.ts';
import { ortModel, relativeDifference } from '../../test/onnx.ts';
import { expectNoLeak } from '../../test/torch.ts';
import { normalizeImages } from '../augment/index.ts';
import { decodeModel, type OnnxGraph } from '../formats/onnx-schema.ts';
import { createModel } from '../models/index.ts';
import { BatchNorm2d, Conv2d, Linear, Module } from '../nn/index.ts';
import { noGrad, ops, Tensor, tensor, tidy, zeros } from '../torch/index.ts';
import { native } from '../torch/native.ts';
import { exportOnnx } from './index.ts';

/** A network of one function, with a linear layer to be used or not. */
class Net extends Module {
  readonly #fn: (images: Tensor, fc: Linear) => Tensor;
  readonly fc = new Linear(3, 4);
  constructor(fn: (images: Tensor, fc: Linear) => Tensor) {
    super();
    this.#fn = fn;
    fillModule(this);
  }
  forward(images: Tensor): Tensor {
    return tidy(() => this.#fn(images, this.fc));
  }
}
const pooled = (images: Tensor): Tensor => images.mean([2, 3]);
const graphOf = (network: Module, options = {}): OnnxGraph =>
  decodeModel(exportOnnx(network, { imageSize: 8, ...options })).graph!;
const types = (graph: OnnxGraph): string[] => graph.node!.map((node) => node.op_type!);

describe('the file', () => {
  test('names its input, output and weights, and leaves the batch open', () => {
    const model = decodeModel(
      exportOnnx(new Net((x, fc) => fc.forward(pooled(x))), {
        imageSize: 8,
        metadata: { class_names: '["a"]' },
        producer: { name: 'thrive', version: '1.2.3' },
      }),
    );
    expect(model).toMatchObject({
      ir_version: 8,
      opset_import: [{ version: 17 }],
      producer_name: 'thrive',
      producer_version: '1.2.3',
      metadata_props: [{ key: 'class_names', value: '["a"]' }],
    });
    const dims = (port: NonNullable<OnnxGraph['input']>[number]) => port.type!.tensor_type!.shape!.dim;
    const { input, output, initializer } = model.graph!;
    expect([input![0]!.name, output![0]!.name]).toEqual(['images', 'logits']);
    expect(dims(input![0]!)).toEqual([{ dim_param: 'batch' }, { dim_value: 3 }, { dim_value: 8 }, { dim_value: 8 }]);
    expect(dims(output![0]!)).toEqual([{ dim_param: 'batch' }, { dim_value: 4 }]);
    expect(initializer!.map(({ name }) => name)).toEqual(['fc.weight', 'fc.bias']);
  });

  test('batch norm after a convolution is in its weights, and only there', () => {
    const network = createModel('resnet8', { classes: 10, seed: 1 });
    expect(types(graphOf(network))).not.toContain('BatchNormalization');
    // Batch norm before the convolution, and after a convolution whose output somebody else reads, stays.
    class Net2 extends Module {
      readonly conv = new Conv2d(3, 3, 1);
      readonly norm = new BatchNorm2d(3);
      forward(images: Tensor): Tensor {
        return tidy(() => {
          const maps = this.conv.forward(this.norm.forward(images));
          return this.norm.forward(maps).add(maps).mean([2, 3]);
        });
      }
    }
    expect(types(graphOf(new Net2())).filter((type) => type === 'BatchNormalization')).toHaveLength(2);
    network.dispose();
  });

  test('what the logits do not need is left out', () => {
    const graph = graphOf(
      new Net((x, fc) => {
        x.exp().sum();
        return fc.forward(pooled(x.detach()));
      }),
    );
    expect(types(graph)).toEqual(['ReduceMean', 'Gemm']);
  });

  test('one weight used twice is stored once', () => {
    const graph = graphOf(new Net((x, fc) => fc.forward(pooled(x)).add(fc.forward(pooled(x.relu())))));
    expect(graph.initializer!.map(({ name }) => name)).toEqual(['fc.weight', 'fc.bias']);
  });
});

test('the network is left as it was', () => {
  const network = createModel('resnet8', { classes: 10, seed: 1 }).train();
  const inner = network.getSubmodule('layer1.0.bn1');
  inner.training = false;
  const before = [...network.stateDict()].map(([name, value]) => [name, value.toFloat64Array()]);
  exportOnnx(network, { imageSize: 16 });
  expect([...network.stateDict()].map(([name, value]) => [name, value.toFloat64Array()])).toEqual(before);
  expect([network.training, inner.training, network.getSubmodule('layer1.0.conv1').training]).toEqual([
    true,
    false,
    true,
  ]);
  expect(network.parameters().every((value) => value.requiresGrad)).toBe(true);
  expectNoLeak(() => exportOnnx(network, { imageSize: 16 }));
  network.dispose();
});

test('with the normalisation baked in it takes bytes as numbers, to the bit', async () => {
  const normalization = { mean: [0.5071, 0.4866, 0.4409], std: [0.2673, 0.2564, 0.2762] };
  // What comes out is the normalised image itself, [batch, 3 x 8 x 8].
  const network = new Net((x) => x.flatten(1));
  const model = await ortModel(exportOnnx(network, { imageSize: 8, normalize: normalization }));
  expect(model.inputs).toEqual(['pixels']);
  const bytes = Uint8Array.from({ length: 4 * 192 }, (_, i) => (i * 37) % 256);
  const got = await model.run(Float32Array.from(bytes), [4, 3, 8, 8]);
  const expected = tidy(() => normalizeImages(tensor(bytes, { shape: [4, 3, 8, 8] }), normalization).data());
  expect([...got.values]).toEqual([...(expected as Float32Array)]);
  await model.release();
});

describe('what cannot be exported is said', () => {
  const forward = (fn: (x: Tensor, fc: Linear) => Tensor) => () => exportOnnx(new Net(fn), { imageSize: 8 });

  test.each<[string, (x: Tensor, fc: Linear) => Tensor, RegExp]>([
    [
      'an operator without an ONNX form',
      (x) => ops.roll(pooled(x), 1, 1),
      /uses aten::roll, which has no ONNX form here/,
    ],
    [
      'a value read into JavaScript',
      (x) => pooled(x).mul(x.amax().item()),
      /aten::mul.Scalar to ONNX: its 'other' depends on the images/,
    ],
    [
      'values made into a tensor',
      (x) => pooled(x).mul(tensor(pooled(x).narrow(0, 0, 1).toArray())),
      /aten::mul.Tensor is given as 'other' a tensor \[1, 3\] that is another/,
    ],
    [
      'steps that depend on the batch',
      (x) => (x.size(0) > 3 ? pooled(x).relu() : pooled(x)),
      /its steps depend on the images or on the size of the batch/,
    ],
    [
      'half of the batch',
      (x) => pooled(x).narrow(0, 0, Math.ceil(x.size(0) / 2)),
      /'result' of aten::narrow has a size of 1 for 2 images and 3 for 5/,
    ],
    ['a mean over the batch', (x) => pooled(x).mean(0), /its output is \[3\], not logits/],
    ['maps', (x) => x, /its output is \[batch, 3, 8, 8\], not logits/],
    ['a constant', () => zeros([2, 3]), /its output is not computed from the images/],
    ['no tensor', () => [1, 2] as unknown as Tensor, /its output is no tensor/],
    [
      'memory overwritten behind a view',
      (x) => {
        const y = x.mul(2);
        y.flatten(1).relu_();
        return pooled(y);
      },
      /aten::relu_ wrote into memory that another tensor shares, which aten::mean.dim reads/,
    ],
    ['dropping', (x) => ops.dropout(pooled(x), 0.5, true), /aten::dropout to ONNX: it drops/],
    ['a norm of order 3', (x) => x.norm({ p: 3, dim: [2, 3] }), /only the norms 1 and 2/],
  ])('%s', (_name, fn, message) => {
    expect(forward(fn)).toThrow(message);
  });

  test('a kernel of the addon, which is no operator: its output is taken for a constant and found to be none', () => {
    const table = Float32Array.from({ length: 768 }, (_, i) => i);
    const hidden = (x: Tensor): Tensor =>
      Tensor.wrap(native().normalizeImages(x.mul(100).abs().to('uint8').handle, table, false));
    expect(forward((x) => pooled(x).add(pooled(hidden(x))))).toThrow(/that no operator makes from the images/);
  });

  test('nothing is left behind', () => {
    const network = new Net((x) => ops.svd(pooled(x), false)[0]);
    expectNoLeak(() => expect(() => exportOnnx(network, { imageSize: 8 })).toThrow());
    expect(network.training).toBe(true);
  });
});

test('a convolution used twice, once before batch norm', async () => {
  class Twice extends Module {
    readonly conv = new Conv2d(3, 3, 3, { padding: 1 });
    readonly norm = new BatchNorm2d(3);
    forward(images: Tensor): Tensor {
      return tidy(() => this.norm.forward(this.conv.forward(images)).add(this.conv.forward(images.relu())).flatten(1));
    }
  }
  const network = fillModule(new Twice()).eval();
  const model = await ortModel(exportOnnx(network, { imageSize: 8 }));
  const values = filler('x', [2, 3, 8, 8]);
  const got = await model.run(values, [2, 3, 8, 8]);
  const expected = tidy(() => noGrad(() => network.forward(tensor(values, { shape: [2, 3, 8, 8] })).data()));
  expect(relativeDifference(got.values, expected as Float32Array)).toBeLessThan(1e-6);
  await model.release();
});
