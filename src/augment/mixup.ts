import { positive } from '../base/options.ts';
import { blendImages } from './mix.ts';
import { defineAugmentation, drawEach, partnerStream } from './scheme.ts';

export type MixupParameters = { readonly partner: Int32Array; readonly lambda: Float64Array };

/**
 * lambda x + (1 - lambda) x[partner], lambda from Beta(alpha, alpha): uniform for 1, the default. Partners are a random permutation of the batch,
 * so now and then an image is mixed with itself, as in the authors' code.
 */
export const mixup = defineAugmentation({
  name: 'mixup',
  source: 'H. Zhang, M. Cisse, Y. Dauphin, D. Lopez-Paz, mixup: Beyond Empirical Risk Minimization, 2017',
  mixes: true,
  options: { alpha: positive(1, "of the distribution Beta(alpha, alpha) of an image's own share") },
  draw: (context, { alpha }): MixupParameters => ({
    partner: partnerStream(context, 'mixup').permutation(context.index.length),
    lambda: Float64Array.from(drawEach(context, 'mixup', (random) => random.beta(alpha, alpha))),
  }),
  apply: ({ x }, { partner, lambda }) => blendImages(x, partner, lambda),
});
