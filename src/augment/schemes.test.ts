import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { batchView, drawContext } from '../../test/augment.ts';
import { expectNoLeak } from '../../test/torch.ts';
import { UserError } from '../base/errors.ts';
import { datasetInfo, defineDataset } from '../data/index.ts';
import { getNumThreads, setNumThreads, tensor, tidy } from '../torch/index.ts';
import { parametersFromJson, parametersToJson } from './parameters.ts';
import { type DrawContext, type Parameters, schemeSettings } from './scheme.ts';
import { mixOf, paperAugmentations, schemeByName, schemeNames, schemes } from './schemes.ts';

const BATCH = 12;
const size = { height: 16, width: 12 };
const contextOf = (change: Partial<DrawContext> = {}): DrawContext =>
  drawContext(BATCH, { ...size, settings: { padding: 2, cutout: 4, policy: 'cifar10' }, ...change });
const view = (channelsLast = false): ReturnType<typeof batchView> =>
  batchView(BATCH, { size: size.height, width: size.width, channelsLast });

/** The part of each array that belongs to sample i, but for partners, which belong to the batch. */
function ofSample(parameters: Parameters, i: number, batch: number): unknown {
  return Object.entries(parameters)
    .filter(([name]) => name !== 'partner')
    .map(([name, value]) => {
      if (typeof value === 'number') return [name, value];
      const each = value.length / batch;
      expect(Number.isInteger(each)).toBe(true);
      return [name, Array.from(value.subarray(i * each, (i + 1) * each))];
    });
}

describe.each(schemes.map((scheme) => [scheme.name, scheme] as const))('%s', (name, scheme) => {
  const both = ['sample', 'batch'] as const;

  test('a draw is a function of the counters alone', () => {
    const counters = fc.record({
      seed: fc.nat(1000),
      epoch: fc.nat(300),
      step: fc.nat(1e6),
      round: fc.nat(3),
      draw: fc.constantFrom(...both),
    });
    fc.assert(
      fc.property(counters, (counter) => {
        const first = scheme.draw(contextOf(counter));
        schemes.forEach((other) => {
          other.draw(contextOf({ seed: 99 }));
        });
        expect(scheme.draw(contextOf(counter))).toEqual(first);
      }),
      { numRuns: 20 },
    );
  });

  if (name !== 'identity') {
    test.each([
      ['sample', 'seed'],
      ['sample', 'epoch'],
      ['sample', 'round'],
      ['batch', 'seed'],
      ['batch', 'step'],
      ['batch', 'round'],
    ] as const)('draw %s: another %s draws otherwise', (draw, counter) => {
      // One coin can fall twice on the same side: several values of the counter cannot all draw the same.
      const draws = [0, 1, 2, 3, 4, 5, 6, 7].map((value) => scheme.draw(contextOf({ draw, [counter]: value })));
      expect(new Set(draws.map((one) => JSON.stringify(parametersToJson(one)))).size).toBeGreaterThan(1);
    });
  }

  test("a sample's draw does not depend on its batch", () => {
    const whole = scheme.draw(contextOf());
    const order = [7, 2, 11, 5];
    const index = Int32Array.from(order, (i) => contextOf().index[i]!);
    // Another step, too: it is the epoch and the sample that count.
    const part = scheme.draw(contextOf({ index, step: 3 }));
    for (const [at, i] of order.entries()) {
      expect(ofSample(part, at, order.length)).toEqual(ofSample(whole, i, BATCH));
    }
  });

  test('draw batch: every sample has the same parameters, and applying them is applying each alone', () => {
    const parameters = scheme.draw(contextOf({ draw: 'batch' }));
    for (let i = 1; i < BATCH; i++) expect(ofSample(parameters, i, BATCH)).toEqual(ofSample(parameters, 0, BATCH));
    tidy(() => {
      const batch = view();
      const made = scheme.apply(batch, parameters);
      if (scheme.mixes) return;
      // Through other batches: reversed, each image must come out the same.
      const reversed = { ...batch, images: batch.images.flip([0]), x: batch.x.flip([0]) };
      expect(scheme.apply(reversed, parameters).flip([0]).data()).toEqual(made.data());
    });
  });

  test('the same parameters make the same pixels, also after a trip through JSON', () => {
    for (const draw of both) {
      const parameters = scheme.draw(contextOf({ draw }));
      const replayed = parametersFromJson(JSON.parse(JSON.stringify(parametersToJson(parameters))));
      expect(replayed).toEqual(parameters);
      tidy(() => expect(scheme.apply(view(), replayed).data()).toEqual(scheme.apply(view(), parameters).data()));
    }
  });

  test('shape, dtype and layout are those of x, whose memory is neither shared nor written to', () => {
    for (const channelsLast of [false, true]) {
      tidy(() => {
        const batch = view(channelsLast);
        const before = [batch.images.data(), batch.x.data()];
        const made = scheme.apply(batch, scheme.draw(contextOf()));
        expect([made.shape, made.dtype, made.device]).toEqual([batch.x.shape, 'float32', 'cpu']);
        expect(made.isContiguous(channelsLast ? 'channelsLast' : 'contiguous')).toBe(true);
        expect(made.sharesStorage(batch.x)).toBe(false);
        expect([batch.images.data(), batch.x.data()]).toEqual(before);
      });
    }
  });

  test('both layouts hold the same pixels, on any number of threads; nothing is left behind', () => {
    const parameters = scheme.draw(contextOf());
    const [batch, last] = [view(), view(true)];
    const threads = getNumThreads();
    const pixels = (from: typeof batch): unknown => tidy(() => scheme.apply(from, parameters).data());
    try {
      setNumThreads(1);
      const expected = pixels(batch);
      expect(pixels(last)).toEqual(expected);
      setNumThreads(3);
      expect(pixels(batch)).toEqual(expected);
      expect(pixels(last)).toEqual(expected);
      expectNoLeak(() => scheme.apply(batch, parameters).dispose());
    } finally {
      setNumThreads(threads);
      for (const one of [batch.images, batch.x, last.images, last.x]) one.dispose();
    }
  });

  test('mixing schemes say how, the others do not mix', () => {
    const parameters = scheme.draw(contextOf());
    const mix = mixOf(scheme, parameters);
    expect(mix !== null).toBe(scheme.mixes);
    expect(scheme.mixes).toBe(['mixup', 'cutmix', 'patchmix'].includes(name));
    if (!mix) return;
    expect(Array.from(mix.partner).sort((a, b) => a - b)).toEqual([...Array(BATCH).keys()]);
    expect(mix.lambda.length).toBe(BATCH);
    expect(mix.lambda.every((lambda) => lambda >= 0 && lambda <= 1)).toBe(true);
    // Partners are the batch's, drawn by the step.
    expect(scheme.draw(contextOf({ draw: 'batch' })).partner).toEqual(mix.partner);
    expect(scheme.draw(contextOf({ epoch: 1 })).partner).toEqual(mix.partner);
    expect(scheme.draw(contextOf({ step: 1 })).partner).not.toEqual(mix.partner);
    expect(scheme.draw(contextOf({ round: 1 })).partner).not.toEqual(mix.partner);
  });

  test('the mean pixel of x is lambda of its own image and the rest of its partner', () => {
    const mix = mixOf(scheme, scheme.draw(contextOf()));
    if (!mix) return;
    // Images of one value each: the result's mean is the mix that hard labels are given.
    tidy(() => {
      const batch = view();
      const levels = tensor(
        Float32Array.from({ length: BATCH }, (_, i) => i),
        { shape: [BATCH, 1, 1, 1] },
      );
      const flat = batch.x.mul(0).add(levels);
      const made = scheme.apply({ ...batch, x: flat }, scheme.draw(contextOf()));
      const expected = Array.from(mix.lambda, (lambda, i) => lambda * i + (1 - lambda) * mix.partner[i]!);
      expect(made.mean([1, 2, 3])).toBeAllclose(expected, { rtol: 1e-5, atol: 1e-5 });
    });
  });
});

describe('the registry', () => {
  test('has the names of the command line, in order', () => {
    expect(schemeNames).toEqual([
      'identity',
      'flip',
      'crop+flip',
      'cutout',
      'autoaugment',
      'mixup',
      'cutmix',
      'randaugment',
      'trivialaugment',
      'random-erasing',
      'patchmix',
    ]);
    for (const name of schemeNames) expect(schemeByName(name).name).toBe(name);
  });

  test('names the nearest of an unknown one', () => {
    expect(() => schemeByName('cutmx')).toThrow(UserError);
    expect(() => schemeByName('cutmx')).toThrow("unknown augmentation 'cutmx'; did you mean 'cutmix'?");
    expect(() => schemeByName('Random_Erasing')).toThrow("did you mean 'random-erasing'?");
    expect(() => schemeByName('quantum')).toThrow("unknown augmentation 'quantum'");
  });

  test('lists the nine augmentations of the paper', () => {
    expect(paperAugmentations.length).toBe(9);
    for (const { scheme } of paperAugmentations) expect(schemeNames).toContain(scheme);
    expect(paperAugmentations.filter(({ pick }) => pick).map(({ scheme }) => scheme)).toEqual(['cutmix', 'cutmix']);
  });
});

describe('the batch of one', () => {
  const alone = drawContext(1);
  test.each(['cutmix', 'patchmix'])('is an error of %s that says so', (name) => {
    expect(() => schemeByName(name).draw(alone)).toThrow(UserError);
    expect(() => schemeByName(name).draw(alone)).toThrow(
      `${name} mixes each image with another of its batch, and this batch has 1`,
    );
  });
  test('is mixed with itself by mixup, and left to the others', () => {
    for (const scheme of schemes.filter(({ name }) => name !== 'cutmix' && name !== 'patchmix')) {
      tidy(() => {
        const batch = batchView(1, { size: 32 });
        const made = scheme.apply(batch, scheme.draw(alone));
        expect(made.shape).toEqual([1, 3, 32, 32]);
        if (scheme.name === 'mixup') expect(made).toBeAllclose(batch.x);
      });
    }
  });
});

test('settings by dataset are those of the paper', () => {
  expect(schemeSettings(datasetInfo('cifar100'))).toEqual({ padding: 4, cutout: 8, policy: 'cifar10' });
  expect(schemeSettings(datasetInfo('cifar10'))).toEqual({ padding: 4, cutout: 16, policy: 'cifar10' });
  expect(schemeSettings(datasetInfo('mnist'))).toEqual({ padding: 4, cutout: 8, policy: 'imagenet' });
  // Of a size alone: an eighth and a quarter, as in the paper at 64 and 224 pixels; and no policy that nobody named.
  const sized = (size: number) =>
    defineDataset({
      name: 'sized',
      classNames: ['a', 'b'],
      size,
      mean: [0, 0, 0],
      std: [1, 1, 1],
      load: () => ({ images: new Uint8Array(0), labels: [] }),
    });
  expect(schemeSettings(sized(64))).toEqual({ padding: 8, cutout: 16, policy: undefined });
  expect(schemeSettings(sized(224))).toEqual({ padding: 28, cutout: 56, policy: undefined });
});
