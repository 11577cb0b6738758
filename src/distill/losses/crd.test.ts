import { describe, expect, test } from 'vitest';
import { filler, fillModule } from '../../../test/filler.ts';
import {
  contextOf,
  fillerFeatures,
  golden,
  gradcheckLoss,
  labelsOf,
  referenceInput,
  referenceTaps,
  smallTaps,
  worst,
} from '../../../test/losses.ts';
import { expectNoLeak } from '../../../test/torch.ts';
import { grad, memory, noGrad, type Tensor, tensor, tidy } from '../../torch/index.ts';
import { createLoss, type DistillLoss, type LossInput } from './index.ts';

interface CrdFile {
  config: { n_data: number; nce_k: number };
  idx: number[];
  steps: { loss: number; grad_l2: number; params: number[]; memory_v1_l2: number; memory_v2_l2: number }[];
}
const file = golden<CrdFile>('crd.json');

/** The reference's start: modules and memories by formula. */
function referenceLoss(prefix = 'crd.'): DistillLoss {
  const { n_data, nce_k } = file.config;
  const loss = createLoss('crd', contextOf(referenceTaps.student, referenceTaps.cross, { samples: n_data }), {
    options: { negatives: nce_k },
  });
  fillModule(loss.modules, prefix);
  const state = loss.modules.stateDict();
  noGrad(() =>
    tidy(() => {
      for (const name of ['contrast.memory_v1', 'contrast.memory_v2']) {
        const target = state.get(name)!;
        // Uniform with the bound 1 / sqrt(128 / 3).
        const values = filler(prefix + name, target.shape, 'data').map((v) => v / Math.sqrt(3) / Math.sqrt(128 / 3));
        target.copy_(tensor(values, { shape: target.shape }));
      }
      state.get('contrast.params')!.copy_(tensor([nce_k, 0.07, -1, -1, 0.5]));
    }),
  );
  return loss;
}

describe('equal to the reference values', () => {
  test('three steps on the same input: loss, gradient, constants and memories', () => {
    const { n_data, nce_k } = file.config;
    const index = Int32Array.from(file.idx);
    const width = nce_k + 1;
    const contrast = Int32Array.from({ length: 8 * width }, (_, i) => {
      const [row, col] = [Math.floor(i / width), i % width];
      return col === 0 ? index[row]! : (31 * row + 11 * col) % n_data;
    });
    tidy(() => {
      const loss = referenceLoss();
      const input: LossInput = { ...referenceInput('cross'), index, contrast };
      const state = loss.modules.stateDict();
      for (const [i, expected] of file.steps.entries()) {
        const { student, teacher } = loss.terms(input);
        const total = student!.add(teacher!);
        const gradient = grad([total], [input.student.taps.at(-1)!])[0]!;
        const errors = {
          loss: worst([total.item()], [expected.loss]),
          gradient: worst([gradient.norm().item()], [expected.grad_l2]),
          params: worst(Array.from(state.get('contrast.params')!.data() as Float32Array), expected.params),
          memory_v1: worst([state.get('contrast.memory_v1')!.norm().item()], [expected.memory_v1_l2]),
          memory_v2: worst([state.get('contrast.memory_v2')!.norm().item()], [expected.memory_v2_l2]),
        };
        for (const [what, error] of Object.entries(errors)) expect(error, `step ${i}: ${what}`).toBeLessThan(1e-5);
      }
      loss.dispose();
    });
  });

  test('state is named as the reference names it', () => {
    const loss = referenceLoss();
    expect([...loss.modules.stateDict().keys()]).toEqual([
      'embed_s.linear.weight',
      'embed_s.linear.bias',
      'embed_t.linear.weight',
      'embed_t.linear.bias',
      'contrast.params',
      'contrast.memory_v1',
      'contrast.memory_v2',
    ]);
    loss.dispose();
  });
});

const student = smallTaps([2, 3, 4]);
const teacher = smallTaps([3, 4, 5]);
const samples = 20;
const labels = Int32Array.from({ length: samples }, (_, i) => i % 5);
const index = Int32Array.from([3, 11, 7]);

function makeLoss(options: Record<string, unknown> = {}, seed = 0): DistillLoss {
  return createLoss('crd', contextOf(student, teacher, { samples, labels, classes: 5, seed }), {
    options: { negatives: 6, dim: 8, ...options },
  });
}

function inputFor(more: Partial<LossInput> = {}): LossInput {
  return {
    student: fillerFeatures('s', student, { dtype: 'float32' }),
    teacher: fillerFeatures('t', teacher, { dtype: 'float32' }),
    labels: labelsOf(5, 3),
    index,
    epoch: 0,
    step: 0,
    seed: 1,
    phase: 'train',
    ...more,
  };
}

const total = (loss: DistillLoss, input: LossInput): number =>
  Object.values(loss.terms(input)).reduce((sum, term) => sum + term.item(), 0);

/** Put the state of a first step back. */
const snapshot = (loss: DistillLoss): (() => void) => {
  const saved = new Map([...loss.modules.stateDict()].map(([name, value]) => [name, value.detach().clone()]));
  return () => {
    loss.modules.loadStateDict(saved);
  };
};

describe('gradient', () => {
  // Eval mode keeps the memories, so that the loss is a function; Z is of the first batch, as a constant.
  const check = (options: Record<string, unknown>): void =>
    gradcheckLoss('crd', student, teacher, {
      moved: [3],
      context: { samples, labels, classes: 5 },
      options: { negatives: 6, dim: 8, ...options },
      input: { index },
      reset(loss) {
        loss.modules.eval();
        const params = loss.modules.stateDict().get('contrast.params')!;
        params.copy_(tensor([6, 0.07, 30, 40, 0.5], { dtype: params.dtype }));
      },
      // exp(1 / 0.07) magnifies the differences' own error.
      rtol: 1e-4,
    });
  test('agrees with finite differences', () => check({}));
  test('agrees with finite differences, rows one by one', () => check({ negatives: 1 }));
  test('agrees with finite differences, relaxed', () => check({ mode: 'relax' }));
});

test('memories move halfway to the new embeddings and stay of length 1; other rows stay', () => {
  tidy(() => {
    const loss = makeLoss();
    const state = loss.modules.stateDict();
    const before = state.get('contrast.memory_v1')!.toArray() as number[][];
    const input = inputFor();
    loss.terms(input);
    const after = state.get('contrast.memory_v1')!.toArray() as number[][];
    const embedded = loss.modules.entries.embed_s!.forward(input.student.taps[3]!).toArray() as number[][];
    for (let i = 0; i < samples; i++) {
      const b = index.indexOf(i);
      if (b < 0) {
        expect(after[i]).toEqual(before[i]);
        continue;
      }
      const moved = before[i]!.map((value, d) => 0.5 * value + 0.5 * embedded[b]![d]!);
      const length = Math.hypot(...moved);
      expect(after[i]).toBeAllclose(
        moved.map((value) => value / length),
        { rtol: 1e-5, atol: 1e-6 },
      );
    }
    loss.dispose();
  });
});

test('Z is set by the first batch and kept; eval mode changes nothing', () => {
  tidy(() => {
    const loss = makeLoss();
    const params = (): number[] => Array.from(loss.modules.stateDict().get('contrast.params')!.data() as Float32Array);
    loss.modules.eval();
    const memoryBefore = loss.modules.stateDict().get('contrast.memory_v2')!.bytes();
    total(loss, inputFor());
    expect(params().slice(2, 4)).toEqual([-1, -1]);
    expect(loss.modules.stateDict().get('contrast.memory_v2')!.bytes()).toEqual(memoryBefore);
    loss.modules.train();
    total(loss, inputFor());
    const set = params();
    expect(Math.min(set[2]!, set[3]!)).toBeGreaterThan(0);
    total(loss, inputFor({ epoch: 1 }));
    expect(params()).toEqual(set);
    loss.dispose();
  });
});

test('continues from a checkpoint as if it had not stopped, and draws anew each epoch', () => {
  tidy(() => {
    const first = makeLoss();
    const other = makeLoss({}, 5);
    total(first, inputFor());
    other.modules.loadStateDict(first.modules.stateDict());
    const next = inputFor({ epoch: 1, step: 1 });
    expect(total(other, next)).toBe(total(first, next));
    const back = snapshot(first);
    const values = [1, 2].map((epoch) => {
      back();
      return total(first, inputFor({ epoch }));
    });
    expect(values[0]).not.toBe(values[1]);
    first.dispose();
    other.dispose();
  });
});

test('leaves no tensor behind', () => {
  const loss = makeLoss();
  expectNoLeak(() => {
    tidy(() => {
      const input = inputFor();
      const features = input.student.taps.map((tap) => tap.requiresGrad_());
      const terms: Tensor[] = Object.values(loss.terms({ ...input, student: { ...input.student, taps: features } }));
      grad([terms[0]!.add(terms[1]!)], [features[3]!]);
    });
  });
  loss.dispose();
});

describe('bad input', () => {
  const context = contextOf(student, teacher, { samples, labels, classes: 5 });
  test('memory that would not fit, before it is allocated', () => {
    const before = memory().bytes;
    expect(() =>
      createLoss('crd', { ...context, samples: 1_281_167, labels: new Int32Array(1_281_167), availableMemory: 1e9 }),
    ).toThrow(/crd with 1281167 training samples needs 1\.3 GB, and 1\.0 GB are free/);
    expect(memory().bytes).toBe(before);
  });
  test('one class only', () => {
    expect(() => createLoss('crd', { ...context, labels: new Int32Array(samples) })).toThrow(
      /all training samples are of one class/,
    );
  });
  test('a class outside the classes', () => {
    expect(() => createLoss('crd', { ...context, classes: 4 })).toThrow(
      /sample 4 is of class 4, and there are 4 classes/,
    );
  });
  test('samples outside the memory', () => {
    const loss = makeLoss();
    tidy(() => {
      expect(() => loss.terms(inputFor({ index: Int32Array.from([1, 2, 20]) }))).toThrow(/sample 20 is outside the 20/);
      expect(() => loss.terms(inputFor({ contrast: Int32Array.from([1, 2, 3, 4, 5, 99]) }))).toThrow(
        /sample 99 is outside/,
      );
      expect(() => loss.terms(inputFor({ contrast: Int32Array.from([1, 2]) }))).toThrow(/do not make rows/);
    });
    loss.dispose();
  });
});
