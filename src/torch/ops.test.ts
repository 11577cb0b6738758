import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Example, examples } from '../../test/fuzz/examples.ts';
import { expectNoLeak, gradcheck } from '../../test/torch.ts';
import { isFloating, memory, ops, schemas, Tensor, tidy } from './index.ts';
import { native } from './native.ts';
import { parseSchema, schemaDifferences } from './schema.ts';

type Key = keyof typeof schemas;
const keys = Object.keys(schemas) as Key[];
const run = (key: Key, args: readonly unknown[]): unknown =>
  (ops[key] as unknown as (...values: readonly unknown[]) => unknown)(...args);
const tensorsIn = (value: unknown): Tensor[] =>
  value instanceof Tensor ? [value] : Array.isArray(value) ? value.flatMap(tensorsIn) : [];

describe('the table agrees with the libtorch that is loaded', () => {
  test.each(keys)('%s', (key) => {
    const schema: string = schemas[key];
    const found = native().findOperator(parseSchema(schema).name);
    expect(found, `${parseSchema(schema).name} does not exist`).not.toBeNull();
    expect(schemaDifferences(schema, found!.schema)).toEqual([]);
  });
  test('no operator is listed twice', () => {
    const names = keys.map((key) => parseSchema(schemas[key]).name);
    expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
  });
});

describe('every operator of the table does a right call', () => {
  let before = 0;
  beforeEach(() => {
    before = memory().tensors;
  });
  afterEach(() => {
    expect(memory().tensors).toBe(before);
  });

  test('there is one in test/fuzz/examples.ts for each', () => {
    expect(keys.filter((key) => !examples[key])).toEqual([]);
  });
  test.each(Object.keys(examples) as Key[])('%s', (key) => {
    tidy(() => {
      const args = (examples[key] as Example).args();
      const result = run(key, args);
      const { returns } = parseSchema(schemas[key]);
      const results = returns.length > 1 ? (result as unknown[]) : [result];
      const kinds = results.map((value) =>
        value instanceof Tensor ? 'Tensor' : Array.isArray(value) ? 'Tensor[]' : typeof value,
      );
      expect(kinds).toEqual(
        returns.length === 0 ? ['undefined'] : returns.map((type) => type.replace('bool', 'boolean')),
      );
      for (const made of tensorsIn(results)) expect(made.shape.every((size) => size >= 0)).toBe(true);
      if (/Tensor\(a!\)$/.test(schemas[key])) expect(result, 'an in-place operator returns its argument').toBe(args[0]);
    });
  });
});

describe('gradients equal finite differences', () => {
  const differentiable = (Object.keys(examples) as Key[]).filter((key) => (examples[key] as Example).differentiable);

  test.each(differentiable)('%s', (key) => {
    tidy(() => {
      const args = (examples[key] as Example).args();
      const isLeaf = (value: unknown): value is Tensor => value instanceof Tensor && isFloating(value.dtype);
      const leaves = args.flatMap((arg) => (Array.isArray(arg) ? arg.filter(isLeaf) : isLeaf(arg) ? [arg] : []));
      const inPlace = schemas[key].includes('!');
      gradcheck(
        (...values) => {
          const queue = [...values];
          // In place, a leaf that requires grad may not be changed: work on a copy.
          const next = (): Tensor => (inPlace ? queue.shift()!.clone() : queue.shift()!);
          const replaced = args.map((arg) =>
            Array.isArray(arg)
              ? arg.map((item: unknown) => (isLeaf(item) ? next() : item))
              : isLeaf(arg)
                ? next()
                : arg,
          );
          const floating = tensorsIn(run(key, replaced)).filter((made) => isFloating(made.dtype));
          return floating.map((made) => made.reshape([-1])).reduce((all, made) => ops.cat([all, made], 0));
        },
        leaves,
        { rtol: 1e-6, atol: 1e-8 },
      );
    });
  });

  test('a wrong gradient is noticed', () => {
    tidy(() => {
      const x = examples.exp!.args()[0];
      // detach() hides half of the dependence from autograd.
      expect(() => gradcheck((v) => v.mul(v.detach()), [x])).toThrow(/gradcheck: input 0.*6 of 6/s);
    });
  });
});

test('a leak is noticed', () => {
  expectNoLeak(() => tidy(() => void ops.exp(examples.exp!.args()[0])));
  const kept: Tensor[] = [];
  expect(() =>
    expectNoLeak(() => {
      kept.push(tidy(() => ops.exp(examples.exp!.args()[0])));
    }),
  ).toThrow(/3 runs left 3 tensors and 144 bytes.*\[2, 3\] float64/);
  for (const made of kept) made.dispose();
});
