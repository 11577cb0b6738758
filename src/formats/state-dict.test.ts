import { describe, expect, it } from 'vitest';
import { refusal } from '../../test/fixtures/formats/fixtures.ts';
import { PickledObject } from './pickle-values.ts';
import { stateDictFrom } from './state-dict.ts';
import type { StoredTensor } from './stored.ts';

const tensor = (value: number): StoredTensor => ({ dtype: 'uint8', shape: [], data: Uint8Array.of(value) });
const a = tensor(1);
const b = tensor(2);
const weights = new Map([
  ['a', a],
  ['b', b],
]);

describe('weights are found', () => {
  it('at the top level', () => {
    const { tensors, extra } = stateDictFrom(new Map<string, unknown>([...weights, ['epoch', 3]]), 'x.pth');
    expect([...tensors]).toEqual([...weights]);
    expect({ ...extra }).toEqual({ epoch: 3 });
  });

  it.each(['model', 'state_dict', 'net', 'model_state_dict'])('under %s', (key) => {
    const value = new Map<string, unknown>([
      ['epoch', 3],
      [key, weights],
      ['optimizer', new Map([['state', new Map()]])],
    ]);
    const { tensors, extra } = stateDictFrom(value, 'x.pth');
    expect([...tensors]).toEqual([...weights]);
    expect({ ...extra }).toEqual({ epoch: 3 });
  });

  it('under a key that is named', () => {
    const value = new Map<string, unknown>([
      ['model', weights],
      ['ema', new Map([['a', b]])],
    ]);
    expect([...stateDictFrom(value, 'x.pth', 'ema').tensors]).toEqual([['a', b]]);
  });

  it("where a layer is called 'model'", () => {
    expect([...stateDictFrom(new Map([['model', a]]), 'x.pth').tensors]).toEqual([['model', a]]);
  });
});

describe('prefixes', () => {
  const named = (...names: string[]) => [
    ...stateDictFrom(new Map(names.map((name) => [name, a])), 'x.pth').tensors.keys(),
  ];
  it('common to all are taken off', () => {
    expect(named('module.a', 'module.b')).toEqual(['a', 'b']);
    expect(named('module._orig_mod.a')).toEqual(['a']);
    expect(named('_orig_mod.module.module.a')).toEqual(['a']);
  });
  it('of some only are kept', () => {
    expect(named('module.a', 'b')).toEqual(['module.a', 'b']);
    expect(named('modules.a')).toEqual(['modules.a']);
  });
});

it('extra keeps plain values only', () => {
  const value = new Map<unknown, unknown>([
    ['model', weights],
    ['accuracy', { dtype: 'float32', shape: [1], data: new Uint8Array(Float32Array.of(71.5).buffer) }],
    ['curve', { dtype: 'uint8', shape: [2], data: Uint8Array.of(1, 2) }],
    ['name', 'r56'],
    ['done', false],
    ['nothing', null],
    ['seed', 2n ** 64n],
    ['args', new PickledObject('argparse.Namespace')],
    ['history', [1, 2]],
    ['__proto__', 'x'],
    [5, 6],
  ]);
  const { extra } = stateDictFrom(value, 'x.pth');
  expect(Object.entries(extra)).toEqual([
    ['accuracy', 71.5],
    ['name', 'r56'],
    ['done', false],
    ['nothing', null],
    ['seed', '18446744073709551616'],
    ['__proto__', 'x'],
  ]);
  expect(Object.getPrototypeOf(extra)).toBeNull();
});

describe('refusals', () => {
  it('say what is there instead', async () => {
    const refused = (value: unknown, key?: string) => refusal(() => stateDictFrom(value, 'x.pth', key));
    expect(await refused([a])).toMatch(
      /^x\.pth holds a list of 1, not a dict of weights \| save it as torch\.save\(model\.state_dict\(\)/,
    );
    expect(await refused(a)).toMatch(/holds a tensor, not/);
    expect(await refused(new Map([['epoch', 1]]))).toBe(
      "x.pth has no weights where they were looked for (the top level, 'model', 'state_dict', 'net', 'model_state_dict') | it holds 'epoch'",
    );
    expect(await refused(new Map([['student', weights]]))).toMatch(
      /there are tensors under 'student': name the key to take/,
    );
    expect(await refused(new Map([['model', weights]]), 'ema')).toMatch(
      /looked for \('ema'\) \| there are tensors under 'model'/,
    );
    expect(await refused(new Map())).toMatch(/an empty dict/);
    expect(await refused(new Map([['model', new Map<string, unknown>([...weights, ['c', [1]]])]]))).toMatch(
      /'c' among the weights is a list of 1, not a tensor/,
    );
  });

  it('stay short where keys would be endless as text', async () => {
    let bomb: unknown = [];
    for (let level = 0; level < 60; level++) bomb = [bomb, bomb];
    expect(await refusal(() => stateDictFrom(new Map([[bomb, bomb]]), 'x.pth'))).toMatch(/it holds a list of 2/);
  });

  it("leave a module's extra state out", () => {
    const value = new Map([
      ['model', new Map<string, unknown>([...weights, ['_extra_state', null], ['bn._extra_state', new Map()]])],
    ]);
    expect([...stateDictFrom(value, 'x.pth').tensors]).toEqual([...weights]);
  });
});
