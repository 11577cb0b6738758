/** Losses after 2020 against sums written out over plain arrays in float64. */
import { describe, expect, test } from 'vitest';
import { fillModule } from '../../../test/filler.ts';
import { contextOf, fillerFeatures, labelsOf, smallTaps, toFloat64 } from '../../../test/losses.ts';
import { type Tensor, tidy } from '../../torch/index.ts';
import { createLoss, type LossSettings } from './index.ts';

type Matrix = number[][];
const [batch, classes] = [4, 6];
const taps = smallTaps([2, 3, 4], 8);

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
const mean = (values: readonly number[]): number => sum(values) / values.length;
const softmax = (row: readonly number[], temperature: number): number[] => {
  const exps = row.map((x) => Math.exp(x / temperature));
  return exps.map((e) => e / sum(exps));
};
const kl = (p: readonly number[], q: readonly number[]): number =>
  sum(p.map((x, i) => (x === 0 ? 0 : x * Math.log(x / q[i]!))));
const transpose = (m: Matrix): Matrix => m[0]!.map((_, j) => m.map((row) => row[j]!));
const gram = (m: Matrix): Matrix => m.map((a) => m.map((b) => sum(a.map((x, i) => x * b[i]!))));
const squares = (a: Matrix, b: Matrix): number => sum(a.flatMap((row, i) => row.map((x, j) => (x - b[i]![j]!) ** 2)));

/** The terms of a loss on logits from the filler, and the logits. */
function terms(
  name: string,
  settings: LossSettings = {},
): { found: Record<string, number>; s: Matrix; t: Matrix; labels: number[] } {
  return tidy(() => {
    const loss = createLoss(name, contextOf(taps, taps, { classes, batchSize: batch }), settings);
    const student = fillerFeatures('s', taps, { batch, classes });
    const teacher = fillerFeatures('t', taps, { batch, classes });
    const labels = labelsOf(classes, batch);
    const found = loss.terms({ student, teacher, labels, epoch: 0, step: 0, seed: 0, phase: 'train' });
    return {
      found: Object.fromEntries(Object.entries(found).map(([key, value]) => [key, value.item()])),
      s: student.logits.toArray() as Matrix,
      t: teacher.logits.toArray() as Matrix,
      labels: (labels.toArray() as bigint[]).map(Number),
    };
  });
}

const standardized = (row: readonly number[]): number[] => {
  const std = Math.sqrt(sum(row.map((x) => (x - mean(row)) ** 2)) / (row.length - 1));
  return row.map((x) => (x - mean(row)) / (std + 1e-7));
};
const meanKl = (t: Matrix, s: Matrix, temperature: number): number =>
  temperature ** 2 * mean(t.map((row, b) => kl(softmax(row, temperature), softmax(s[b]!, temperature))));

describe('equal to sums written out in float64', () => {
  for (const standardize of [false, true]) {
    test(`dkd${standardize ? ', standardised' : ''}`, () => {
      const options = { alpha: 1.5, beta: 3, temperature: 2, standardize };
      const { found, labels, ...logits } = terms('dkd', { options });
      const [s, t] = [logits.s, logits.t].map((m) => (standardize ? m.map(standardized) : m)) as [Matrix, Matrix];
      const parts = s.map((row, b) => {
        const [p, q] = [softmax(t[b]!, 2), softmax(row, 2)];
        const y = labels[b]!;
        const without = (x: readonly number[]): number[] => x.filter((_, i) => i !== y);
        return {
          target: kl([p[y]!, 1 - p[y]!], [q[y]!, 1 - q[y]!]),
          others: kl(softmax(without(t[b]!), 2), softmax(without(row), 2)),
        };
      });
      expect(found.target).toBeAllclose(1.5 * 4 * mean(parts.map((part) => part.target)), { rtol: 1e-9 });
      expect(found.others).toBeAllclose(3 * 4 * mean(parts.map((part) => part.others)), { rtol: 1e-9 });
    });
  }

  test('dist', () => {
    const { found, s, t } = terms('dist', { options: { beta: 2, gamma: 3, tau: 4 } });
    const pearson = (a: readonly number[], b: readonly number[]): number => {
      const covariance = sum(a.map((x, i) => (x - mean(a)) * (b[i]! - mean(b))));
      const spread = (v: readonly number[]): number => Math.sqrt(sum(v.map((x) => (x - mean(v)) ** 2)));
      return covariance / (spread(a) * spread(b));
    };
    const p = s.map((row) => softmax(row, 4));
    const q = t.map((row) => softmax(row, 4));
    const distance = (a: Matrix, b: Matrix): number => 1 - mean(a.map((row, i) => pearson(row, b[i]!)));
    expect(found.inter).toBeAllclose(16 * 2 * distance(p, q), { rtol: 1e-9 });
    expect(found.intra).toBeAllclose(16 * 3 * distance(transpose(p), transpose(q)), { rtol: 1e-9 });
  });

  test('lskd', () => {
    const { found, s, t } = terms('lskd', { options: { temperature: 3 } });
    expect(found.kl).toBeAllclose(meanKl(t.map(standardized), s.map(standardized), 3), { rtol: 1e-9 });
  });

  test('mlkd', () => {
    const temperatures = [2, 5];
    const { found, s, t } = terms('mlkd', { options: { temperatures } });
    const levels = temperatures.map((temperature) => {
      const p = s.map((row) => softmax(row, temperature));
      const q = t.map((row) => softmax(row, temperature));
      return {
        instance: meanKl(t, s, temperature),
        batch: squares(gram(p), gram(q)) / batch,
        class: squares(gram(transpose(p)), gram(transpose(q))) / classes,
      };
    });
    for (const level of ['instance', 'batch', 'class'] as const) {
      expect(found[level]).toBeAllclose(sum(levels.map((values) => values[level])), { rtol: 1e-9 });
    }
  });
});

// ReviewKD: maps are [sample][channel][row][column].
type Maps = number[][][][];
const mapWith = (x: Maps, fn: (value: number, b: number, c: number, i: number, j: number) => number): Maps =>
  x.map((sample, b) => sample.map((map, c) => map.map((row, i) => row.map((value, j) => fn(value, b, c, i, j)))));
const flatten = (x: Maps): number[] => x.flat(3);

function conv(x: Maps, weight: Maps, bias?: number[]): Maps {
  const size = weight[0]![0]!.length;
  const pad = (size - 1) / 2;
  return x.map((sample) =>
    weight.map((kernel, o) =>
      sample[0]!.map((row, i) =>
        row.map((_, j) =>
          kernel.reduce((total, plane, c) => {
            let inner = 0;
            for (let u = 0; u < size; u++) {
              for (let v = 0; v < size; v++) inner += plane[u]![v]! * (sample[c]![i + u - pad]?.[j + v - pad] ?? 0);
            }
            return total + inner;
          }, bias?.[o] ?? 0),
        ),
      ),
    ),
  );
}

function batchNorm(x: Maps, weight: number[], bias: number[]): Maps {
  const stats = weight.map((_, c) => {
    const values = x.flatMap((sample) => sample[c]!.flat());
    return { mean: mean(values), variance: mean(values.map((v) => (v - mean(values)) ** 2)) };
  });
  return mapWith(
    x,
    (v, _b, c) => ((v - stats[c]!.mean) / Math.sqrt(stats[c]!.variance + 1e-5)) * weight[c]! + bias[c]!,
  );
}

const upsample = (x: Maps, size: number): Maps =>
  x.map((sample) =>
    sample.map((map) =>
      Array.from({ length: size }, (_, i) =>
        Array.from(
          { length: size },
          (_, j) => map[Math.floor((i * map.length) / size)]![Math.floor((j * map.length) / size)]!,
        ),
      ),
    ),
  );

const pool = (x: Maps, cells: number): Maps =>
  x.map((sample) =>
    sample.map((map) => {
      const side = map.length / cells;
      return Array.from({ length: cells }, (_, i) =>
        Array.from({ length: cells }, (_, j) =>
          mean(map.slice(i * side, (i + 1) * side).flatMap((row) => row.slice(j * side, (j + 1) * side))),
        ),
      );
    }),
  );

const meanSquares = (a: Maps, b: Maps): number => {
  const other = flatten(b);
  return mean(flatten(a).map((v, i) => (v - other[i]!) ** 2));
};

test('reviewkd, equal to loops over plain arrays in float64', () => {
  // The teacher's maps are larger than the student's, so that the outputs are enlarged.
  const teacherTaps = smallTaps([3, 5, 6], 16);
  tidy(() => {
    const loss = createLoss('reviewkd', contextOf(taps, teacherTaps, { classes, batchSize: batch }));
    fillModule(loss.modules);
    toFloat64(loss.modules);
    const student = fillerFeatures('s', taps, { batch, classes });
    const teacher = fillerFeatures('t', teacherTaps, { batch, classes });
    const found = loss.terms({
      student,
      teacher,
      labels: labelsOf(classes, batch),
      epoch: 0,
      step: 0,
      seed: 0,
      phase: 'train',
    });

    const state = loss.modules.stateDict();
    const at = (name: string): Tensor => state.get(`abfs.${name}`)!;
    const four = (tensor: Tensor): Maps => tensor.toArray() as Maps;
    const one = (tensor: Tensor): number[] => tensor.toArray() as number[];
    const block = (x: Maps, name: string): Maps =>
      batchNorm(conv(x, four(at(`${name}.0.weight`))), one(at(`${name}.1.weight`)), one(at(`${name}.1.bias`)));
    const pooledMap = (tensor: Tensor): Maps => (tensor.toArray() as Matrix).map((row) => row.map((v) => [[v]]));

    let below: Maps | null = null;
    const expected: number[] = [];
    for (const [level, tap] of [3, 2, 1].entries()) {
      const s = tap === 3 ? pooledMap(student.taps[3]!) : four(student.taps[tap]!);
      const t = tap === 3 ? pooledMap(teacher.taps[3]!) : four(teacher.taps[tap]!);
      let x = block(s, `${level}.conv1`);
      if (below) {
        const y = upsample(below, x[0]![0]!.length);
        const both = x.map((sample, b) => [...sample, ...y[b]!]);
        const z = mapWith(
          conv(both, four(at(`${level}.att_conv.0.weight`)), one(at(`${level}.att_conv.0.bias`))),
          (v) => 1 / (1 + Math.exp(-v)),
        );
        x = mapWith(x, (v, b, c, i, j) => v * z[b]![0]![i]![j]! + y[b]![c]![i]![j]! * z[b]![1]![i]![j]!);
      }
      const size = t[0]![0]!.length;
      below = x[0]![0]!.length === size ? x : upsample(x, size);
      const output = block(below, `${level}.conv2`);
      let value = meanSquares(output, t);
      let weights = 1;
      for (const [cells, weight] of [
        [4, 1 / 2],
        [2, 1 / 4],
        [1, 1 / 8],
      ] as const) {
        if (cells >= size) continue;
        // mdistiller halves the factor at each level that applies, not at each that exists.
        const factor = size > 4 ? weight : size > 2 ? weight * 2 : weight * 4;
        value += factor * meanSquares(pool(output, cells), pool(t, cells));
        weights += factor;
      }
      expected.unshift(value / weights);
    }
    expect(Object.keys(found)).toEqual(['stage1', 'stage2', 'pooled']);
    expect(Object.values(found).map((term) => term.item())).toBeAllclose(expected, { rtol: 1e-9 });
    loss.dispose();
  });
});
