import { describe, expect, test } from 'vitest';
import { resolveConfig } from '../config/config.ts';
import { methodNames, methodOption, methodWeights, withMethods } from './method-flags.ts';

describe('--method', () => {
  test('joins names by +, each with its views', () => {
    expect(methodNames('crd+kd')).toEqual([{ name: 'crd' }, { name: 'kd' }]);
    expect(methodNames('at@both + kd@x')).toEqual([
      { name: 'at', on: 'both' },
      { name: 'kd', on: 'x' },
    ]);
  });

  test.each(['', 'crd+', '+kd', 'at@', 'at@all', 'at@x@both'])('refuses %j', (text) => {
    expect(() => methodNames(text)).toThrow(/Join methods|acts on @x/);
  });
});

describe('--weight and --method-option', () => {
  test('several, and again', () => {
    const first = methodWeights('crd=0.8,at=500');
    expect(methodWeights('kd=1', first)).toEqual([
      ['crd', 0.8],
      ['at', 500],
      ['kd', 1],
    ]);
    expect(methodOption('crd.mode=relax', methodOption('crd.negatives=64'))).toEqual([
      ['crd', 'negatives', 64],
      ['crd', 'mode', 'relax'],
    ]);
    expect(methodOption('mlkd.temperatures=[2,4]')).toEqual([['mlkd', 'temperatures', [2, 4]]]);
  });

  test.each(['crd', '=1', 'crd=', 'crd=x', 'crd=1=2'])('refuses the weight %j', (text) => {
    expect(() => methodWeights(text)).toThrow(/NAME=WEIGHT|not a number/);
  });

  test.each(['crd=1', 'crd.x', '.x=1'])('refuses the option %j', (text) => {
    expect(() => methodOption(text)).toThrow(/NAME\.OPTION=VALUE/);
  });
});

describe('over a configuration', () => {
  test('nothing said, nothing changed', async () => {
    const settings = { methods: ['at'] };
    expect(await withMethods(settings, {})).toBe(settings);
  });

  test('names replace; weights and options change what is in use, by any of its names', async () => {
    expect(
      await withMethods({ methods: ['at'] }, { method: [{ name: 'crd' }, { name: 'kd' }], weight: [['contrast', 2]] }),
    ).toEqual({ methods: [{ name: 'crd', weight: 2 }, { name: 'kd' }] });
    const file = { methods: [{ name: 'crd', options: { dim: 64 } }] };
    expect(await withMethods(file, { methodOption: [['crd', 'negatives', 16]] })).toEqual({
      methods: [{ name: 'crd', options: { dim: 64, negatives: 16 } }],
    });
    expect(file.methods[0]!.options).toEqual({ dim: 64 });
    expect(await withMethods({}, { weight: [['kd', 0.5]] })).toEqual({ methods: [{ name: 'kd', weight: 0.5 }] });
  });

  test("kd's weight and temperature replace those that stand elsewhere in a file; a flag for them does not give way", async () => {
    const file = { methods: ['crd', 'kd'], kd: { alpha: 1, temperature: 4 } };
    expect(await withMethods(file, { weight: [['kd', 0.5]], methodOption: [['kd', 'temperature', 2]] })).toEqual({
      methods: [{ name: 'crd' }, { name: 'kd', weight: 0.5, options: { temperature: 2 } }],
      kd: { alpha: 0.5, temperature: 2 },
    });
    expect(await withMethods(file, { weight: [['kd', 0.5]], alpha: 1 })).toMatchObject({ kd: { alpha: 1 } });
    // As a run's folder has it, where kd is in use by its weight alone.
    const checked = { methods: ['crd'], kd: { alpha: 1 } };
    expect(await withMethods(checked, { weight: [['kd', 2]] })).toEqual({
      methods: [{ name: 'crd' }, { name: 'kd', weight: 2 }],
      kd: { alpha: 2 },
    });
    await expect(withMethods({ methods: ['crd'], kd: { alpha: 0 } }, { weight: [['kd', 2]] })).rejects.toThrow(
      'kd is not in use',
    );
  });

  test.each(['crd+kd', [{ weight: 1 }], [3], [null]])(
    '%j in a file is left to the check of the whole',
    async (methods) => {
      const file = { data: 'cifar100', model: 'resnet8', teacher: 't.pth', methods } as never;
      expect(await withMethods(file, { weight: [['crd', 2]] })).toBe(file);
      expect(() => resolveConfig(file)).toThrow(/^methods/);
    },
  );

  test('a weight or an option of a method not in use', async () => {
    await expect(withMethods({}, { weight: [['crd', 0.8]] })).rejects.toThrow('--weight crd=0.8: crd is not in use');
    await expect(withMethods({ methods: ['at'] }, { methodOption: [['sp', 'x', 1]] })).rejects.toThrow(
      '--method-option sp.x: sp is not in use',
    );
    await expect(withMethods({}, { weight: [['crdd', 1]] })).rejects.toThrow(/did you mean 'crd'\?/);
  });
});
