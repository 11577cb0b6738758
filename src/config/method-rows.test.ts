import { describe, expect, test } from 'vitest';
import { smallTaps } from '../../test/losses.ts';
import { createLoss, lossDefinitions, lossNames } from '../distill/losses/index.ts';
import { Methods } from '../distill/methods.ts';
import { type ConfigInput, resolveConfig } from './config.ts';
import { readMethods, readOptions, readWeights } from './method-rows.ts';

const distill = (more: ConfigInput = {}): ConfigInput => ({
  data: 'cifar100',
  student: 'resnet20',
  teacher: 'teacher.pth',
  ...more,
});
const weights = (more: ConfigInput): unknown => {
  const { gamma, alpha, weight } = resolveConfig(distill(more));
  return { gamma, alpha, weight };
};

describe('weights of a recipe', () => {
  // RepDistiller's scripts: kd -r 0.1 -a 0.9; METHOD -a 0 -b BETA; METHOD + kd -a 1 -b BETA, all with gamma 1 unless said.
  test.each<[string, ConfigInput, unknown]>([
    ['none named', {}, { gamma: 0.1, alpha: 0.9 }],
    ['kd', { method: 'kd' }, { gamma: 0.1, alpha: 0.9 }],
    ['crd', { method: 'crd' }, { gamma: 1, weight: { crd: 0.8 } }],
    ['crd+kd', { method: ['crd', 'kd'] }, { gamma: 1, alpha: 1, weight: { crd: 0.8 } }],
    ['a name of RepDistiller', { method: 'attention' }, { gamma: 1, weight: { at: 1000 } }],
    ['lskd', { method: 'lskd' }, { gamma: 0.1, weight: { lskd: 9 } }],
    ['at+sp+kd', { method: 'at+sp+kd' }, { gamma: 1, alpha: 1, weight: { at: 1000, sp: 3000 } }],
    ['gamma is kept', { method: 'crd', gamma: 0.3 }, { gamma: 0.3, weight: { crd: 0.8 } }],
    ['alpha is kept', { method: 'crd+kd', alpha: 0.5 }, { gamma: 1, alpha: 0.5, weight: { crd: 0.8 } }],
    ["kd's weight is alpha", { weight: { kd: 2 } }, { gamma: 0.1, alpha: 2 }],
    ['a weight', { method: 'crd', weight: { contrast: 2 } }, { gamma: 1, weight: { crd: 2 } }],
  ])('%s', (_name, more, expected) => {
    expect(weights(more)).toEqual({ alpha: undefined, weight: {}, ...(expected as object) });
  });

  test('resolved once more, every method stays as it is', () => {
    for (const name of lossNames) {
      const once = resolveConfig(distill({ method: name }));
      expect(resolveConfig(once)).toEqual(once);
    }
  });

  test("options are filled in, and kd's temperature is the run's", () => {
    const { methodOption, temperature } = resolveConfig(
      distill({ method: 'crd+kd', methodOption: { crd: { negatives: 64 }, kd: { temperature: 2 } } }),
    );
    expect(methodOption).toEqual({
      crd: { negatives: 64, temperature: 0.07, momentum: 0.5, dim: 128, mode: 'exact' },
    });
    expect(temperature).toBe(2);
  });

  test('x′ for a loss alone can be, and a first stage before KL', () => {
    const both = resolveConfig(distill({ method: 'at@both', augment: 'cutmix' }));
    expect(both).toMatchObject({ strongLabels: 'teacher' });
    expect(both.strongWeight).toBeUndefined();
    expect(resolveConfig(distill({ method: 'ab+kd', gamma: 0 }))).toMatchObject({ gamma: 0, alpha: 1 });
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
});

describe('on the command line', () => {
  test('methods are joined by +; the path of a file may have an @', () => {
    expect(readMethods('at@both + kd')).toEqual([
      { name: 'at', on: 'both' },
      { name: 'kd', on: 'x' },
    ]);
    expect(readMethods(['./@me/loss+1.ts@both'])).toEqual([{ name: './@me/loss+1.ts', on: 'both' }]);
    for (const bad of ['', 'at+', '+kd', 'at@', 'at@both@x', 'at@y']) expect(() => readMethods(bad)).toThrow(/method/);
  });

  test('weights and options are gathered', () => {
    expect(readWeights('at=2, sp=3', readWeights('kd=1', undefined))).toEqual({ kd: 1, at: 2, sp: 3 });
    expect(
      ['crd.negatives=64', 'crd.mode=stored', 'mlkd.temperatures=[1,2]', 'dkd.standardize=true'].reduce<unknown>(
        (all, text) => readOptions(text, all),
        undefined,
      ),
    ).toEqual({
      crd: { negatives: 64, mode: 'stored' },
      mlkd: { temperatures: [1, 2] },
      dkd: { standardize: true },
    });
    for (const bad of ['at', 'at=', '=1', 'at=1=2']) expect(() => readWeights(bad, undefined)).toThrow(/NAME=WEIGHT/);
    for (const bad of ['crd', 'crd.x', 'crd=1'])
      expect(() => readOptions(bad, undefined)).toThrow(/NAME\.OPTION=VALUE/);
  });
});
