import { beforeAll, describe, expect, test } from 'vitest';
import { filler, fillModule } from '../../test/filler.ts';
import { expectNoLeak } from '../../test/torch.ts';
import { createModel, type ImageModel } from '../models/index.ts';
import { noGrad, setNumThreads, type Tensor, tensor, tidy } from '../torch/index.ts';
import { Teacher } from './teacher.ts';

/** The data's, and what the teacher was trained with. */
const given = { mean: [0.1, 0.2, 0.3], std: [0.5, 0.25, 1] };
const own = { mean: [0.5, 0.4, 0.6], std: [0.3, 0.2, 0.4] };

const shape = [2, 3, 32, 32];
const pixels = Float64Array.from(filler('pixels', shape), (value) => (value + 1) / 2);

/** Pixels from 0 to 1 as a network takes them, worked out in float64. */
const normalized = ({ mean, std }: typeof given): Tensor =>
  tensor(
    Float32Array.from(pixels, (pixel, i) => {
      const channel = Math.floor(i / 1024) % 3;
      return (pixel - mean[channel]!) / std[channel]!;
    }),
    { shape },
  );

function network(name: string): ImageModel {
  const model = createModel(name, { classes: 7 });
  // Batch norm with statistics of its own: drawn networks have means of 0 and variances of 1, which fold to nothing.
  fillModule(model);
  return model.eval();
}

/** Greatest difference, as a share of the greatest value. */
const apart = (got: Tensor, expected: Tensor): number =>
  greatest(got.sub(expected).toFloat64Array()) / greatest(expected.toFloat64Array());
const greatest = (values: Float64Array): number => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

beforeAll(() => setNumThreads(1));

describe.each(['resnet8', 'wrn_16_1', 'vgg8', 'MobileNetV2', 'ShuffleV1', 'ShuffleV2'])('%s', (name) => {
  test.each([false, true])('its taps are those of the network with its batch norm, preact %s', (preact) => {
    tidy(() => {
      using plain = network(name);
      const expected = noGrad(() => plain.features(normalized(own), { preact }));
      const teacher = new Teacher(network(name), { normalization: own, inputNormalization: given, precision: 'fp32' });
      try {
        const images = normalized(given);
        const { logits, taps } = teacher.features(images, { preact });
        expect(taps.map((tap) => tap.shape)).toEqual(expected.taps.map((tap) => tap.shape));
        for (const [i, tap] of taps.entries()) {
          expect(apart(tap, expected.taps[i]!), `tap ${i}`).toBeLessThan(2e-4);
          expect(tap.requiresGrad).toBe(false);
        }
        expect(apart(logits, expected.logits)).toBeLessThan(2e-4);
        expect(apart(teacher.logits(images), logits)).toBeLessThan(1e-6);
        // What preact asks for is seen: some stage has values below 0, which a ReLU would have taken.
        if (preact) expect(taps.slice(1, -1).some((tap) => tap.toFloat64Array().some((value) => value < 0))).toBe(true);
      } finally {
        teacher.dispose();
      }
    });
  });
});

test('a pass with taps leaves nothing behind but what it returns', () => {
  tidy(() => {
    const teacher = new Teacher(network('resnet8'), {
      normalization: own,
      inputNormalization: given,
      precision: 'fp32',
    });
    const images = normalized(given);
    expectNoLeak(() =>
      tidy(() => {
        teacher.features(images, { preact: true });
        teacher.logits(images);
      }),
    );
    teacher.dispose();
  });
});
