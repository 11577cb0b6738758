/** @file SGD and AdamW in float64, and clipping, against PyTorch's; what holds for every optimizer. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { filler, fillerKind, fillerTensor } from '../../test/filler.ts';
import { expectNoLeak } from '../../test/torch.ts';
import { type DType, type MemoryFormat, noGrad, type Tensor, tensor, tidy } from '../torch/index.ts';
import { AdamW, clipGradNorm, makeOptimizer, type Optimizer, type OptimizerName, parameter, SGD } from './index.ts';

interface Fixture {
  paths: {
    optimizer: OptimizerName;
    options: {
      lr?: number;
      betas?: [number, number];
      eps?: number;
      weight_decay?: number;
      momentum?: number;
      dampening?: number;
      nesterov?: boolean;
    };
    /** Up to eight values of each parameter after each step. */
    path: Record<string, number[]>[];
  }[];
  clips: { max: number; type: string; norm: number; gradients: Record<string, number[]> }[];
}

/** Made by optimizers.py beside it. */
const { paths, clips } = JSON.parse(
  readFileSync(new URL('../../test/fixtures/nn/optimizers.json', import.meta.url), 'utf8'),
) as Fixture;

const shapes: Record<string, number[]> = { 'conv.weight': [4, 3, 3, 3], 'conv.bias': [4], late: [5], never: [2] };

interface Kind {
  dtype?: DType;
  memoryFormat?: MemoryFormat;
}

const makeParameters = ({ dtype = 'float64', memoryFormat = 'contiguous' }: Kind = {}): Map<string, Tensor> =>
  new Map(
    Object.entries(shapes).map(([name, shape]) => [
      name,
      parameter(
        tidy(() =>
          tensor(filler(name, shape, fillerKind(name, shape)), { shape }).to({
            dtype,
            ...(shape.length === 4 ? { memoryFormat } : {}),
          }),
        ),
      ),
    ]),
  );

function setGradients(parameters: ReadonlyMap<string, Tensor>, step: number): void {
  tidy(() => {
    for (const [name, p] of parameters) {
      const has = name !== 'never' && !(name === 'late' && step < 3);
      p.grad = has ? fillerTensor(`gradient.${step}.${name}`, shapes[name]!).to(p.dtype) : null;
    }
  });
}

function make(parameters: ReadonlyMap<string, Tensor>, { optimizer, options }: Fixture['paths'][number]): Optimizer {
  const { weight_decay: weightDecay, lr, ...rest } = options;
  const decay = weightDecay === undefined ? {} : { weightDecay };
  if (optimizer === 'adamw') return new AdamW(parameters, { ...rest, ...decay, ...(lr === undefined ? {} : { lr }) });
  return new SGD(parameters, { ...rest, ...decay, lr: lr! });
}

const free = (...owners: (ReadonlyMap<string, Tensor> | Optimizer)[]): void => {
  for (const owner of owners) {
    if (owner instanceof Map) for (const t of owner.values()) t.dispose();
    else (owner as Optimizer).dispose();
  }
};

describe.each(paths.map((each) => ({ ...each, title: `${each.optimizer} ${JSON.stringify(each.options)}` })))(
  '$title',
  (each) => {
    // Gradients are contiguous in all cases. float32 is held to its own rounding over six steps.
    test.each([
      ['float64', 'contiguous', 1e-13],
      ['float64', 'channelsLast', 1e-13],
      ['float32', 'contiguous', 2e-6],
    ] as const)('PyTorch’s path, %s, %s', (dtype, memoryFormat, tolerance) => {
      const parameters = makeParameters({ dtype, memoryFormat });
      const optimizer = make(parameters, each);
      for (const [step, expected] of each.path.entries()) {
        if (step === 4) optimizer.lr *= 0.1;
        setGradients(parameters, step);
        optimizer.step();
        for (const [name, p] of parameters) {
          const first = [...p.toFloat64Array()].slice(0, 8);
          expect(first, `${name}, step ${step}`).toBeAllclose(expected[name]!, { rtol: tolerance, atol: tolerance });
        }
      }
      free(optimizer, parameters);
    });

    test('saved after three steps and loaded, goes on to the same bits', () => {
      const run = (interrupted: boolean): Float64Array[] => {
        const parameters = makeParameters({ dtype: 'float32' });
        let optimizer = make(parameters, each);
        for (let step = 0; step < 6; step++) {
          if (interrupted && step === 3) {
            const state = new Map([...optimizer.stateDict()].map(([name, m]) => [name, noGrad(() => m.clone())]));
            const { steps } = optimizer;
            optimizer.dispose();
            optimizer = make(parameters, each);
            optimizer.loadStateDict(state, steps);
            free(state);
          }
          setGradients(parameters, step);
          optimizer.step();
        }
        const result = [...parameters.values()].map((p) => p.toFloat64Array());
        free(optimizer, parameters);
        return result;
      };
      expect(run(true)).toEqual(run(false));
    });
  },
);

test('a learning rate of 0.1 on a float64 1 is 0.1, not what float32 makes of it', () => {
  const p = parameter(tensor([1], { dtype: 'float64' }));
  p.grad = tensor([1], { dtype: 'float64' });
  new SGD(new Map([['p', p]]), { lr: 0.1 }).step();
  expect(p.item()).toBe(0.9);
  p.grad = null;
  p.dispose();
});

describe('bfloat16 parameters, which no fused pass takes', () => {
  test.each(['sgd', 'adamw'] as const)('%s agrees with float32 to bfloat16’s digits', (optimizer) => {
    const run = (dtype: DType): number[] => {
      const parameters = makeParameters({ dtype });
      const made = makeOptimizer(parameters, { optimizer, lr: 0.01, momentum: 0.9, weightDecay: 0.01 });
      for (let step = 0; step < 3; step++) {
        setGradients(parameters, step);
        made.step();
      }
      const result = [...parameters.values()].flatMap((p) => [...p.toFloat64Array()]);
      free(made, parameters);
      return result;
    };
    expect(run('bfloat16')).toBeAllclose(run('float32'), { rtol: 0.02, atol: 0.01 });
  });
});

test('AdamW: steps leave no tensors behind, dispose frees the state, reset begins anew', () => {
  const parameters = makeParameters({ dtype: 'float32', memoryFormat: 'channelsLast' });
  const optimizer = new AdamW(parameters);
  expectNoLeak(() => {
    setGradients(parameters, 5);
    optimizer.step();
    optimizer.zeroGrad();
  });
  expectNoLeak(() => new AdamW(parameters).dispose());
  optimizer.reset();
  expect(optimizer.steps).toBe(0);
  for (const [name, value] of optimizer.stateDict())
    expect(
      tidy(() => value.abs().sum().item()),
      name,
    ).toBe(0);
  free(optimizer, parameters);
});

describe('wrong options', () => {
  test.each([
    [{ lr: -1 }, 'AdamW: lr must be a number >= 0, got -1'],
    [{ eps: Number.NaN }, 'AdamW: eps must be a number >= 0, got NaN'],
    [{ betas: [0.9, 1] as const }, 'AdamW: betas must be from 0 to below 1, got 1'],
  ])('%o', (options, message) => {
    expect(() => new AdamW(new Map(), options)).toThrow(message);
  });

  test('an unknown optimizer names the nearest', () => {
    const optimizer = 'adam' as OptimizerName;
    expect(() => makeOptimizer(new Map(), { optimizer, lr: 1, weightDecay: 0 })).toThrow("did you mean 'adamw'?");
  });

  test('the state of another optimizer is refused', () => {
    const parameters = makeParameters();
    const [sgd, adamw] = [new SGD(parameters, { lr: 1, momentum: 0.9 }), new AdamW(parameters)];
    expect(() => adamw.loadStateDict(sgd.stateDict(), 1)).toThrow('the checkpoint has no step for conv.weight');
    expect(adamw.steps).toBe(0);
    free(sgd, adamw, parameters);
  });
});

describe('clipGradNorm', () => {
  test.each(clips)('norm of type $type to at most $max, as PyTorch', ({ max, type, norm, gradients }) => {
    const parameters = makeParameters();
    setGradients(parameters, 0);
    const normType = type === 'inf' ? Number.POSITIVE_INFINITY : Number(type);
    expect(clipGradNorm(parameters.values(), max, { normType })).toBeAllclose(norm, { rtol: 1e-13 });
    tidy(() => {
      for (const [name, expected] of Object.entries(gradients)) {
        const first = [...parameters.get(name)!.grad!.toFloat64Array()].slice(0, 8);
        expect(first, name).toBeAllclose(expected, { rtol: 1e-13, atol: 0 });
      }
    });
    for (const p of parameters.values()) p.grad = null;
    expect(clipGradNorm(parameters.values(), max)).toBe(0);
    free(parameters);
  });

  test('leaves nothing behind; a norm that is not finite is told and changes nothing', () => {
    const parameters = makeParameters();
    setGradients(parameters, 0);
    expectNoLeak(() => clipGradNorm(parameters.values(), 0.1));
    parameters.get('conv.bias')!.grad = tensor([1, Number.NaN, 1, 1], { dtype: 'float64' });
    const before = tidy(() => parameters.get('conv.weight')!.grad!.toFloat64Array());
    expect(clipGradNorm(parameters.values(), 0.1)).toBeNaN();
    expect(tidy(() => parameters.get('conv.weight')!.grad!.toFloat64Array())).toEqual(before);
    free(parameters);
  });

  test('needs a norm above 0', () => {
    expect(() => clipGradNorm([], 0)).toThrow('must be above 0, got 0');
  });
});
