import { describe, expect, test } from 'vitest';
import { expectNoLeak } from '../../test/torch.ts';
import { Conv2d, ConvTranspose2d, Linear, Module, Sequential } from '../nn/index.ts';
import type { Tensor } from '../torch/index.ts';
import { createEmptyModel, createModel, modelNames, modelRow, modelTable, summary } from './index.ts';

/**
 * The paper's sizes (tables 6 to 8; architectures it has no entry for were counted the same way): weights and biases of
 * convolutions and linear layers for 100 classes, the same with batch norm, then for 200 classes; 10^9 FLOPs, two for a
 * multiply-add, at 32 and at 64 pixels.
 */
const paper: [name: string, weights: number, all: number, weights200: number, gflops32: number, gflops64?: number][] = [
  ['resnet8', 83_220, 83_892, 89_720, 0.025],
  ['resnet14', 179_988, 181_108, 186_488, 0.0533],
  ['resnet20', 276_756, 278_324, 283_256, 0.0816, 0.3265],
  ['resnet32', 470_292, 472_756, 476_792, 0.1383],
  ['resnet44', 663_828, 667_188, 670_328, 0.1949],
  ['resnet56', 857_364, 861_620, 863_864, 0.2515, 1.006],
  ['resnet110', 1_728_276, 1_736_564, 1_734_776, 0.5063],
  ['resnet8x4', 1_230_788, 1_233_540, 1_256_488, 0.3541, 1.4165],
  ['resnet32x4', 7_423_940, 7_433_860, 7_449_640, 2.1661, 8.6642],
  ['wrn_16_1', 179_988, 180_916, 186_488, 0.0533],
  ['wrn_16_2', 701_460, 703_284, 714_360, 0.2022, 0.8089],
  ['wrn_40_1', 567_060, 569_780, 573_560, 0.1666],
  ['wrn_40_2', 2_249_748, 2_255_156, 2_262_648, 0.6552, 2.6208],
  ['wrn_28_10', 36_518_932, 36_536_884, 36_583_032, 10.4868],
  ['vgg8', 3_962_084, 3_965_028, 4_013_384, 0.1924, 0.5428],
  ['vgg11', 9_271_780, 9_277_284, 9_323_080, 0.4189],
  ['vgg13', 9_456_292, 9_462_180, 9_507_592, 0.5699, 1.8263],
  ['vgg16', 14_765_988, 14_774_436, 14_817_288, 0.7964],
  ['vgg19', 20_075_684, 20_086_692, 20_126_984, 1.0229],
  ['ResNet18', 11_210_532, 11_220_132, 11_261_832, 1.1109],
  ['ResNet50', 23_652_132, 23_705_252, 23_857_032, 2.596, 10.3833],
  // The paper's own FLOPs of these two are too low: its counter divides by the groups twice. These are the right ones.
  ['MobileNetV2', 794_468, 812_836, 922_568, 0.013, 0.0517],
  ['ShuffleV1', 925_522, 949_258, 1_021_622, 0.0774],
  ['ShuffleV2', 1_339_348, 1_355_528, 1_441_848, 0.089, 0.3556],
];
/** FLOPs are printed with four digits after the point. */
const rounding = 0.00005000001;

test('sizes of 32-pixel images and 100 classes are the paper’s', () => {
  const rows = [
    ...modelTable(
      32,
      100,
      paper.map(([name]) => name),
    ),
  ];
  for (const [i, [name, weights, all, , gflops]] of paper.entries()) {
    expect(rows[i]).toMatchObject({ name, weightParameters: weights, parameters: all });
    expect(Math.abs((2 * rows[i]!.multiplyAdds) / 1e9 - gflops), name).toBeLessThanOrEqual(rounding);
  }
});

test('sizes of 64-pixel images and 200 classes are the paper’s', () => {
  const at64 = paper.filter(([, , , , , gflops]) => gflops !== undefined);
  const rows = [
    ...modelTable(
      64,
      200,
      at64.map(([name]) => name),
    ),
  ];
  for (const [i, [name, , , weights, , gflops]] of at64.entries()) {
    expect(rows[i]).toMatchObject({ name, weightParameters: weights });
    expect(Math.abs((2 * rows[i]!.multiplyAdds) / 1e9 - gflops!), name).toBeLessThanOrEqual(rounding);
  }
});

test.each(paper.filter(([, , , , , gflops]) => gflops === undefined))(
  '%s for 200 classes',
  (name, weights, all, more) => {
    using model = createEmptyModel(name, { classes: 200 });
    expect(model.parameterCount()).toBe(more + (all - weights));
  },
);

// torchvision's own counts, batch norm included, for 1000 classes.
test.each([
  ['resnet18', 11_689_512, 11_679_912, 3.6281],
  ['resnet34', 21_797_672, 21_780_648, 7.3275],
  ['resnet50', 25_557_032, 25_503_912, undefined],
] as const)('%s at 224 pixels', (name, all, weights, gflops) => {
  using model = createEmptyModel(name, { classes: 1000 });
  expect(model.parameterCount()).toBe(all);
  if (!gflops) return;
  const found = summary(model, { imageSize: 224 });
  expect(found.weightParameters).toBe(weights);
  expect(Math.abs((2 * found.multiplyAdds) / 1e9 - gflops)).toBeLessThanOrEqual(rounding);
});

test('the table has every model unless told, one at a time, and frees each', () => {
  expect(modelNames).toHaveLength(27);
  const names: string[] = [];
  expectNoLeak(() => {
    for (const row of modelTable(32, 5, ['resnet8', 'ShuffleV2'])) names.push(row.name);
  }, 1);
  expect(names.slice(0, 2)).toEqual(['resnet8', 'ShuffleV2']);
  expect(modelTable(32, 5).next().value).toMatchObject({
    name: 'resnet8',
    tapShapes: [[16, 32, 32], [16, 32, 32], [32, 16, 16], [64, 8, 8], [64]],
  });
});

describe('summary', () => {
  /** Counts small enough to check by hand. */
  class Net extends Module {
    readonly stem = new Conv2d(3, 8, 3, { stride: 2, padding: 1 });
    readonly grouped = new Conv2d(8, 4, 1, { groups: 2, bias: false });
    readonly up = new ConvTranspose2d(4, 2, 4, { stride: 2, padding: 1 });
    readonly head = new Sequential(new Linear(2, 5));
    forward(input: Tensor): Tensor {
      return this.head.forward(this.up.forward(this.grouped.forward(this.stem.forward(input))).mean([2, 3]));
    }
  }

  test('has a row for each layer in the order in which they run', () => {
    using net = new Net();
    const found = summary(net, { imageSize: 8 });
    expect(found.layers).toEqual([
      { path: 'stem', type: 'Conv2d', outputShape: [8, 4, 4], parameters: 8 * 27 + 8, multiplyAdds: 8 * 16 * 27 },
      { path: 'grouped', type: 'Conv2d', outputShape: [4, 4, 4], parameters: 4 * 4, multiplyAdds: 4 * 16 * 4 },
      // Each of 4 x 4 inputs of 4 channels goes into a 4 x 4 patch of 2 channels.
      {
        path: 'up',
        type: 'ConvTranspose2d',
        outputShape: [2, 8, 8],
        parameters: 4 * 2 * 16 + 2,
        multiplyAdds: 4 * 16 * 2 * 16,
      },
      { path: 'head.0', type: 'Linear', outputShape: [5], parameters: 15, multiplyAdds: 10 },
    ]);
    expect(found.multiplyAdds).toBe(found.layers.reduce((sum, layer) => sum + layer.multiplyAdds, 0));
    expect(found.parameters).toBe(net.parameterCount());
    expect(found.weightParameters).toBe(net.parameterCount());
  });

  test('parameters of the rows add up, and batch norm is no weight', () => {
    using model = createModel('MobileNetV2', { classes: 10 });
    const found = summary(model, { imageSize: 32 });
    expect(found.layers.reduce((sum, layer) => sum + layer.parameters, 0)).toBe(model.parameterCount());
    const norms = found.layers.filter((layer) => layer.type === 'BatchNorm2d');
    expect(found.parameters - found.weightParameters).toBe(norms.reduce((sum, layer) => sum + layer.parameters, 0));
  });

  test('changes nothing: modes, running statistics, memory', () => {
    using model = createModel('resnet8', { classes: 10 });
    model.getSubmodule('layer1').eval();
    const modes = () => [...model.namedModules()].map(([, module]) => module.training);
    const state = () => [...model.stateDict().values()].map((t) => t.toFloat64Array());
    const before = [modes(), state()];
    expectNoLeak(() => void summary(model, { imageSize: 32 }), 1);
    expect([modes(), state()]).toEqual(before);
  });

  test.each([0, 31.5, Number.NaN])('an image of %d pixels is refused', (imageSize) => {
    using model = createEmptyModel('resnet8', { classes: 10 });
    expect(() => summary(model, { imageSize })).toThrow(`the image size must be a positive integer, got ${imageSize}`);
  });

  test('VGG halves a fourth time at 64 pixels and at no other size, as in RepDistiller', () => {
    using model = createEmptyModel('vgg8', { classes: 10 });
    // By hand: three halvings before the fourth block; the fifth is as large as it but for 64 pixels.
    for (const [size, fifth] of [
      [32, 4],
      [64, 4],
      [96, 12],
      [128, 16],
    ] as const) {
      expect(modelRow('vgg8', model, size).tapShapes[4]).toEqual([512, fifth, fifth]);
    }
  });

  test('an image too small for the network says so, and leaves it usable', () => {
    using model = createEmptyModel('vgg8', { classes: 10 });
    expect(() => summary(model, { imageSize: 7 })).toThrow(
      /^VGG halves images three times; 7 x 7 pixels are too small/,
    );
    expect(summary(model, { imageSize: 8 }).layers.length).toBeGreaterThan(5);
    expect(model.training).toBe(true);
    expect(summary(model, { imageSize: 32 }).layers.length).toBeGreaterThan(5);
  });
});
