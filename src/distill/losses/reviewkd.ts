/**
 * @file ReviewKD: Chen, Liu, Zhao, Jia, "Distilling Knowledge via Knowledge Review", CVPR 2021.
 *
 *     sum over levels of HCL(fused_i, f_t,i)
 *
 * From the deepest level up, an attention-based fusion (ABF) merges each of the student's maps with what came from below and maps it
 * to the teacher's channels and size; the hierarchical context loss (HCL) is the mean squared difference of the maps and of
 * their averages over 4x4, 2x2 and 1x1 cells (those smaller than the map), with factors 1, 1/2, 1/4, 1/8, divided by their sum.
 * Taps: stages and pooled vector; the teacher's stages before their last ReLU. Trains the fusions. Weight 1 that grows over 20
 * epochs beside 1 cross entropy: mdistiller's defaults, whose weight of epoch e, from 1, is min(e / 20, 1); the authors set it for
 * each pair (ResNet-56 to 20: 0.6, ResNet-32x4 to 8x4: 5). As mdistiller, with its default of the student's maps after their ReLU.
 * Batch norm over pooled vectors needs two samples: a batch of one gives 0.
 */

import { count } from '../../base/options.ts';
import { BatchNorm2d, Conv2d, init, Module, Sequential } from '../../nn/index.ts';
import { cat, ops, type Tensor, tidy } from '../../torch/index.ts';
import type { Stream } from '../../torch/random.ts';
import { meanSquare, noPairs } from './functions.ts';
import { defineLoss } from './loss.ts';
import { makeModules } from './modules.ts';
import { levelPairs, readPair } from './taps.ts';

/** U(-b, b), b = sqrt(3 / fan in), which the authors call Kaiming with a = 1. */
const abfInit = (weight: Tensor, _bias: Tensor | null, stream: Stream): void => {
  init.kaimingUniform(weight, stream, { a: 1 });
};

const resize = (x: Tensor, height: number, width: number): Tensor =>
  x.size(2) === height && x.size(3) === width ? x : ops.upsampleNearest2d(x, [height, width]);

/** Attention-based fusion of one level. */
export class Fusion extends Module {
  readonly conv1: Sequential;
  readonly conv2: Sequential;
  readonly att_conv: Sequential | null;

  constructor(inChannels: number, middle: number, outChannels: number, fuse: boolean) {
    super();
    const conv = (from: number, to: number, size: number): Conv2d =>
      new Conv2d(from, to, size, { padding: (size - 1) / 2, bias: false, init: abfInit });
    this.conv1 = new Sequential(conv(inChannels, middle, 1), new BatchNorm2d(middle));
    this.conv2 = new Sequential(conv(middle, outChannels, 3), new BatchNorm2d(outChannels));
    this.att_conv = fuse ? new Sequential(new Conv2d(2 * middle, 2, 1)) : null;
  }

  forward(input: Tensor): Tensor {
    return tidy(() => this.fuse(input, null, [input.size(2), input.size(3)]).output);
  }

  /** `below` is the residual of the next deeper level; `size` the teacher's height and width here. */
  fuse(input: Tensor, below: Tensor | null, size: readonly number[]): { output: Tensor; residual: Tensor } {
    return tidy(() => {
      let x = this.conv1.forward(input);
      if (this.att_conv && below) {
        const y = resize(below, x.size(2), x.size(3));
        const z = this.att_conv.forward(cat([x, y], 1)).sigmoid();
        x = x.mul(z.narrow(1, 0, 1)).add(y.mul(z.narrow(1, 1, 1)));
      }
      const residual = resize(x, size[0]!, size[1]!);
      return { output: this.conv2.forward(residual), residual };
    });
  }
}

/** The hierarchical context loss of maps of one shape [B, C, H, W]. */
export function contextLoss(s: Tensor, t: Tensor): Tensor {
  return tidy(() => {
    let loss = meanSquare(s, t);
    let factor = 1;
    let total = 1;
    for (const cells of [4, 2, 1]) {
      if (cells >= s.size(2)) continue;
      factor /= 2;
      total += factor;
      const pool = (x: Tensor): Tensor => ops.adaptiveAvgPool2d(x, [cells, cells]);
      loss = loss.add(meanSquare(pool(s), pool(t)).mul(factor));
    }
    return loss.div(total);
  });
}

/** Pooled vectors as maps of one pixel. */
const asMap = (x: Tensor): Tensor => (x.ndim === 2 ? x.view([x.size(0), x.size(1), 1, 1]) : x);

/** Named 0, 1, … from the deepest level, as in mdistiller. */
class FusionList extends Sequential {
  readonly list: readonly Fusion[];

  constructor(list: readonly Fusion[]) {
    super(...list);
    this.list = list;
  }
}

export const reviewkd = defineLoss({
  name: 'reviewkd',
  aliases: ['review'],
  paper: 'Chen et al.: Distilling Knowledge via Knowledge Review (CVPR 2021, arXiv:2104.09044)',
  year: 2021,
  equation: 'Σ_levels HCL(ABF(f_s), f_t)',
  taps: 'stages and pooled; the teacher’s stages before their last ReLU',
  weight: 1,
  gamma: 1,
  options: {
    maxChannels: count(512, 'most channels inside the fusions; otherwise those of the pooled vector'),
    warmup: count(20, 'epochs over which the weight grows to its full value', 0),
  },
  create(context, { maxChannels, warmup }) {
    const pairs = levelPairs('reviewkd', context).reverse();
    const middle = Math.min(maxChannels, context.student.taps.at(-1)![0]!);
    const modules = makeModules('reviewkd', context.seed, () => ({
      abfs: new FusionList(
        pairs.map(
          ({ student, teacher }, i) =>
            new Fusion(context.student.taps[student]![0]!, middle, context.teacher.taps[teacher]![0]!, i > 0),
        ),
      ),
    }));
    return {
      modules,
      needs: { student: 'taps', teacher: 'preact' },
      ramp: (epoch) => (warmup === 0 ? 1 : Math.min(1, (epoch + 1) / warmup)),
      terms(input) {
        let below: Tensor | null = null;
        const terms: [string, Tensor][] = [];
        for (const [i, pair] of pairs.entries()) {
          const { s, t } = readPair(input, pair);
          if (s.size(0) < 2) {
            terms.push([pair.name, noPairs(s)]);
            continue;
          }
          const target = asMap(t);
          const size = [target.size(2), target.size(3)];
          const { output, residual }: { output: Tensor; residual: Tensor } = modules.entries.abfs.list[i]!.fuse(
            asMap(s),
            below,
            size,
          );
          terms.push([pair.name, contextLoss(output, target)]);
          below = residual;
        }
        return Object.fromEntries(terms.reverse());
      },
    };
  },
});
