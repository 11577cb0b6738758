/**
 * @file CC: Peng, Jin, Liu, Li, Wu, Liu, Zhou, Zhang, "Correlation Congruence for Knowledge Distillation", ICCV 2019.
 *
 *     mean over i < B of sum_d D_i D_(i+1),   D_i = |e_s(f_s) - e_t(f_t)| of sample i
 *
 * Taps: the pooled vector. Trains two linear embeddings e to 128 dimensions. Default weight 0.02. As RepDistiller, whose code
 * came from the authors by e-mail; the paper's own formula compares Taylor-expanded Gaussian kernels of whole batches. A batch of
 * one has no pair: 0.
 */

import { count } from '../../base/options.ts';
import { Embed } from './embed.ts';
import { noPairs } from './functions.ts';
import { defineLoss } from './loss.ts';
import { makeModules } from './modules.ts';
import { pooled, readPair } from './taps.ts';

export const correlation = defineLoss({
  name: 'cc',
  aliases: ['correlation'],
  paper: 'Peng et al.: Correlation Congruence for Knowledge Distillation (ICCV 2019, arXiv:1904.01802)',
  year: 2019,
  equation: 'mean_i Σ_d Δ_i Δ_{i+1}, Δ = |e_s(f_s) − e_t(f_t)|',
  taps: 'pooled',
  weight: 0.02,
  gamma: 1,
  options: { dim: count(128, 'dimensions of the embeddings') },
  create(context, { dim }) {
    const pair = pooled('cc', context);
    const modules = makeModules('cc', context.seed, () => ({
      embed_s: new Embed(context.student.taps[pair.student]![0]!, dim),
      embed_t: new Embed(context.teacher.taps[pair.teacher]![0]!, dim),
    }));
    return {
      modules,
      needs: { student: 'taps', teacher: 'taps' },
      terms(input) {
        const { s, t } = readPair(input, pair);
        const delta = modules.entries.embed_s.forward(s).sub(modules.entries.embed_t.forward(t)).abs();
        const pairs = delta.size(0) - 1;
        if (pairs === 0) return { correlation: noPairs(delta) };
        return {
          correlation: delta
            .narrow(0, 0, pairs)
            .mul(delta.narrow(0, 1, pairs))
            .sum()
            .div(pairs),
        };
      },
    };
  },
});
