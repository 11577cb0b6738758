import { expect, test } from 'vitest';
import { fillerTensor, fillModule } from '../../test/filler.ts';
import { BatchNorm2d, Conv2d, foldBatchNorm, Sequential } from '../nn/index.ts';
import { memory, type Tensor, tidy } from '../torch/index.ts';
import { convNorm, convNormAdd, convNormRelu } from './image-model.ts';

const make = (): Sequential =>
  fillModule(new Sequential(new Conv2d(3, 4, 3, { padding: 1 }), new BatchNorm2d(4))).eval();
const cases: [string, (conv: Conv2d, norm: BatchNorm2d, input: Tensor, residual: Tensor) => Tensor][] = [
  ['convNorm', convNorm],
  ['convNormRelu', convNormRelu],
  ['convNormAdd', convNormAdd],
];

test.each(cases)('%s leaves one tensor, its result, batch norm folded or not', (name, run) =>
  tidy(() => {
    using net = make();
    const [conv, norm] = net.modules as [Conv2d, BatchNorm2d];
    const input = fillerTensor('x', [2, 3, 4, 4]);
    const residual = fillerTensor('r', [2, 4, 4, 4]);
    const plain = norm.forward(conv.forward(input));
    const expected = name === 'convNorm' ? plain : name === 'convNormRelu' ? plain.relu() : plain.add(residual);
    for (const folded of [false, true]) {
      if (folded) foldBatchNorm(net);
      const before = memory().tensors;
      const result = run(conv, norm, input, residual);
      expect(memory().tensors).toBe(before + 1);
      expect(result).toBeAllclose(expected, { rtol: 1e-5, atol: 1e-6 });
    }
  }),
);
