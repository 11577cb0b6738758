import { count } from '../base/options.ts';
import type { Stream } from '../torch/random.ts';
import {
  applyProgram,
  autoAugmentTable,
  type Operation,
  type OperationCall,
  operations,
  type Program,
  packProgram,
  type Strengths,
  strengthTable,
} from './operations.ts';
import { defineAugmentation, drawEach } from './scheme.ts';

/** All but Invert, which neither RandAugment nor TrivialAugment has in torchvision. */
const choices: readonly Operation[] = operations.filter((operation) => operation !== 'Invert');

const BINS = 31;

function drawCall(random: Stream, table: Record<Operation, Strengths>, bin: (count: number) => number): OperationCall {
  const operation = choices[random.int(choices.length)]!;
  const { magnitudes, signed } = table[operation];
  const magnitude = magnitudes[magnitudes.length === 1 ? 0 : bin(magnitudes.length)]!;
  return { operation, magnitude: random.bernoulli() && signed ? -magnitude : magnitude };
}

/** Operations out of 14 (two at step 9, torchvision's defaults), with replacement, at the same fixed step of AutoAugment's magnitudes, the sign at random. */
export const randaugment = defineAugmentation({
  name: 'randaugment',
  source: 'E. Cubuk, B. Zoph, J. Shlens, Q. Le, RandAugment, 2019',
  options: {
    operations: count(2, 'operations an image'),
    magnitude: {
      ...count(9, `step of their strength, 0 to ${BINS - 1}`, 0),
      rule: `an integer from 0 to ${BINS - 1}`,
      allows: (given): given is number => Number.isInteger(given) && (given as number) >= 0 && (given as number) < BINS,
    },
  },
  draw(context, { operations, magnitude }): Program {
    const table = autoAugmentTable(BINS, context.height, context.width);
    const calls = drawEach(context, 'randaugment', (random) =>
      Array.from({ length: operations }, () => drawCall(random, table, () => magnitude)),
    );
    return packProgram(operations, calls);
  },
  apply: applyProgram,
});

/** The wide magnitudes: 32 pixels whatever the size of the image. */
const wide = strengthTable(BINS, {
  shear: 0.99,
  translateX: 32,
  translateY: 32,
  degrees: 135,
  blend: 0.99,
  bits: 6,
});

/** One operation out of 14 at any of 31 steps of wide magnitudes: nothing to tune. */
export const trivialaugment = defineAugmentation({
  name: 'trivialaugment',
  source: 'S. Müller, F. Hutter, TrivialAugment: Tuning-free Yet State-of-the-Art Data Augmentation, 2021',
  draw: (context): Program =>
    packProgram(
      1,
      drawEach(context, 'trivialaugment', (random) => [drawCall(random, wide, (count) => random.int(count))]),
    ),
  apply: applyProgram,
});
