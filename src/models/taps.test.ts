import { expect, test } from 'vitest';
import { fillerTensor, fillModule } from '../../test/filler.ts';
import { expectNoLeak } from '../../test/torch.ts';
import { UserError } from '../base/errors.ts';
import { Identity, Module } from '../nn/index.ts';
import { noGrad, type Tensor, tidy } from '../torch/index.ts';
import { createEmptyModel, tapModel } from './index.ts';

const make = (name = 'resnet20') => fillModule(createEmptyModel(name, { classes: 10 })).eval();
const images = (): Tensor => fillerTensor('input', [2, 3, 32, 32]);

test('stages tapped by path are the network’s own feature taps', () => {
  using model = make();
  noGrad(() =>
    tidy(() => {
      const own = model.features(images());
      const { logits, taps } = tapModel(model, ['layer1', 'layer2', 'layer3', 'avgpool'])(images());
      expect(logits).toBeAllclose(own.logits, { rtol: 0, atol: 0 });
      for (const i of [0, 1, 2]) expect(taps[i]).toBeAllclose(own.taps[i + 1]!, { rtol: 0, atol: 0 });
      expect(taps[3]!.flatten(1)).toBeAllclose(own.taps[4]!, { rtol: 0, atol: 0 });
    }),
  );
});

test('a batch norm’s output is its own, though the network rectifies it in place', () => {
  using model = make();
  noGrad(() =>
    tidy(() => {
      const [tap] = tapModel(model, ['bn1'])(images()).taps;
      expect(tap!.amin().item()).toBeLessThan(-0.1);
      expect(tap!.relu()).toBeAllclose(model.features(images()).taps[0]!, { rtol: 0, atol: 0 });
    }),
  );
});

test('gradients flow through taps, in the order asked for', () => {
  using model = make().train();
  tidy(() => {
    const { taps } = tapModel(model, ['layer2.1.bn2', 'layer1.0.conv1'])(images());
    expect(taps.map((tap) => tap.shape)).toEqual([
      [2, 32, 16, 16],
      [2, 16, 32, 32],
    ]);
    taps[1]!.square().sum().backward();
    const parameters = model.namedParameters();
    expect(parameters.get('conv1.weight')!.grad!.abs().sum().item()).toBeGreaterThan(0);
    expect(parameters.get('layer1.0.conv2.weight')!.grad).toBeNull();
  });
});

test('any network will do', () =>
  tidy(() => {
    class Odd extends Module {
      readonly twice = new Identity();
      readonly never = new Identity();
      forward(input: Tensor): Tensor {
        return this.twice.forward(this.twice.forward(input).add(1));
      }
    }
    const odd = new Odd();
    const { logits, taps } = tapModel(odd, ['twice'])(fillerTensor('x', [3]));
    // It runs twice: the last output counts.
    expect(taps[0]).toBeAllclose(logits, { rtol: 0, atol: 0 });
    const run = tapModel(odd, ['never']);
    expect(() => run(fillerTensor('x', [3]))).toThrow("Odd: the module 'never' did not run");
    expectNoLeak(() => expect(() => tidy(() => run(fillerTensor('x', [3])))).toThrow(UserError));
  }));

test('an unknown path is refused at once, and the nearest named', () => {
  using model = make();
  expect(() => tapModel(model, ['layer3.2.bn3'])).toThrow(
    "ResNet has no module 'layer3.2.bn3'; did you mean 'layer3.2.bn",
  );
  expect(() => tapModel(model, ['layer9'])).toThrow(/did you mean 'layer\d'/);
});

test('costs nothing when it is over, and leaves nothing behind', () => {
  using model = make();
  const run = tapModel(model, ['layer1.0', 'fc', 'bn1', 'bn1']);
  expectNoLeak(() => tidy(() => expect(run(images()).taps).toHaveLength(4)));
  expect([...model.namedModules()].some(([, module]) => Object.hasOwn(module, 'forward'))).toBe(false);
});
