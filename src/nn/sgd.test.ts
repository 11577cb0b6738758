import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { filler, fillerKind, fillerTensor } from '../../test/filler.ts';
import { readNN } from '../../test/fixtures/nn/read.ts';
import { expectNoLeak } from '../../test/torch.ts';
import { type MemoryFormat, noGrad, type Tensor, tensor, tidy } from '../torch/index.ts';
import { parameter, SGD, type SGDOptions } from './index.ts';

const cases = readNN().sgd.map(({ options, path }) => {
  const { weight_decay: weightDecay, ...rest } = options;
  return { path, options: { ...rest, ...(weightDecay === undefined ? {} : { weightDecay }) } as SGDOptions };
});

const shapes: Record<string, number[]> = { 'conv.weight': [4, 3, 3, 3], 'conv.bias': [4], late: [5], never: [2] };

const makeParameters = (memoryFormat: MemoryFormat = 'contiguous'): Map<string, Tensor> =>
  new Map(
    Object.entries(shapes).map(([name, shape]) => {
      const values = tidy(() => {
        const made = tensor(filler(name, shape, fillerKind(name, shape)), { shape });
        return shape.length === 4 ? made.to({ memoryFormat }) : made;
      });
      return [name, parameter(values)];
    }),
  );

/** The gradients of the fixture: `late` has its first in step 3, `never` none. */
function setGradients(parameters: ReadonlyMap<string, Tensor>, step: number): void {
  tidy(() => {
    for (const [name, p] of parameters) {
      const has = name !== 'never' && !(name === 'late' && step < 3);
      p.grad = has ? fillerTensor(`gradient.${step}.${name}`, shapes[name]!) : null;
    }
  });
}

const values = (parameters: ReadonlyMap<string, Tensor>): Float64Array[] =>
  [...parameters.values()].map((p) => p.toFloat64Array());
const free = (tensors: ReadonlyMap<string, Tensor>): void => {
  for (const t of tensors.values()) t.dispose();
};

describe.each(cases)('$options', ({ options, path }) => {
  // The gradients are contiguous in both cases, as libtorch may give them for channels-last weights.
  test.each(['contiguous', 'channelsLast'] as const)('PyTorch’s path, weights %s', (memoryFormat) => {
    const parameters = makeParameters(memoryFormat);
    const optimizer = new SGD(parameters, options);
    for (const [step, expected] of path.entries()) {
      optimizer.lr = options.lr * (step >= 4 ? 0.1 : 1);
      setGradients(parameters, step);
      optimizer.step();
      for (const [name, p] of parameters) {
        if (expected[name]) expect(p.toFloat64Array()).toBeAllclose(expected[name], { rtol: 1e-5, atol: 1e-6 });
      }
    }
    expect(optimizer.steps).toBe(6);
    optimizer.dispose();
    free(parameters);
  });

  test('saved after three steps and loaded, goes on to the same bits', () => {
    const run = (interrupted: boolean): Float64Array[] => {
      const parameters = makeParameters();
      let optimizer = new SGD(parameters, options);
      for (let step = 0; step < 6; step++) {
        if (interrupted && step === 3) {
          const state = new Map([...optimizer.stateDict()].map(([name, m]) => [name, noGrad(() => m.clone())]));
          const steps = optimizer.steps;
          optimizer.dispose();
          optimizer = new SGD(parameters, options);
          optimizer.loadStateDict(state, steps);
          free(state);
        }
        setGradients(parameters, step);
        optimizer.step();
      }
      const result = values(parameters);
      optimizer.dispose();
      free(parameters);
      return result;
    };
    expect(run(true)).toEqual(run(false));
  });
});

test('the rule, in float64, for any hyperparameters', () => {
  const unit = fc.double({ min: 0, max: 1, noNaN: true });
  // The kernel computes in float32: a momentum that is zero there is no momentum.
  const some = fc.oneof(fc.constant(0), fc.double({ min: 1e-3, max: 1, noNaN: true }));
  fc.assert(
    fc.property(unit, some, unit, unit, fc.boolean(), (lr, momentum, weightDecay, dampen, wantsNesterov) => {
      const nesterov = wantsNesterov && momentum > 0;
      const dampening = nesterov ? 0 : dampen;
      const p = parameter(fillerTensor('p', [7]));
      const optimizer = new SGD(new Map([['p', p]]), { lr, momentum, weightDecay, dampening, nesterov });
      const w = p.toFloat64Array();
      let m = new Float64Array(7);
      for (let step = 0; step < 4; step++) {
        const g = filler(`g${step}`, [7]);
        tidy(() => {
          p.grad = tensor(g);
        });
        optimizer.step();
        const d = w.map((x, i) => g[i]! + weightDecay * x);
        m = m.map((x, i) => (step === 0 ? d[i]! : momentum * x + (1 - dampening) * d[i]!));
        for (let i = 0; i < 7; i++) {
          const change = momentum === 0 ? d[i]! : nesterov ? d[i]! + momentum * m[i]! : m[i]!;
          w[i] = w[i]! - lr * change;
        }
      }
      expect(p.toFloat64Array()).toBeAllclose(w, { rtol: 1e-4, atol: 1e-5 });
      optimizer.dispose();
      p.dispose();
    }),
    { numRuns: 40 },
  );
});

test('a step makes the weights a new version, so that a stale graph is noticed', () =>
  tidy(() => {
    const p = parameter(fillerTensor('p', [3]));
    const optimizer = new SGD(new Map([['p', p]]), { lr: 0.1 });
    const output = p.mul(p).sum();
    p.grad = fillerTensor('g', [3]);
    optimizer.step();
    expect(() => output.backward()).toThrow(/modified by an inplace operation/);
    p.dispose();
  }));

test('zeroGrad forgets the gradients', () => {
  const parameters = makeParameters();
  const optimizer = new SGD(parameters, { lr: 0.1 });
  setGradients(parameters, 5);
  optimizer.zeroGrad();
  expect([...parameters.values()].every((p) => p.grad === null)).toBe(true);
  optimizer.dispose();
  free(parameters);
});

test('steps leave no tensors behind, and dispose frees the momentum', () => {
  const parameters = makeParameters('channelsLast');
  const optimizer = new SGD(parameters, { lr: 0.1, momentum: 0.9, dampening: 0.1 });
  expectNoLeak(() => {
    setGradients(parameters, 5);
    optimizer.step();
    optimizer.zeroGrad();
  });
  expectNoLeak(() => new SGD(parameters, { lr: 0.1, momentum: 0.9 }).dispose());
  optimizer.dispose();
  free(parameters);
});

describe('wrong options', () => {
  const none = new Map<string, Tensor>();
  test.each([
    ['lr', { lr: -0.1 }, 'SGD: lr must be a number >= 0, got -0.1'],
    ['momentum', { lr: 0.1, momentum: Number.NaN }, 'SGD: momentum must be a number >= 0, got NaN'],
    ['weight decay', { lr: 0.1, weightDecay: -1 }, 'SGD: weightDecay must be a number >= 0, got -1'],
    ['Nesterov alone', { lr: 0.1, nesterov: true }, 'SGD: Nesterov momentum needs a momentum and no dampening'],
    ['Nesterov dampened', { lr: 0.1, momentum: 0.9, dampening: 0.1, nesterov: true }, 'no dampening'],
  ])('%s', (_, options, message) => {
    expect(() => new SGD(none, options)).toThrow(message);
  });

  test('a state that lacks a parameter’s momentum, or has it in another shape, names it', () => {
    const parameters = makeParameters();
    const optimizer = new SGD(parameters, { lr: 0.1, momentum: 0.9 });
    const state = new Map(optimizer.stateDict());
    state.delete('momentum.late');
    expect(() => optimizer.loadStateDict(state, 1)).toThrow('no momentum for late');
    const one = tensor([1]);
    state.set('momentum.late', one);
    expect(() => optimizer.loadStateDict(state, 1)).toThrow('the momentum of late is [1], the parameter is [5]');
    expect(optimizer.steps).toBe(0);
    one.dispose();
    optimizer.dispose();
    free(parameters);
  });
});
