/**
 * @file VID: Ahn, Hu, Damianou, Lawrence, Dai, "Variational Information Distillation for Knowledge Transfer", CVPR 2019.
 *
 *     sum over stages of mean 1/2 ((mu(f_s) - f_t)^2 / var + log var)
 *
 * mu: three 1x1 convolutions without bias with ReLU between, var = softplus(log_scale) + 1e-5 per channel, 5.0 at the start; both
 * trained. Taps: the stages; the higher map is average-pooled to the lower. Default weight 1, as RepDistiller. The authors' code
 * also reads the logits.
 */

import { positive } from '../../base/options.ts';
import { Conv2d, init, Module, parameter, ReLU, Sequential } from '../../nn/index.ts';
import { ops, type Tensor, tidy, zeros } from '../../torch/index.ts';
import { defineLoss } from './loss.ts';
import { makeModules } from './modules.ts';
import { poolToSmaller, readPair, stagePairs } from './taps.ts';

/** Keeps the variance away from 0. */
const EPS = 1e-5;

/** The Gaussian that predicts one of the teacher's maps from the student's. */
export class GaussianRegressor extends Module {
  readonly initialVariance: number;
  log_scale: Tensor;
  readonly regressor: Sequential;

  constructor(inChannels: number, outChannels: number, initialVariance: number) {
    super();
    this.initialVariance = initialVariance;
    this.log_scale = parameter(zeros([outChannels]));
    const conv = (from: number): Conv2d => new Conv2d(from, outChannels, 1, { bias: false });
    this.regressor = new Sequential(conv(inChannels), new ReLU(), conv(outChannels), new ReLU(), conv(outChannels));
  }

  override resetParameters(): void {
    init.constant(this.log_scale, Math.log(Math.expm1(this.initialVariance - EPS)));
  }

  /** The predicted mean of the teacher's map. */
  forward(input: Tensor): Tensor {
    return this.regressor.forward(input);
  }

  /** Mean negative log likelihood of the target, without its constant. */
  loss(input: Tensor, target: Tensor): Tensor {
    return tidy(() => {
      const variance = ops.softplus(this.log_scale).add(EPS).view([1, -1, 1, 1]);
      return this.forward(input).sub(target).square().div(variance).add(variance.log()).mean().mul(0.5);
    });
  }
}

/** Named 0, 1, … in the state dict. */
class RegressorList extends Sequential {
  readonly list: readonly GaussianRegressor[];

  constructor(list: readonly GaussianRegressor[]) {
    super(...list);
    this.list = list;
  }
}

export const vid = defineLoss({
  name: 'vid',
  aliases: [],
  paper: 'Ahn et al.: Variational Information Distillation for Knowledge Transfer (CVPR 2019, arXiv:1904.05835)',
  year: 2019,
  equation: 'Σ_stages mean ½((μ(f_s) − f_t)²/σ² + log σ²)',
  taps: 'stages',
  weight: 1,
  gamma: 1,
  options: { variance: positive(5, 'variance per channel at the start') },
  create(context, { variance }) {
    const pairs = stagePairs('vid', context);
    const modules = makeModules('vid', context.seed, () => ({
      vid: new RegressorList(
        pairs.map(
          ({ student, teacher }) =>
            new GaussianRegressor(context.student.taps[student]![0]!, context.teacher.taps[teacher]![0]!, variance),
        ),
      ),
    }));
    return {
      modules,
      needs: { student: 'taps', teacher: 'taps' },
      terms: (input) =>
        Object.fromEntries(
          pairs.map((pair, i) => {
            const { s, t } = readPair(input, pair);
            const maps = poolToSmaller(s, t);
            return [pair.name, modules.entries.vid.list[i]!.loss(maps.s, maps.t)];
          }),
        ),
    };
  },
});
