import { describe, expect, test } from 'vitest';
import { fillerTensor } from '../../test/filler.ts';
import { expectNoLeak } from '../../test/torch.ts';
import { createModel, modelNames } from '../models/index.ts';
import { cat, getNumThreads, noGrad, setNumThreads, type Tensor, tidy } from '../torch/index.ts';
import { foldBatchNorm } from './fold.ts';
import { compileForward } from './program.ts';

/** Several threads, as many as the machine has or not: slices are shared out all the same. */
const withThreads = (threads: number, fn: () => void): void => {
  const before = getNumThreads();
  setNumThreads(threads);
  try {
    fn();
  } finally {
    setNumThreads(before);
  }
};

describe('a network as a program', () => {
  // One of each family: what they are made of is all there is.
  test.each(['resnet20', 'resnet8x4', 'wrn_16_2', 'vgg8', 'MobileNetV2', 'ResNet18'])('%s: equal logits', (name) => {
    withThreads(2, () => {
      expectNoLeak(() => {
        const network = createModel(name, { classes: 10 });
        foldBatchNorm(network.freeze().eval());
        const program = compileForward((images) => network.forward(images), [3, 32, 32])!;
        expect(program).not.toBeNull();
        tidy(() =>
          noGrad(() => {
            // More than a slice a thread, the last one smaller; and one image alone.
            for (const count of [19, 1]) {
              const images = fillerTensor('input', [count, 3, 32, 32]);
              const expected = network.forward(images);
              const made = program.run(images);
              expect(made.shape).toEqual([count, 10]);
              expect(made).toBeAllclose(expected, {
                rtol: 1e-5,
                atol: 1e-5 * (expected.abs().amax().item() as number),
              });
            }
          }),
        );
        program.dispose();
        network.dispose();
      });
    });
  });

  test('every architecture either is one or says no', () => {
    const none = modelNames
      .filter((name) => /^(resnet|wrn|vgg|mobile)/i.test(name) && !/(110|28_10|50|34|32x4)/.test(name))
      .filter((name) => {
        const network = createModel(name, { classes: 10 });
        network.freeze().eval();
        const program = compileForward((images) => network.forward(images), [3, 32, 32]);
        program?.dispose();
        network.dispose();
        return program === null;
      });
    expect(none).toEqual([]);
  });

  test('weights are used as they are when it runs', () => {
    const network = createModel('resnet8', { classes: 10 }).freeze().eval();
    const program = compileForward((images) => network.forward(images), [3, 32, 32])!;
    tidy(() =>
      noGrad(() => {
        const images = fillerTensor('input', [8, 3, 32, 32]);
        const before = program.run(images);
        for (const { tensor: weight } of [...network.namedParameters()].map(([, tensor]) => ({ tensor })))
          weight.mul_(0);
        expect(program.run(images).abs().amax().item()).toBe(0);
        expect(before.abs().amax().item()).toBeGreaterThan(0);
      }),
    );
    program.dispose();
    network.dispose();
  });

  const shape = [3, 8, 8];
  test.each<[string, (images: Tensor) => Tensor]>([
    ['an output that depends on the neighbours', (x) => x.sub(x.mean([0], true)).flatten(1)],
    ['steps that depend on the size of the batch', (x) => x.reshape([x.size(0), -1])],
    ['a list of tensors', (x) => cat([x, x], 1)],
    ['an output that the images do not reach', (x) => x.data() && fillerTensor('other', [2, 3])],
  ])('%s is none', (_, forward) => {
    expectNoLeak(() => expect(compileForward(forward, shape)).toBeNull());
  });

  test('an error in a slice reaches the caller', () => {
    const program = compileForward((images) => images.flatten(1).relu(), shape)!;
    withThreads(2, () => {
      tidy(() => expect(() => program.run(fillerTensor('flat', [20]))).toThrow(/Dimension out of range/));
    });
    program.dispose();
  });

  test('the same bits whichever thread takes a slice', () => {
    const network = createModel('resnet8', { classes: 10 }).freeze().eval();
    const program = compileForward((images) => network.forward(images), [3, 32, 32])!;
    withThreads(2, () =>
      tidy(() => {
        const images = fillerTensor('input', [64, 3, 32, 32]);
        const first = program.run(images).data();
        for (let i = 0; i < 5; i++) expect(program.run(images).data()).toEqual(first);
      }),
    );
    program.dispose();
    network.dispose();
  });
});
