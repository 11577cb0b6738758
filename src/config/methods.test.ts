import { describe, expect, test } from 'vitest';
import { smallTaps } from '../../test/losses.ts';
import { createLoss, lossDefinitions, lossNames } from '../distill/losses/index.ts';
import { Methods } from '../distill/methods.ts';
import { type ConfigInput, resolveConfig } from './config.ts';

const distill = (more: Partial<ConfigInput> = {}): ConfigInput => ({
  data: 'cifar100',
  model: 'resnet20',
  teacher: 'teacher.pth',
  ...more,
});
const weights = (more: Partial<ConfigInput>): unknown => {
  const { kd, methods } = resolveConfig(distill(more));
  return { gamma: kd.gamma, alpha: kd.alpha, methods: methods?.map(({ name, weight }) => [name, weight]) };
};

describe('weights of a recipe', () => {
  // RepDistiller's scripts: kd -r 0.1 -a 0.9; METHOD -a 0 -b BETA; METHOD + kd -a 1 -b BETA, all with gamma 1 unless said.
  test.each<[string, Partial<ConfigInput>, unknown]>([
    ['none named', {}, { gamma: 0.1, alpha: 0.9 }],
    ['kd', { methods: ['kd'] }, { gamma: 0.1, alpha: 0.9 }],
    ['crd', { methods: ['crd'] }, { gamma: 1, alpha: 0, methods: [['crd', 0.8]] }],
    ['crd+kd', { methods: ['crd', 'kd'] }, { gamma: 1, alpha: 1, methods: [['crd', 0.8]] }],
    ['a name of RepDistiller', { methods: ['attention'] }, { gamma: 1, alpha: 0, methods: [['at', 1000]] }],
    ['lskd', { methods: ['lskd'] }, { gamma: 0.1, alpha: 0, methods: [['lskd', 9]] }],
    [
      'at+sp+kd',
      { methods: ['at', 'sp', 'kd'] },
      {
        gamma: 1,
        alpha: 1,
        methods: [
          ['at', 1000],
          ['sp', 3000],
        ],
      },
    ],
    ['gamma is kept', { methods: ['crd'], kd: { gamma: 0.3 } }, { gamma: 0.3, alpha: 0, methods: [['crd', 0.8]] }],
    ['alpha is kept', { methods: ['crd'], kd: { alpha: 0.5 } }, { gamma: 1, alpha: 0.5, methods: [['crd', 0.8]] }],
    ["kd's weight is alpha", { methods: [{ name: 'kd', weight: 2 }] }, { gamma: 0.1, alpha: 2 }],
    ['a weight', { methods: [{ name: 'crd', weight: 2 }] }, { gamma: 1, alpha: 0, methods: [['crd', 2]] }],
  ])('%s', (_name, more, expected) => {
    expect(weights(more)).toEqual({ methods: undefined, ...(expected as object) });
  });

  test('resolved once more, every method stays as it is', () => {
    for (const name of lossNames) {
      const once = resolveConfig(distill({ methods: [name] }));
      expect(resolveConfig(once)).toEqual(once);
    }
  });

  test("options are filled in, and kd's temperature is the run's", () => {
    const { methods, kd } = resolveConfig(
      distill({
        methods: [
          { name: 'crd', options: { negatives: 64 } },
          { name: 'kd', options: { temperature: 2 } },
        ],
      }),
    );
    expect(methods![0]!.options).toEqual({ negatives: 64, temperature: 0.07, momentum: 0.5, dim: 128, mode: 'exact' });
    expect(kd.temperature).toBe(2);
  });
});

describe('what cannot be', () => {
  const strong = { scheme: 'cutmix' };
  test.each<[string, Partial<ConfigInput>, RegExp]>([
    ['an unknown method', { methods: ['crdd'] }, /unknown method 'crdd'; did you mean 'crd'\?/],
    ['an unknown option', { methods: [{ name: 'crd', options: { negativs: 1 } }] }, /did you mean 'negatives'\?/],
    [
      'a bad option',
      { methods: [{ name: 'crd', options: { momentum: 1 } }] },
      /momentum must be a number from 0 to below 1/,
    ],
    ['a method twice', { methods: ['at', 'attention'] }, /at is named twice/],
    ['a weight of 0', { methods: [{ name: 'at', weight: 0 }] }, /methods\.0\.weight \(--weight\): must be > 0, got 0/],
    ['a misspelt key', { methods: [{ name: 'at', wieght: 1 } as never] }, /did you mean 'methods\.0\.weight'\?/],
    ['crd on x′', { methods: [{ name: 'crd', on: 'both' }], strong }, /crd cannot act on x': its memory has one row/],
    [
      'both without a second view',
      { methods: [{ name: 'at', on: 'both' }] },
      /at is to act on x' too, and there is none/,
    ],
    ['kd on both', { methods: [{ name: 'kd', on: 'both' }], strong }, /kd's term on x' has its own weight/],
    ['two weights for kd', { methods: [{ name: 'kd', weight: 1 }], kd: { alpha: 2 } }, /are the same thing/],
    ['x′ without KL', { methods: ['crd'], strong }, /KL\(x'\) has weight 0/],
    [
      'labels mixed at no weight',
      { methods: ['crd'], strong: { ...strong, labels: 'mixed' } },
      /the term on x' has weight 0, as KL\(x\) has none/,
    ],
    [
      'labels mixed at no weight beside another loss on x′',
      { methods: [{ name: 'at', on: 'both' }], strong: { ...strong, labels: 'mixed', weight: 0 } },
      /--strong-weight 0: nothing would be learnt/,
    ],
    ['a first stage and nothing after it', { methods: ['ab'], kd: { gamma: 0 } }, /nothing to learn from after it/],
    ['a first stage on x′', { methods: [{ name: 'fsp', on: 'both' }, 'kd'], strong }, /fsp cannot act on x'/],
    [
      'a weight that would not count',
      { methods: [{ name: 'ab', weight: 3 }] },
      /ab acts before the run's own epochs alone and has no weight there/,
    ],
    [
      'two temperatures for kd',
      { methods: [{ name: 'kd', options: { temperature: 2 } }], kd: { temperature: 3 } },
      /kd has temperature 2 and --temperature 3/,
    ],
    ['no methods at all', { methods: [] }, /methods/],
    ['an ensemble of one', { ensemble: 'logits' }, /--ensemble is for several teachers/],
    ['one teacher and several', { teachers: [{ checkpoint: 'a' }, { checkpoint: 'b' }] }, /not both/],
  ])('%s', (_name, more, message) => {
    expect(() => resolveConfig(distill(more))).toThrow(message);
  });

  test('but x′ for a loss alone can, and a first stage before KL', () => {
    const both = resolveConfig(distill({ methods: [{ name: 'at', on: 'both' }], strong }));
    expect(both).toMatchObject({ kd: { alpha: 0 }, strong: { labels: 'teacher' } });
    const { kd } = resolveConfig(distill({ methods: ['ab', 'kd'], kd: { gamma: 0 } }));
    expect(kd).toMatchObject({ gamma: 0, alpha: 1 });
  });

  test('losses that say they act in a first stage alone do', () => {
    const sides = {
      student: { name: 's', taps: smallTaps([2, 3, 4]) },
      teacher: { name: 't', taps: smallTaps([2, 3, 4]) },
    };
    const context = { ...sides, classes: 5, samples: 10, batchSize: 5, seed: 0 };
    for (const { name, initOnly } of lossDefinitions) {
      const loss = createLoss(name, context);
      const methods = new Methods([{ loss, on: 'x' }], 0);
      expect([name, methods.actsOn('x')]).toEqual([name, !initOnly]);
      methods.dispose();
    }
  });

  test('a method in plain training', () => {
    expect(() => resolveConfig({ data: 'cifar100', model: 'resnet8', methods: ['at'] })).toThrow(
      /plain training has none/,
    );
  });
});
