import { afterAll, describe, expect, test } from 'vitest';
import type { StoredTensors } from '../formats/index.ts';
import { type DType, memory, type Tensor, tensor, tidy, zeros } from '../torch/index.ts';
import { fromStored, toStored } from './weights.ts';

const dtypes: DType[] = [
  'float32',
  'float64',
  'float16',
  'bfloat16',
  'int64',
  'int32',
  'int16',
  'int8',
  'uint8',
  'bool',
];

describe('between tensors and files', () => {
  test.each(dtypes)('%s survives there and back', (dtype) => {
    tidy(() => {
      const values = tensor([
        [0, 1, 1],
        [1, 0, 1],
      ]).to(dtype);
      const stored = toStored(new Map([['a', values]]));
      expect(stored.get('a')).toMatchObject({ dtype, shape: [2, 3] });
      const back = fromStored(stored).get('a')!;
      expect([back.dtype, back.shape]).toEqual([dtype, [2, 3]]);
      expect(back.equal(values)).toBe(true);
    });
  });

  test('is row by row, however the tensor lies in memory', () => {
    tidy(() => {
      const x = tensor(
        Float32Array.from({ length: 24 }, (_, i) => i),
        { shape: [1, 2, 3, 4] },
      );
      const states = [x, x.contiguous('channelsLast')].map((t) => toStored(new Map([['x', t]])).get('x')!.data);
      expect(states[1]).toEqual(states[0]);
      expect([...new Float32Array(states[0]!.slice().buffer)]).toEqual(Array.from({ length: 24 }, (_, i) => i));
    });
  });

  test('copies: neither sees what happens to the other later', () => {
    tidy(() => {
      const x = tensor([1, 2]);
      const stored = toStored(new Map([['x', x]]));
      x.mul_(10);
      const back = fromStored(stored).get('x')!;
      expect(back.toArray()).toEqual([1, 2]);
      stored.get('x')!.data.fill(0);
      expect(back.toArray()).toEqual([1, 2]);
    });
  });

  test('scalars and empty tensors', () => {
    tidy(() => {
      const state = new Map<string, Tensor>([
        ['scalar', tensor(7).to('int64')],
        ['empty', zeros([0, 3])],
      ]);
      const back = fromStored(toStored(state));
      expect(back.get('scalar')!.item()).toBe(7);
      expect(back.get('scalar')!.shape).toEqual([]);
      expect(back.get('empty')!.shape).toEqual([0, 3]);
    });
  });

  test('prefixes are put before names and taken off, and what has none is left out', () => {
    tidy(() => {
      const stored: StoredTensors = new Map([
        ...toStored(new Map([['w', tensor([1])]])),
        ...toStored(new Map([['w', tensor([2])]]), 'momentum.'),
      ]);
      expect([...stored.keys()]).toEqual(['w', 'momentum.w']);
      const momentum = fromStored(stored, 'momentum.');
      expect([...momentum].map(([name, t]) => [name, t.item()])).toEqual([['w', 2]]);
    });
  });
});

afterAll(() => expect(memory().tensors).toBe(0));
