import { describe, expect, test } from 'vitest';
import { contextOf, fillerFeatures, labelsOf, smallTaps } from '../../../test/losses.ts';
import { expectNoLeak } from '../../../test/torch.ts';
import type { Features } from '../../models/index.ts';
import { type DType, grad, memory, type Tensor, tidy, zeros } from '../../torch/index.ts';
import {
  createLoss,
  type DistillLoss,
  enterPhase,
  findLoss,
  type LossContext,
  type LossInput,
  lossDefinitions,
  lossNames,
  type PhaseName,
} from './index.ts';

const taps = smallTaps([2, 3, 4]);
const samples = 12;
const context = (more: Partial<LossContext> = {}): LossContext =>
  contextOf(taps, taps, {
    classes: 5,
    samples,
    labels: Int32Array.from({ length: samples }, (_, i) => i % 5),
    ...more,
  });
const settings = (name: string): { options: Record<string, unknown> } => ({
  options: name === 'crd' ? { negatives: 4, dim: 3 } : {},
});
const make = (name: string, more: Partial<LossContext> = {}): DistillLoss =>
  createLoss(name, context(more), settings(name));

function inputOf(
  phase: PhaseName,
  { batch = 3, dtype = 'float32' as DType, student }: { batch?: number; dtype?: DType; student?: Features } = {},
): LossInput {
  return {
    student: student ?? fillerFeatures('s', taps, { batch, dtype }),
    teacher: fillerFeatures('t', taps, { batch, dtype }),
    labels: labelsOf(5, batch),
    index: Int32Array.from({ length: batch }, (_, i) => i * 2),
    epoch: 0,
    step: 0,
    seed: 0,
    phase,
  };
}

/** The sum of the terms with gradients for the student's features, logits last. */
function evaluate(loss: DistillLoss, input: LossInput): { value: number; gradients: (Tensor | null)[] } | null {
  const leaves = [...input.student.taps, input.student.logits].map((t) => t.requiresGrad_());
  const terms = Object.values(loss.terms(input));
  if (terms.length === 0) return null;
  const total = terms.reduce((sum, term) => sum.add(term));
  expect(total.shape).toEqual([]);
  return { value: total.item(), gradients: total.requiresGrad ? grad([total], leaves, { allowUnused: true }) : [] };
}

const phasesOf = (name: string): PhaseName[] => {
  const loss = make(name);
  const names = loss.phases.map((phase) => phase.name);
  loss.dispose();
  return names;
};
const runs = lossNames.flatMap((name) => phasesOf(name).map((phase) => [name, phase] as const));

describe('names', () => {
  test('RepDistiller’s and the short ones find the same loss', () => {
    const repDistiller = {
      kd: 'kd',
      hint: 'fitnet',
      attention: 'at',
      similarity: 'sp',
      correlation: 'cc',
      vid: 'vid',
      crd: 'crd',
      kdsvd: 'kdsvd',
      fsp: 'fsp',
      rkd: 'rkd',
      pkt: 'pkt',
      abound: 'ab',
      factor: 'ft',
      nst: 'nst',
    };
    for (const [theirs, ours] of Object.entries(repDistiller)) {
      expect(findLoss(theirs).name).toBe(ours);
      expect(findLoss(ours)).toBe(findLoss(theirs));
    }
    expect(findLoss('CRD').name).toBe('crd');
  });

  test('are unique', () => {
    const all = lossDefinitions.flatMap(({ name, aliases }) => [name, ...aliases]);
    expect(new Set(all).size).toBe(all.length);
  });

  test('a misspelt one names the nearest', () => {
    expect(() => findLoss('atention')).toThrow("unknown method 'atention'; did you mean 'attention'?");
    expect(() => findLoss('reviewdk')).toThrow("did you mean 'reviewkd'?");
  });
});

test('default weights are RepDistiller’s, and mdistiller’s for what came later', () => {
  const weights = Object.fromEntries(lossDefinitions.map(({ name, weight }) => [name, weight]));
  expect(weights).toEqual({
    kd: 0.9,
    fitnet: 100,
    at: 1000,
    sp: 3000,
    cc: 0.02,
    vid: 1,
    rkd: 1,
    pkt: 30000,
    ab: 1,
    ft: 200,
    fsp: 50,
    nst: 50,
    kdsvd: 1,
    crd: 0.8,
    dkd: 1,
    dist: 1,
    reviewkd: 1,
    mlkd: 0.9,
    lskd: 9,
  });
});

describe('settings', () => {
  test('an unknown option names the nearest and lists all', () => {
    expect(() => createLoss('kd', context(), { options: { temprature: 2 } })).toThrow(
      "kd has no option 'temprature'; did you mean 'temperature'?",
    );
    expect(() => createLoss('sp', context(), { options: { p: 2 } })).toThrow("sp has no option 'p'");
  });

  test('a value that is not allowed', () => {
    const create = (name: string, options: Record<string, unknown>) => () => createLoss(name, context(), { options });
    expect(create('kd', { temperature: 0 })).toThrow('kd: temperature must be a number > 0, got 0');
    expect(create('crd', { mode: 'exat' })).toThrow('crd: mode must be one of exact, relax, got "exat"');
    expect(create('crd', { negatives: 1.5 })).toThrow('crd: negatives must be an integer >= 1, got 1.5');
    expect(create('crd', { momentum: 1 })).toThrow('crd: momentum must be a number from 0 to below 1, got 1');
    expect(create('mlkd', { temperatures: [] })).toThrow('mlkd: temperatures must be a list of numbers > 0, got []');
    expect(create('dkd', { standardize: 'yes' })).toThrow('dkd: standardize must be true or false, got "yes"');
  });

  test('a weight that is not one', () => {
    expect(() => createLoss('at', context(), { weight: -1 })).toThrow('the weight of at must be a number >= 0, got -1');
    expect(() => createLoss('at', context(), { weight: Number.NaN })).toThrow('got NaN');
    expect(createLoss('at', context(), { weight: 0 }).weight).toBe(0);
  });

  test('options come out resolved', () => {
    expect(createLoss('dkd', context(), { options: { beta: 2 } }).options).toMatchObject({
      alpha: 1,
      beta: 2,
      temperature: 4,
    });
  });
});

describe('every loss, in every phase', () => {
  test.each(runs)('%s, %s: finite, with gradient for the student only', (name, phase) => {
    tidy(() => {
      const loss = make(name);
      const input = inputOf(phase);
      const teacher = [...input.teacher.taps, input.teacher.logits].map((t) => t.requiresGrad_());
      const result = evaluate(loss, input);
      if (result) {
        expect(Number.isFinite(result.value)).toBe(true);
        const reached = result.gradients.filter((gradient) => gradient !== null);
        const { student } = loss.phases.find((p) => p.name === phase)!;
        expect(reached.length > 0).toBe(student);
        for (const gradient of reached) expect(gradient.isfinite().all().item()).toBe(1);
        const total = Object.values(loss.terms(input)).reduce((sum, term) => sum.add(term));
        const back = total.requiresGrad ? grad([total], teacher, { allowUnused: true }) : [];
        expect(back.every((gradient) => gradient === null)).toBe(true);
      }
      loss.dispose();
    });
  });

  test.each(runs)('%s, %s: leaves no tensor behind', (name, phase) => {
    const before = memory().tensors;
    const loss = make(name);
    expectNoLeak(() =>
      tidy(() => {
        evaluate(loss, inputOf(phase));
      }),
    );
    loss.dispose();
    expect(memory().tensors).toBe(before);
  });

  test.each(runs)('%s, %s: dead features give a finite loss and gradient', (name, phase) => {
    tidy(() => {
      const loss = make(name);
      const student = { logits: zeros([3, 5]), taps: taps.map((shape) => zeros([3, ...shape])) };
      const result = evaluate(loss, inputOf(phase, { student }));
      if (result) {
        expect(Number.isFinite(result.value)).toBe(true);
        for (const gradient of result.gradients)
          if (gradient) expect(Number.isFinite(gradient.norm().item())).toBe(true);
      }
      loss.dispose();
    });
  });

  test.each(runs)('%s, %s: a last batch of one sample is finite', (name, phase) => {
    tidy(() => {
      const loss = make(name);
      const result = evaluate(loss, inputOf(phase, { batch: 1 }));
      if (result) expect(Number.isFinite(result.value)).toBe(true);
      loss.dispose();
    });
  });

  test.each(runs)('%s, %s: features in bfloat16 are computed with in float32', (name, phase) => {
    tidy(() => {
      const loss = make(name);
      const result = evaluate(loss, inputOf(phase, { dtype: 'bfloat16' }));
      const exact = evaluate(loss, inputOf(phase));
      if (result && exact) expect(result.value).toBeAllclose(exact.value, { rtol: 0.3 });
      loss.dispose();
    });
  });

  test.each(runs)('%s, %s: the layout of the maps does not matter', (name, phase) => {
    tidy(() => {
      const value = (format: 'contiguous' | 'channelsLast'): number | undefined => {
        const loss = make(name);
        const input = inputOf(phase);
        const lay = ({ logits, taps: maps }: Features): Features => ({
          logits,
          taps: maps.map((map) => (map.ndim === 4 ? map.contiguous(format) : map)),
        });
        const result = evaluate(loss, { ...input, student: lay(input.student), teacher: lay(input.teacher) });
        loss.dispose();
        return result?.value;
      };
      const plain = value('contiguous');
      if (plain !== undefined) expect(value('channelsLast')).toBeAllclose(plain, { rtol: 1e-4 });
    });
  });

  test.each(lossNames)('%s: weights are drawn from the seed, alike whatever else was made', (name) => {
    const bytes = (seed: number): string => {
      const loss = make(name, { seed });
      const state = [...loss.modules.stateDict()].map(
        ([key, value]) => `${key} ${Buffer.from(value.bytes()).toString('hex')}`,
      );
      loss.dispose();
      return state.join();
    };
    expect(bytes(1)).toBe(bytes(1));
    if (bytes(1) !== '') expect(bytes(2)).not.toBe(bytes(1));
  });

  test.each(lossNames)('%s: a phase hands out the parameters it trains, and freezes the others', (name) => {
    const loss = make(name);
    for (const phase of loss.phases) {
      const trained = enterPhase(loss, phase.name);
      for (const [key, module] of Object.entries(loss.modules.entries)) {
        const expected = phase.trains.includes(key);
        expect(module.training).toBe(expected);
        for (const [path] of module.namedParameters()) expect(trained.has(`${key}.${path}`)).toBe(expected);
      }
    }
    expect(loss.phases.at(-1)!.name).toBe('train');
    loss.dispose();
  });
});

test('a warm-up grows to the whole weight over its epochs', () => {
  const loss = make('dkd');
  expect([0, 9, 19, 20, 100].map((epoch) => loss.ramp(epoch))).toEqual([0.05, 0.5, 1, 1, 1]);
  expect(make('at').ramp(0)).toBe(1);
});
