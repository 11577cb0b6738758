import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TensorSet, toTensorSet } from '../data/batches.ts';
import { keep, memory, setNumThreads, type Tensor, tensor, tidy } from '../torch/index.ts';
import { type EvaluateOptions, type Evaluation, evaluate, labelRanks } from './evaluate.ts';

const normalization = { mean: [0, 0, 0], std: [1, 1, 1] };

beforeAll(() => setNumThreads(1));

/** A set whose image i is of one pixel with value i, so that a "network" can look its answer up. */
function setOf(labels: readonly number[]): TensorSet {
  const count = labels.length;
  const images = new Uint8Array(count * 3);
  for (let i = 0; i < count; i++) images.fill(i, i * 3, i * 3 + 3);
  return toTensorSet({
    images,
    labels: Int32Array.from(labels),
    count,
    channels: 3,
    height: 1,
    width: 1,
    classNames: [],
  });
}

/** Evaluate a network that answers image i with row i. */
async function measure(
  rows: readonly (readonly number[])[],
  labels: readonly number[],
  options: Partial<EvaluateOptions> = {},
): Promise<Evaluation> {
  const set = setOf(labels);
  const answers = keep(tensor(rows.flat(), { shape: [rows.length, rows[0]!.length] }));
  const network = (x: Tensor): Tensor =>
    tidy(() => answers.indexSelect(0, x.narrow(1, 0, 1).mul(255).round().to('int64').view([-1])));
  try {
    return await evaluate(network, set, { normalization, ...options });
  } finally {
    set.dispose();
    answers.dispose();
  }
}

/** The same by sorting: of equal logits the lower class is first; a row with a NaN is wrong. */
function oracle(rows: readonly (readonly number[])[], labels: readonly number[]): [number, number, number] {
  let [top1, top5, loss] = [0, 0, 0];
  for (const [i, row] of rows.entries()) {
    const order = row.map((value, c) => [value, c] as const).sort(([a, i], [b, j]) => b - a || i - j);
    const best = order.map(([, c]) => c);
    const whole = !row.some(Number.isNaN);
    if (whole && best[0] === labels[i]) top1++;
    if (whole && best.slice(0, 5).includes(labels[i]!)) top5++;
    const highest = Math.max(...row);
    loss += highest + Math.log(row.reduce((sum, value) => sum + Math.exp(value - highest), 0)) - row[labels[i]!]!;
  }
  return [(100 * top1) / rows.length, (100 * top5) / rows.length, loss / rows.length];
}

describe('evaluation', () => {
  const problem = (classes: number) =>
    fc
      .array(
        fc.record({
          // Few values, so that ties are common.
          row: fc.array(fc.constantFrom(-2, -1, 0, 0.5, 1, 3), { minLength: classes, maxLength: classes }),
          label: fc.nat(classes - 1),
        }),
        { minLength: 1, maxLength: 12 },
      )
      .map((samples) => ({ rows: samples.map((s) => s.row), labels: samples.map((s) => s.label) }));

  test.each([2, 4, 5, 6, 9])('agrees with sorting, ties included (%i classes)', async (classes) => {
    await fc.assert(
      fc.asyncProperty(problem(classes), fc.integer({ min: 1, max: 13 }), async ({ rows, labels }, batchSize) => {
        const { top1, top5, loss, count } = await measure(rows, labels, { batchSize });
        const [expected1, expected5, expectedLoss] = oracle(rows, labels);
        expect([top1, top5, count]).toEqual([expected1, expected5, rows.length]);
        expect(loss).toBeCloseTo(expectedLoss, 5);
        if (classes <= 5) expect(top5).toBe(100);
      }),
      { numRuns: 20 },
    );
  });

  test('a last, smaller batch counts by its size', async () => {
    const rows = Array.from({ length: 7 }, (_, i) => [i, 0, 0]);
    const labels = [0, 0, 0, 0, 0, 0, 1];
    const whole = await measure(rows, labels, { batchSize: 7 });
    for (const batchSize of [1, 2, 3, 4, 5, 6, 100]) {
      const { top1, loss } = await measure(rows, labels, { batchSize });
      expect(top1).toBe(whole.top1);
      expect(loss).toBeCloseTo(whole.loss, 6);
    }
    expect(whole.top1).toBeCloseTo(600 / 7, 10);
  });

  test('a network with the same answer for all is right by chance only', async () => {
    const labels = Array.from({ length: 20 }, (_, i) => i % 10);
    const rows = labels.map(() => new Array(10).fill(0) as number[]);
    const { top1, top5, loss } = await measure(rows, labels);
    expect([top1, top5]).toEqual([10, 50]);
    expect(loss).toBeCloseTo(Math.log(10), 6);
  });

  test('an image that comes out as NaN is wrong, the others of its batch are not', async () => {
    const { NaN: nan } = Number;
    const rows = [
      [1, 0, 0, 0, 0, 0],
      [nan, 0, 0, 0, 0, 0],
      [5, nan, 0, 0, 0, 0],
      [nan, nan, nan, nan, nan, nan],
      [1, 0, 0, 0, 0, 0],
    ];
    for (const batchSize of [1, 2, 5]) {
      const { top1, top5, loss } = await measure(rows, [0, 0, 0, 0, 1], { batchSize });
      expect([top1, top5]).toEqual([20, 40]);
      expect(loss).toBeNaN();
    }
  });

  test('infinite logits are ranked, and an impossible label costs infinitely much', async () => {
    const { POSITIVE_INFINITY: inf } = Number;
    const { top1, loss } = await measure([[0, -inf, 1]], [1]);
    expect([top1, loss]).toEqual([0, inf]);
    expect((await measure([[0, -inf, 1]], [2])).top1).toBe(100);
  });

  test('images arrive normalised, and in the layout asked for', async () => {
    const set = setOf([0, 0]);
    const seen: number[] = [];
    const layouts: boolean[] = [];
    const network = (x: Tensor): Tensor => {
      seen.push(...(x.data() as Float32Array));
      layouts.push(x.isContiguous('channelsLast'));
      return tensor([
        [0, 0],
        [0, 0],
      ]);
    };
    const by = { mean: [0.5, 0.25, 0], std: [0.5, 0.25, 2] };
    await evaluate(network, set, { normalization: by, channelsLast: true });
    expect(seen).toBeAllclose([-1, -1, 0, -1 + 2 / 255, -1 + 4 / 255, 1 / 510], { atol: 1e-6 });
    expect(layouts).toEqual([true]);
    set.dispose();
  });

  test('tells how far it is, stops between batches when asked, and leaves nothing behind', async () => {
    const before = memory();
    const rows = Array.from({ length: 5 }, () => [1, 0]);
    const progress: string[] = [];
    await measure(rows, [0, 0, 0, 0, 0], { batchSize: 2, onProgress: (done, all) => progress.push(`${done}/${all}`) });
    expect(progress).toEqual(['2/5', '4/5', '5/5']);
    const controller = new AbortController();
    const stopped = measure(rows, [0, 0, 0, 0, 0], {
      batchSize: 2,
      signal: controller.signal,
      onProgress: (done) => done === 4 && controller.abort('enough'),
    });
    await expect(stopped).rejects.toBe('enough');
    expect(memory()).toEqual(before);
  });
});

test('the rank of a label', () => {
  const ranks = (row: number[]): number[] =>
    row.map((_, label) => labelRanks(Float32Array.from(row), Int32Array.of(label))[0]!);
  expect(ranks([3, 1, 2])).toEqual([0, 2, 1]);
  expect(ranks([1, 1, 1])).toEqual([0, 1, 2]);
  expect(ranks([1, Number.NaN])).toEqual([Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]);
  expect(labelRanks(Float32Array.of(1, 2, 2, 1), Int32Array.of(0, 0))).toEqual([1, 0]);
});

afterAll(() => expect(memory().tensors).toBe(0));
