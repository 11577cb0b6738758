import { UserError } from '../base/errors.ts';
import { elsewhere, oneOf } from '../base/options.ts';
import type { Stream } from '../torch/random.ts';
import { autoAugmentPolicies, type SubPolicy } from './autoaugment-policies.ts';
import {
  applyProgram,
  autoAugmentTable,
  type Operation,
  type OperationCall,
  type Program,
  packProgram,
  type Strengths,
} from './operations.ts';
import { defineAugmentation, drawEach } from './scheme.ts';

const BINS = 10;

/** AutoAugment's parameters also say which sub-policy each sample got. */
export type AutoAugmentParameters = Program & { readonly subPolicy: Int32Array };

function drawCalls(random: Stream, steps: SubPolicy, table: Record<Operation, Strengths>): OperationCall[] {
  const calls: OperationCall[] = [];
  for (const [operation, probability, bin] of steps) {
    const applied = random.bernoulli(probability);
    const negative = random.bernoulli();
    const { magnitudes, signed } = table[operation];
    const magnitude = bin === null ? 0 : magnitudes[bin]!;
    if (applied) calls.push({ operation, magnitude: signed && negative ? -magnitude : magnitude });
  }
  return calls;
}

/**
 * One of 25 sub-policies, each of its two operations with its probability, the sign of what has one at random. Magnitudes in
 * ten steps as in torchvision; the policy is the dataset's: CIFAR-10's for CIFAR, ImageNet's for the others that are here.
 */
export const autoaugment = defineAugmentation({
  name: 'autoaugment',
  source: 'E. Cubuk, B. Zoph, D. Mané, V. Vasudevan, Q. Le, AutoAugment, 2018',
  options: {
    policy: elsewhere(
      oneOf(['cifar10', 'imagenet'], 'imagenet', 'what the sub-policies were searched for'),
      "the dataset's",
    ),
  },
  draw(context, { policy = null }): AutoAugmentParameters {
    const chosen = policy ?? context.settings.policy;
    if (!chosen) {
      throw new UserError('autoaugment has no policy for this dataset, which names none', {
        hint: "choose one of cifar10 and imagenet by its option policy, or say it where the dataset is defined: policy: 'cifar10'",
      });
    }
    const policies = autoAugmentPolicies[chosen];
    const table = autoAugmentTable(BINS, context.height, context.width);
    const draws = drawEach(context, 'autoaugment', (random) => {
      const subPolicy = random.int(policies.length);
      return { subPolicy, calls: drawCalls(random, policies[subPolicy]!, table) };
    });
    const program = packProgram(
      2,
      Array.from(draws, (draw) => draw.calls),
    );
    return { ...program, subPolicy: Int32Array.from(draws, (draw) => draw.subPolicy) };
  },
  apply: (view, parameters: AutoAugmentParameters) => applyProgram(view, parameters),
});
