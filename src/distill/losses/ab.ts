/**
 * @file AB: Heo, Lee, Yun, Choi, "Knowledge Transfer via Distillation of Activation Boundaries Formed by Hidden Neurons", AAAI 2019.
 *
 *     sum over stages i < n of 2^(i-n+1) 3 / (1000 B) sum of [t > 0] relu(m - c(s))^2 + [t <= 0] relu(m + c(s))^2
 *
 * Two stages. `init`, 30 epochs: this loss alone trains the student's feature modules and the connectors c (conv and batch norm;
 * none where the shapes agree). `train`: no term; the student goes on with the cross entropy. Taps: the stages before their last
 * ReLU. Margin m = 1, default weight 1. As RepDistiller, whose sum over elements makes the term grow with the map; the authors'
 * code initialises with the same loss on a network per dataset and shares its factors.
 */

import { count, positive } from '../../base/options.ts';
import { Module } from '../../nn/index.ts';
import type { Tensor } from '../../torch/index.ts';
import { defineLoss, type LossContext, type TapShapes } from './loss.ts';
import { makeModules } from './modules.ts';
import { initPhase, plainPhase } from './phases.ts';
import { type ConvRegressor, convRegressor } from './regressor.ts';
import { describeTap, readPair, stagePairs, type TapPair } from './taps.ts';

/** One regressor a stage, or nothing where student and teacher agree in shape (RepDistiller's Connector and its names). */
export class Connector extends Module {
  readonly connectors: readonly Module[];

  constructor(context: LossContext, pairs: readonly TapPair[]) {
    super();
    const shape = (taps: TapShapes, index: number): readonly number[] => taps[index]!;
    const { student, teacher } = context;
    this.connectors = pairs.map((pair): Same | ConvRegressor => {
      const from = shape(student.taps, pair.student);
      const to = shape(teacher.taps, pair.teacher);
      if (from.join() === to.join()) return new Same();
      return convRegressor(from, to, {
        relu: false,
        from: describeTap('student', student, pair.student),
        to: describeTap('teacher', teacher, pair.teacher),
      });
    });
  }

  forward(input: Tensor): Tensor {
    return this.connect(input, 0);
  }

  connect(input: Tensor, stage: number): Tensor {
    return this.connectors[stage]!.forward(input);
  }
}

class Same extends Module {
  forward(input: Tensor): Tensor {
    return input;
  }
}

/** The sum over all elements: how far the student is from the teacher's side of the boundary, plus the margin, squared. */
export function boundaryDistance(s: Tensor, t: Tensor, margin: number): Tensor {
  const active = t.gt(0).to(s.dtype);
  const below = s.rsub(margin).relu().square().mul(active);
  const above = s.add(margin).relu().square().mul(active.rsub(1));
  return below.add(above).sum();
}

export const abound = defineLoss({
  name: 'ab',
  aliases: ['abound'],
  paper: 'Heo et al.: Knowledge Transfer via Distillation of Activation Boundaries (AAAI 2019, arXiv:1811.03233)',
  year: 2019,
  equation: 'Σ_i 2^{i−n+1} 3/(1000 B) Σ [t>0] (m − c(s))₊² + [t≤0] (m + c(s))₊²',
  taps: 'stages before their last ReLU',
  weight: 1,
  gamma: 1,
  initOnly: true,
  options: {
    margin: positive(1, 'distance from the boundary that is asked for'),
    initEpochs: count(30, 'epochs of the initialisation'),
  },
  create(context, { margin, initEpochs }) {
    const pairs = stagePairs('ab', context);
    const modules = makeModules('ab', context.seed, () => ({ connector: new Connector(context, pairs) }));
    return {
      modules,
      phases: [
        initPhase({
          epochs: initEpochs,
          trains: ['connector'],
          needs: { student: 'preact', teacher: 'preact', index: false },
        }),
        plainPhase(),
      ],
      terms(input) {
        if (input.phase === 'train') return {};
        const batch = input.labels.size(0);
        return Object.fromEntries(
          pairs.map((pair, i) => {
            const { s, t } = readPair(input, pair);
            const scale = (2 ** (i - pairs.length + 1) * 3) / (1000 * batch);
            return [pair.name, boundaryDistance(modules.entries.connector.connect(s, i), t, margin).mul(scale)];
          }),
        );
      },
    };
  },
});
