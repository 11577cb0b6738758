import { describe, expect, test } from 'vitest';
import { type Example, examples } from '../../test/fuzz/examples.ts';
import { type FuzzTask, fuzzOperators } from '../../test/fuzz/run.ts';
import { sample } from '../../test/fuzz/sample.ts';
import { dtypeCode, isFloating, schemas, Tensor, tidy } from './index.ts';
import { native } from './native.ts';
import { parseSchema } from './schema.ts';
import { trustsArguments } from './unchecked.ts';

/** Calls of each operator. A hundred take some minutes, and are worth it after a change of native/dispatch.cc. */
const iterations = Number(process.env.THRIVE_FUZZ ?? 10);

/** As operators.mjs rebuilds it; float64 examples become float32, the dtype its other tensors have. */
function encode(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(encode);
  if (!(value instanceof Tensor)) return value;
  const dtype = dtypeCode(isFloating(value.dtype) ? 'float32' : value.dtype);
  return { dtype, shape: value.shape, data: Array.from(value.toFloat64Array()) };
}

describe('no arguments end the process', { timeout: 300_000 }, () => {
  test('the operators of the table, right calls with one or two arguments spoilt', () => {
    const tasks = Object.entries(schemas).map(([key, schema]): FuzzTask => {
      const example = examples[key as keyof typeof schemas] as Example | undefined;
      return { name: parseSchema(schema).name, example: tidy(() => encode(example?.args())) };
    });
    const report = fuzzOperators(tasks, { iterations, seed: 2 });
    expect(report.died).toEqual([]);
    expect(report.bad).toEqual([]);
    expect(report.operators).toBe(tasks.length);
    // Both ways must be taken often, or this tests nothing.
    expect(report.ok).toBeGreaterThan(500);
    expect(report.refused).toBeGreaterThan(500);
  });

  test('a sample of the others that operator() gives out', () => {
    const known = sample.filter((name) => native().findOperator(name));
    expect(known.length).toBeGreaterThan(0.9 * sample.length);
    expect(sample.filter(trustsArguments)).toEqual([]);
    const report = fuzzOperators(
      known.map((name) => ({ name })),
      { iterations, seed: 3, wild: true },
    );
    expect(report.died).toEqual([]);
    expect(report.bad).toEqual([]);
    expect(report.operators).toBe(known.length);
  });

  test('a death is noticed, and named, and the next operator tried', () => {
    const tasks = [{ name: 'aten::abs' }, { name: 'aten::relu', kill: true }, { name: 'aten::neg' }];
    const { died, operators } = fuzzOperators(tasks, { iterations: 3 });
    expect(died).toEqual([expect.stringMatching(/^SIGKILL: aten::relu\(/)]);
    expect(operators).toBe(2);
  });
});
