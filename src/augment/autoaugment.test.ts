import { describe, expect, test } from 'vitest';
import { batchView, drawContext, misfit, misfitUniform } from '../../test/augment.ts';
import { datasetInfo } from '../data/index.ts';
import { tidy } from '../torch/index.ts';
import { type AutoAugmentParameters, autoaugment } from './autoaugment.ts';
import { autoAugmentPolicies } from './autoaugment-policies.ts';
import { normalizeImages } from './normalize.ts';
import { applyOperations, autoAugmentTable, type Operation, operations } from './operations.ts';
import { schemeSettings } from './scheme.ts';

const table = autoAugmentTable(10, 32, 32);

/** What sample i goes through, by name, without the empty slots. */
const callsOf = (drawn: AutoAugmentParameters, i: number): [Operation, number][] =>
  [0, 1]
    .map((slot): [Operation, number] => [operations[drawn.operations[2 * i + slot]!]!, drawn.magnitudes[2 * i + slot]!])
    .filter(([name]) => name !== 'Identity');

describe.each([
  ['cifar100', 'cifar10'],
  ['fashion-mnist', 'imagenet'],
] as const)('for %s the policy of %s', (dataset, policy) => {
  const MANY = 20_000;
  const drawn = autoaugment.draw(drawContext(MANY, { settings: schemeSettings(datasetInfo(dataset)) }));

  test('every sub-policy as often', () => {
    expect(misfitUniform(drawn.subPolicy, 25)).toBeLessThan(4);
  });

  test('each operation with its probability, its magnitude and a fair sign, independently of the other', () => {
    const groups = Array.from({ length: 25 }, () => [] as [Operation, number][][]);
    for (const [i, sub] of drawn.subPolicy.entries()) groups[sub]!.push(callsOf(drawn, i));
    for (const [sub, steps] of autoAugmentPolicies[policy].entries()) {
      const found = groups[sub]!;
      const [first, second] = steps;
      // Four outcomes: which of the two were applied.
      const outcome = (calls: [Operation, number][]): number => {
        const names = calls.map(([name]) => name).join();
        if (names === `${first[0]},${second[0]}`) return 3;
        if (names === '') return 0;
        // Where both steps are one operation its magnitude tells which it is, or nothing does.
        const of = ([name, , bin]: typeof first): boolean =>
          name === calls[0]![0] && Math.abs(calls[0]![1]) === (bin === null ? 0 : table[name].magnitudes[bin]);
        expect(calls.length === 1 && (of(first) || of(second)), `sub-policy ${sub}: ${names}`).toBe(true);
        return of(first) ? 1 : 2;
      };
      const counts = [0, 0, 0, 0];
      for (const calls of found) counts[outcome(calls)]!++;
      const [p, q] = [first[1], second[1]];
      let expected = [(1 - p) * (1 - q), p * (1 - q), (1 - p) * q, p * q];
      let seen = counts;
      const strength = ([name, , bin]: typeof first): string =>
        `${name} ${bin === null ? 0 : table[name].magnitudes[bin]}`;
      if (strength(first) === strength(second)) {
        expected = [expected[0]!, expected[1]! + expected[2]!, expected[3]!];
        seen = [counts[0]!, counts[1]! + counts[2]!, counts[3]!];
      }
      const possible = expected.map((_, i) => i).filter((i) => expected[i]! > 0);
      for (const [i, count] of seen.entries()) if (expected[i] === 0) expect(count).toBe(0);
      const misfitOf = misfit(
        possible.map((i) => seen[i]!),
        possible.map((i) => expected[i]! * found.length),
      );
      expect(misfitOf, `sub-policy ${sub}`).toBeLessThan(4.5);
    }
    for (const operation of operations) {
      const magnitudes = collect(drawn, operation);
      const negative = magnitudes.filter((magnitude) => magnitude < 0).length;
      const positive = magnitudes.filter((magnitude) => magnitude > 0).length;
      if (!table[operation].signed) expect(negative).toBe(0);
      else if (positive + negative > 0) {
        const half = (positive + negative) / 2;
        expect(misfit([positive, negative], [half, half]), operation).toBeLessThan(4);
      }
    }
  });
});

function collect(drawn: AutoAugmentParameters, operation: Operation): number[] {
  const code = operations.indexOf(operation);
  return Array.from(drawn.magnitudes).filter((_, i) => drawn.operations[i] === code);
}

test('translations are measured in the image’s own pixels', () => {
  const most = (size: number): number => {
    const drawn = autoaugment.draw(drawContext(4000, { height: size, width: size }));
    return Math.max(...collect(drawn, 'TranslateY'));
  };
  expect(most(32)).toBeCloseTo((150 / 331) * 32, 4);
  expect(most(64)).toBeCloseTo((150 / 331) * 64, 4);
});

test('the bytes are operated on and normalised after', () => {
  tidy(() => {
    const view = batchView(32, { size: 32 });
    const drawn = autoaugment.draw(drawContext(32));
    const expected = normalizeImages(applyOperations(view.images, drawn), view.normalization);
    const made = autoaugment.apply(view, drawn);
    expect(made.data()).toEqual(expected.data());
    // A sample that no operation came to is x to the bit.
    const untouched = [...drawn.subPolicy.keys()].filter((i) => callsOf(drawn, i).length === 0);
    expect(untouched.length).toBeGreaterThan(0);
    for (const i of untouched) expect(made.select(0, i).data()).toEqual(view.x.select(0, i).data());
  });
});
