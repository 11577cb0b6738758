import { describe, expect, test } from 'vitest';
import { expectNoLeak } from '../../test/torch.ts';
import { ones, ops, Tensor, tidy } from './index.ts';
import { type OperatorCall, recordOperators } from './record.ts';

/** The calls `fn` makes. */
function callsOf(fn: () => unknown): OperatorCall[] {
  const calls: OperatorCall[] = [];
  recordOperators((call) => {
    calls.push(call);
    return call.run();
  }, fn);
  return calls;
}

describe('recorded calls', () => {
  test('come in order, with arguments by name and defaults filled in', () => {
    const x = ones([1, 2, 4, 4]);
    const calls = callsOf(() => tidy(() => ops.maxPool2d(x, 2).add(1).relu_().sum().item()));
    expect(calls.map(({ operator }) => operator)).toEqual([
      'aten::max_pool2d',
      'aten::add.Scalar',
      'aten::relu_',
      'aten::sum',
    ]);
    expect(calls[0]!.arguments).toEqual({
      self: x,
      kernel_size: 2,
      stride: [],
      padding: 0,
      dilation: 1,
      ceil_mode: false,
    });
    expect(calls.map(({ writes }) => writes)).toEqual([[], [], ['self'], []]);
    expect(calls[3]!.arguments.dtype).toBeNull();
    x.dispose();
  });

  test('give what the operators give: one tensor, several, the one that was written into', () => {
    const x = ones([2, 4]);
    recordOperators(
      ({ run }) => run(),
      () =>
        tidy(() => {
          expect(x.chunk(2, 1).map(({ shape }) => shape)).toEqual([
            [2, 2],
            [2, 2],
          ]);
          const [values, places] = ops.maxDim(x, 1);
          expect([Tensor.is(values), places.dtype]).toEqual([true, 'int64']);
          expect(ops.equal(x, x)).toBe(true);
          const y = x.mul(2);
          expect(ops.relu_(y)).toBe(y);
        }),
    );
    x.dispose();
  });

  test('end with the recording, also where it throws, and nest', () => {
    const outer: string[] = [];
    const inner: string[] = [];
    const note =
      (list: string[]) =>
      ({ operator, run }: OperatorCall): unknown => {
        list.push(operator);
        return run();
      };
    const x = ones([2]);
    expectNoLeak(() => {
      tidy(() => {
        recordOperators(note(outer), () => {
          expect(() =>
            recordOperators(note(inner), () => {
              x.neg();
              throw new Error('stop');
            }),
          ).toThrow('stop');
          x.abs();
        });
        x.exp();
      });
    }, 1);
    expect([outer, inner]).toEqual([
      ['aten::abs', 'aten::abs'],
      ['aten::neg', 'aten::neg'],
    ]);
    x.dispose();
  });
});
