/** @file The classifier at the end of a network, which alone depends on the number of classes. */
import { UserError } from '../base/errors.ts';
import type { ImageModel } from '../models/index.ts';
import { describeReport, Linear, type LoadReport } from '../nn/index.ts';
import { noGrad, type Tensor, tensor, tidy } from '../torch/index.ts';
import { stream } from '../torch/random.ts';

/**
 * The classes of weights that differ from a network's in nothing but the classifier: it alone has two dimensions, and as many
 * columns as the network's own.
 */
export function otherClasses({
  missing,
  unexpected,
  mismatched,
}: LoadReport): { found: number; expected: number } | undefined {
  if (missing.length + unexpected.length > 0 || mismatched.length > 2) return undefined;
  const classifier = mismatched.find(({ expected, found }) => expected.length === 2 && found.length === 2);
  if (!classifier || classifier.expected[1] !== classifier.found[1]) return undefined;
  const [found, expected] = [classifier.found[0]!, classifier.expected[0]!];
  const fits = mismatched.every((tensor) => tensor.found[0] === found && tensor.expected[0] === expected);
  return fits ? { found, expected } : undefined;
}

/** The last linear layer with an output for each class, and its path. */
function headOf(network: ImageModel, from: string): [string, Linear] {
  const found = [...network.namedModules()].findLast(
    ([, module]) => module instanceof Linear && module.outFeatures === network.classes,
  );
  if (found) return found as [string, Linear];
  throw new UserError(
    `cannot change the classifier of ${from}: the network has no linear layer of ${network.classes} outputs`,
    {
      hint: 'load weights of the same classes',
    },
  );
}

/**
 * Load every weight but those of the last linear layer, which is drawn from `seed` as for a new network.
 *
 * @throws UserError listing what does not fit beside the classifier; nothing was loaded
 */
export function loadWithNewHead(
  network: ImageModel,
  state: ReadonlyMap<string, Tensor>,
  { seed, from }: { seed: number; from: string },
): void {
  const [path, head] = headOf(network, from);
  const isHead = (name: string): boolean => name.startsWith(`${path}.`);
  const report = network.compareStateDict(state);
  const rest: LoadReport = {
    missing: report.missing.filter((name) => !isHead(name)),
    unexpected: report.unexpected.filter((name) => !isHead(name)),
    mismatched: report.mismatched.filter(({ name }) => !isHead(name)),
  };
  if (rest.missing.length + rest.unexpected.length + rest.mismatched.length > 0) {
    throw new UserError(
      `the weights in ${from} do not fit, the classifier ${path} left aside:\n${describeReport(rest)}`,
      {
        hint: 'is it another architecture?',
      },
    );
  }
  network.loadStateDict(new Map([...state].filter(([name]) => !isHead(name))), { strict: false });
  head.resetParameters(stream(seed, 'init').child(path));
}

/** Put the outputs of the last linear layer into another order: output i becomes what output `order[i]` was. */
export function orderClasses(network: ImageModel, order: readonly number[], from: string): void {
  const [, head] = headOf(network, from);
  noGrad(() =>
    tidy(() => {
      const index = tensor([...order], { dtype: 'int64' });
      for (const values of [head.weight, head.bias]) values?.copy_(values.indexSelect(0, index));
    }),
  );
}
