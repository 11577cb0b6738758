import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { keep, liveTensors, memory, noGrad, ops, type Tensor, tensor, tidy, zeros } from './index.ts';

let before = memory();
beforeEach(() => {
  before = memory();
});
afterEach(() => {
  expect(memory()).toEqual(before);
});
const made = (): number => memory().tensors - before.tensors;

describe('tidy frees what its function made', () => {
  test('all of it, if nothing is returned', () => {
    let inside = 0;
    tidy(() => {
      zeros([2]).add(1).mul(3);
      inside = made();
    });
    expect(inside).toBe(3);
  });
  test('all but a returned tensor', () => {
    const x = tidy(() => zeros([2]).add(1));
    expect(made()).toBe(1);
    expect(x.toArray()).toEqual([1, 1]);
    x.dispose();
  });

  const containers: [what: string, wrap: (x: Tensor, y: Tensor) => unknown][] = [
    ['an array', (x, y) => [x, y]],
    ['an object', (x, y) => ({ x, y })],
    ['an object without a prototype', (x, y) => Object.assign(Object.create(null), { x, y })],
    ['a map, values and keys', (x, y) => new Map([[x, y]])],
    ['a set', (x, y) => new Set([x, y])],
    [
      'a mixture, nested',
      (x, y) => ({ list: [null, 'text', 5, { deep: new Map([['x', [x]]]) }], y, bytes: new Uint8Array(2) }),
    ],
    [
      'a structure that contains itself',
      (x, y) => {
        const loop: unknown[] = [x, { y }];
        loop.push(loop);
        return loop;
      },
    ],
    ['the same tensor twice', (x, y) => [x, y, x]],
  ];
  test.each(containers)('all but tensors inside %s', (_what, wrap) => {
    let x: Tensor | undefined;
    let y: Tensor | undefined;
    tidy(() => {
      const kept = tidy(() => {
        x = zeros([1]);
        y = zeros([1]);
        zeros([1]);
        return wrap(x, y);
      });
      expect(kept).toBeTypeOf('object');
      expect([x?.isDisposed, y?.isDisposed, made()]).toEqual([false, false, 2]);
    });
    expect([x?.isDisposed, y?.isDisposed]).toEqual([true, true]);
  });
  test('not those in an instance of a class, which owns its tensors by keep', () => {
    class Owner {
      readonly weight = keep(zeros([1]));
      readonly cache = zeros([1]);
    }
    const owner = tidy(() => new Owner());
    expect([owner.weight.isDisposed, owner.cache.isDisposed]).toEqual([false, true]);
    owner.weight.dispose();
  });

  test('nested scopes hand a returned tensor to the outer one', () => {
    tidy(() => {
      const x = tidy(() => tidy(() => zeros([2]).add(1)));
      expect(made()).toBe(1);
      expect(x.sum().item()).toBe(2);
    });
    expect(made()).toBe(0);
  });
  test('returning a tensor made outside leaves it alone', () => {
    tidy(() => {
      const x = zeros([2]);
      expect(tidy(() => x)).toBe(x);
      expect(x.isDisposed).toBe(false);
    });
  });
  test('an exception frees everything and passes through', () => {
    const error = new Error('on purpose');
    expect(() =>
      tidy(() => {
        zeros([2]).add(1);
        tidy(() => {
          zeros([3]);
          throw error;
        });
      }),
    ).toThrow(error);
    expect(made()).toBe(0);
    tidy(() => zeros([1])).dispose(); // scopes still work
  });
  test('a getter that throws in the result frees everything', () => {
    expect(() =>
      tidy(() => ({
        x: zeros([1]),
        get y(): never {
          throw new Error('from a getter');
        },
      })),
    ).toThrow('from a getter');
  });
  test('what a function disposed itself is not freed twice', () => {
    tidy(() => {
      const x = zeros([2]);
      x.dispose();
      zeros([2]); // may take the slot
    });
  });
  test('more tensors than the scratch space holds at first', () => {
    tidy(() => {
      for (let i = 0; i < 5000; i++) zeros([1]);
      expect(made()).toBe(5000);
    });
  });
  test('a promise is refused, and its own failure is not a second, unhandled one', async () => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown): void => void unhandled.push(reason);
    process.on('unhandledRejection', note);
    expect(() =>
      tidy(async () => {
        const x = zeros([2]);
        await Promise.resolve();
        return x.sum();
      }),
    ).toThrow(/tidy\(\) is synchronous.*promise/);
    const thenable = Object.fromEntries([['then', () => {}]]);
    expect(() => tidy(() => thenable)).toThrow(/promise/);
    await new Promise((resolve) => setTimeout(resolve, 20));
    process.off('unhandledRejection', note);
    expect(unhandled).toEqual([]);
  });
  test('a graph lives as long as what hangs on it', () => {
    const x = zeros([2], { requiresGrad: true });
    const loss = tidy(() => x.add(1).mul(x.exp()).sum());
    loss.backward();
    expect(tidy(() => x.grad?.toArray())).toEqual([2, 2]);
    loss.dispose();
    x.grad = null;
    x.dispose();
  });
});

describe('keep', () => {
  test('takes a tensor out of every scope', () => {
    let inner: Tensor | undefined;
    const outer = tidy(() => {
      tidy(() => {
        inner = keep(zeros([2]));
      });
      return keep(zeros([3]));
    });
    expect([inner?.isDisposed, outer.isDisposed, made()]).toEqual([false, false, 2]);
    inner?.dispose();
    outer.dispose();
  });
  test('returns its argument and may be called twice', () => {
    tidy(() => {
      const x = zeros([1]);
      expect(keep(keep(x))).toBe(x);
      x.dispose();
    });
  });
});

describe('dispose', () => {
  test('frees now; again is nothing; the shape and the operator are in the error of a later use', () => {
    const x = zeros([64, 3, 2, 2]);
    x.dispose();
    x.dispose();
    expect([x.isDisposed, made()]).toEqual([true, 0]);
    expect(() => ops.relu(x)).toThrow(
      /aten::relu: argument 'self' \(Tensor\): tensor \[64, 3, 2, 2\] float32 was disposed; use keep\(\) or return it/,
    );
    expect(() => x.shape).toThrow(/tensor \[64, 3, 2, 2\] float32 was disposed/);
    expect(() => x.data()).toThrow(/disposed/);
    expect(() => x.backward()).toThrow(/disposed/);
  });
  test('the message survives other tensors coming and going in its slot', () => {
    const x = zeros([7, 5]);
    x.dispose();
    for (let i = 0; i < 100; i++) zeros([3]).dispose();
    tidy(() => {
      zeros([4]);
      expect(() => x.add(1)).toThrow(/aten::add.Scalar.*tensor \[7, 5\] float32 was disposed/);
    });
  });
  test('long ago, without the shape', () => {
    const x = zeros([7, 5]);
    x.dispose();
    tidy(() => {
      for (let i = 0; i < 5000; i++) zeros([3]);
    });
    expect(() => x.add(1)).toThrow(/this tensor was disposed/);
  });
  test('a list of tensors with a disposed one', () => {
    tidy(() => {
      const [x, y] = [zeros([2]), zeros([3])];
      y.dispose();
      expect(() => ops.cat([x, y])).toThrow(/aten::cat: argument 'tensors'.*\[3\] float32 was disposed/);
    });
  });
  test('Symbol.dispose, which `using` calls', () => {
    let seen: Tensor | undefined;
    {
      using x = zeros([2]);
      seen = x;
      expect(x.isDisposed).toBe(false);
    }
    expect(seen.isDisposed).toBe(true);
    expect(() => {
      using y = zeros([2]);
      seen = y;
      throw new Error('out');
    }).toThrow('out');
    expect(seen.isDisposed).toBe(true);
  });
  test('views share memory: freeing one leaves the other whole', () => {
    const x = tensor([1, 2, 3, 4]);
    const view = x.view([2, 2]);
    expect(view.sharesStorage(x)).toBe(true);
    x.dispose();
    expect(view.toArray()).toEqual([
      [1, 2],
      [3, 4],
    ]);
    view.dispose();
  });
});

describe('memory()', () => {
  test('counts tensors, and bytes of distinct storages', () => {
    tidy(() => {
      const x = zeros([10, 10]);
      expect(memory()).toEqual({ tensors: before.tensors + 1, bytes: before.bytes + 400 });
      x.view([100]);
      x.select(0, 1);
      expect(memory()).toEqual({ tensors: before.tensors + 3, bytes: before.bytes + 400 });
      x.to('float64');
      expect(memory()).toEqual({ tensors: before.tensors + 4, bytes: before.bytes + 1200 });
    });
  });
  test('liveTensors names shapes and dtypes, up to a number', () => {
    tidy(() => {
      zeros([3, 4, 5], { dtype: 'int16' });
      expect(liveTensors(10_000)).toContain('[3, 4, 5] int16');
      expect(liveTensors(0)).toEqual([]);
    });
  });
  test('a step written with tidy does not grow, with and without a graph', () => {
    const weight = zeros([8, 8], { requiresGrad: true });
    const step = (): void => {
      tidy(() => {
        const loss = weight.matmul(weight).add(1).square().mean();
        loss.backward();
        noGrad(() => {
          ops.add_(weight, weight.grad!, -0.1);
        });
        weight.grad = null;
      });
    };
    step();
    const after = memory();
    for (let i = 0; i < 50; i++) step();
    expect(memory()).toEqual(after);
    weight.dispose();
  });
});

/** The collector on demand, and time for its finalizers. */
setFlagsFromString('--expose_gc');
const gc = runInNewContext('gc') as () => void;
async function collectGarbage(): Promise<void> {
  for (let i = 0; i < 5; i++) {
    gc();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

describe('the collector is the backstop', () => {
  const drop = (count: number): void => {
    for (let i = 0; i < count; i++) zeros([100]);
  };
  test('tensors dropped outside any scope are freed some time after', async () => {
    drop(50);
    expect(made()).toBe(50);
    await collectGarbage();
    expect(made()).toBe(0);
  });
  test('so are survivors of a scope and kept ones', async () => {
    (() => {
      tidy(() => zeros([10]));
      tidy(() => void keep(zeros([10])));
    })();
    expect(made()).toBe(2);
    await collectGarbage();
    expect(made()).toBe(0);
  });
  test('a disposed tensor is not freed again in the place of its successor', async () => {
    (() => {
      for (let i = 0; i < 20; i++) zeros([5]).dispose();
    })();
    const successors = Array.from({ length: 20 }, () => zeros([6]));
    await collectGarbage();
    expect(successors.every((x) => x.shape[0] === 6)).toBe(true);
    for (const x of successors) x.dispose();
  });
});
