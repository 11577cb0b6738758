/** @file Which architecture a file of weights is for, by its tensors' names and shapes. */
import { UserError } from '../base/errors.ts';
import { toGive } from '../base/speech.ts';
import type { StoredTensors } from '../formats/index.ts';
import { createEmptyModel, modelNames } from '../models/index.ts';
import { describeReport, type LoadReport } from '../nn/index.ts';
import type { Candidate } from './find-weights.ts';
import { otherClasses } from './head.ts';

type Shapes = ReadonlyMap<string, readonly number[]>;

/** Names and shapes of each architecture; filled when first asked for (a second for all of them). */
const known = new Map<string, Shapes>();

/** Any number; the classifier's rows are compared apart from the rest. */
const CLASSES = 10;

function shapesOf(name: string): Shapes {
  let shapes = known.get(name);
  if (!shapes) {
    using model = createEmptyModel(name, { classes: CLASSES });
    shapes = new Map([...model.stateDict()].map(([path, tensor]) => [path, tensor.shape]));
    known.set(name, shapes);
  }
  return shapes;
}

/** How the weights differ from an architecture, without the number of classes. */
function compare(tensors: StoredTensors, shapes: Shapes): { report: LoadReport; classes: number | undefined } {
  const report: LoadReport = { missing: [], unexpected: [], mismatched: [] };
  let classes: number | undefined;
  for (const [name, expected] of shapes) {
    const found = tensors.get(name)?.shape;
    if (!found) {
      if (!name.endsWith('num_batches_tracked')) report.missing.push(name);
    } else if (found.join() !== expected.join()) {
      report.mismatched.push({ name, expected: [...expected], found: [...found] });
    } else if (expected.length === 2) classes = expected[0];
  }
  for (const name of tensors.keys()) if (!shapes.has(name)) report.unexpected.push(name);
  const other = otherClasses(report);
  return other
    ? { report: { missing: [], unexpected: [], mismatched: [] }, classes: other.found }
    : { report, classes };
}

const size = ({ missing, unexpected, mismatched }: LoadReport): number =>
  missing.length + unexpected.length + mismatched.length;

/** An architecture here whose tensors these are, and for how many classes. */
export interface Recognized {
  model: string;
  classes: number;
}

/** Every architecture here, for `findWeights`. */
export const knownNetworks = (): Candidate[] => modelNames.map((model) => candidateOf(shapesOf(model)));

/** What tells a network's weights: those of `shapes`, whatever the number of classes. */
export function candidateOf(shapes: Shapes): Candidate {
  const names = [...shapes.keys()];
  return {
    roots: new Set(names.map((name) => name.split('.')[0]!)),
    required: names.filter((name) => !name.endsWith('num_batches_tracked')).length,
    fits: (tensors) => size(compare(tensors, shapes).report) === 0,
  };
}

const compareAll = (tensors: StoredTensors) =>
  modelNames.map((model) => ({ model, ...compare(tensors, shapesOf(model)) }));

/** The one architecture that these weights fit; null where none or several do. */
export function guessModel(tensors: StoredTensors): Recognized | null {
  const [found, second] = compareAll(tensors).filter(({ report }) => size(report) === 0);
  return found && !second ? { model: found.model, classes: found.classes! } : null;
}

/**
 * The architecture whose state dict has these names and shapes, whatever the number of classes.
 *
 * @param path how messages call the file
 * @param setting the setting that names an architecture, for the error
 * @throws UserError if none fits, naming the nearest and what keeps it from fitting, or if several do
 */
export function recognizeModel(tensors: StoredTensors, path: string, setting: string): Recognized {
  const all = compareAll(tensors);
  const fitting = all.filter(({ report }) => size(report) === 0);
  const [found] = fitting;
  if (fitting.length > 1) {
    throw new UserError(`the weights in ${path} fit ${fitting.map(({ model }) => model).join(' and ')}`, {
      hint: `say which with ${toGive(setting)}`,
    });
  }
  if (found) return { model: found.model, classes: found.classes! };
  const nearest = all.reduce((best, entry) => (size(entry.report) < size(best.report) ? entry : best));
  // Where hardly a name is shared, the list would only mislead.
  const shared = tensors.size - nearest.report.unexpected.length;
  const alike = shared * 2 >= tensors.size;
  throw new UserError(
    alike
      ? `no architecture here has the weights in ${path}; the nearest is ${nearest.model}, but\n${describeReport(nearest.report)}`
      : `no architecture here has the weights in ${path} (${[...tensors.keys()].slice(0, 4).join(', ')}, …)`,
    { hint: `for a network of your own, export it from a file and name that: ${toGive(setting, './my-net.ts')}` },
  );
}
