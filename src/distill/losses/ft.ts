/**
 * @file FT: Kim, Park, Kwak, "Paraphrasing Complex Network: Network Compression via Factor Transfer", NeurIPS 2018.
 *
 *     mean |q(translator(f_s)) - q(paraphraser(f_t))|^p2,   q(f) = mean_c |f|^2 over the channels, flattened, of length 1
 *
 * Two stages. `init`, 30 epochs: the paraphraser, an auto-encoder of the teacher's map (k = 0.5 of its channels, LeakyReLU 0.1, no
 * batch norm), learns to reproduce it (mean squared error); the student does not run. `train`: the paraphraser is frozen, the
 * translator (the same encoder with batch norm) and the student learn its factors. Taps: the last stage. p2 = 1, default weight
 * 200. As RepDistiller, the learning rate of `init` included: 0.01 for ResNet and WRN students, else the run's. The paper
 * normalises the factors themselves, without the mean over channels.
 */

import { count, oneOf, positive } from '../../base/options.ts';
import { BatchNorm2d, Conv2d, ConvTranspose2d, Identity, LeakyReLU, Module, Sequential } from '../../nn/index.ts';
import { type Tensor, tidy } from '../../torch/index.ts';
import { attentionMap } from './at.ts';
import { meanSquare } from './functions.ts';
import { defineLoss } from './loss.ts';
import { makeModules } from './modules.ts';
import { initPhase, trainPhase } from './phases.ts';
import { lastStage, poolToSmaller, readPair } from './taps.ts';

const SLOPE = 0.1;

/** Three layers 3x3; the names are RepDistiller's: 0, 3, 6 and, with batch norm, 1, 4, 7. */
function layers(
  channels: readonly [number, number, number, number],
  make: (from: number, to: number) => Module,
  norm: boolean,
): Sequential {
  const parts = [0, 1, 2].flatMap((i) => {
    const to = channels[i + 1]!;
    return [make(channels[i]!, to), norm ? new BatchNorm2d(to) : new Identity(), new LeakyReLU(SLOPE)];
  });
  return new Sequential(...parts);
}

const conv = (from: number, to: number): Module => new Conv2d(from, to, 3, { padding: 1 });
const deconv = (from: number, to: number): Module => new ConvTranspose2d(from, to, 3, { padding: 1 });

/** The student's factor. */
export class Translator extends Module {
  readonly encoder: Sequential;

  constructor(inChannels: number, factors: number) {
    super();
    this.encoder = layers([inChannels, inChannels, factors, factors], conv, true);
  }

  forward(input: Tensor): Tensor {
    return this.encoder.forward(input);
  }
}

/** The auto-encoder of the teacher's map; its code is the teacher's factor. */
export class Paraphraser extends Module {
  readonly encoder: Sequential;
  readonly decoder: Sequential;

  constructor(channels: number, factors: number) {
    super();
    this.encoder = layers([channels, channels, factors, factors], conv, false);
    this.decoder = layers([factors, factors, channels, channels], deconv, false);
  }

  /** The factor. */
  forward(input: Tensor): Tensor {
    return this.encoder.forward(input);
  }

  reconstruct(input: Tensor): Tensor {
    return tidy(() => this.decoder.forward(this.encoder.forward(input)));
  }
}

/** RepDistiller's list: the CIFAR ResNets and wide ResNets. */
const slowInit = /^(resnet(8|14|20|32|44|56|110|8x4|32x4)|wrn_\d+_\d+)$/;

export const factor = defineLoss({
  name: 'ft',
  aliases: ['factor'],
  paper:
    'Kim, Park, Kwak: Paraphrasing Complex Network: Network Compression via Factor Transfer (NeurIPS 2018, arXiv:1802.04977)',
  year: 2018,
  equation: 'mean |q(T(f_s)) − q(P(f_t))|, q = unit(mean_c f²)',
  taps: 'last stage',
  weight: 200,
  gamma: 1,
  options: {
    rate: positive(0.5, 'channels of the factors as a share of the teacher’s'),
    norm: oneOf(['l1', 'l2'], 'l1', 'p2 of the difference'),
    initEpochs: count(30, 'epochs of training the paraphraser'),
  },
  create(context, { rate, norm, initEpochs }) {
    const pair = lastStage('ft', context);
    const inChannels = context.student.taps[pair.student]![0]!;
    const channels = context.teacher.taps[pair.teacher]![0]!;
    const factors = Math.max(1, Math.trunc(channels * rate));
    const modules = makeModules('ft', context.seed, () => ({
      translator: new Translator(inChannels, factors),
      paraphraser: new Paraphraser(channels, factors),
    }));
    return {
      modules,
      phases: [
        initPhase({
          epochs: initEpochs,
          lr: slowInit.test(context.student.name) ? 0.01 : null,
          student: false,
          trains: ['paraphraser'],
          needs: { student: 'none', teacher: 'taps', index: false },
        }),
        trainPhase(['translator'], { student: 'taps', teacher: 'taps' }),
      ],
      terms(input) {
        const { translator, paraphraser } = modules.entries;
        if (input.phase === 'init') {
          const t = readPair({ student: input.teacher, teacher: input.teacher }, { ...pair, student: pair.teacher }).t;
          return { reconstruction: meanSquare(paraphraser.reconstruct(t), t) };
        }
        const { s, t } = readPair(input, pair);
        const maps = poolToSmaller(translator.forward(s), paraphraser.forward(t));
        const difference = attentionMap(maps.s).sub(attentionMap(maps.t));
        return { factor: (norm === 'l1' ? difference.abs() : difference.square()).mean() };
      },
    };
  },
});
