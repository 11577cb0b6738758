import { blendImages } from './mix.ts';
import { drawEach, partnerStream, type Scheme } from './scheme.ts';

export type MixupParameters = { readonly partner: Int32Array; readonly lambda: Float64Array };

/**
 * lambda x + (1 - lambda) x[partner], lambda from Beta(1, 1), which is uniform. Partners are a random permutation of the batch,
 * so now and then an image is mixed with itself, as in the authors' code.
 */
export const mixup: Scheme<MixupParameters> = {
  name: 'mixup',
  source: 'H. Zhang, M. Cisse, Y. Dauphin, D. Lopez-Paz, mixup: Beyond Empirical Risk Minimization, 2017',
  mixes: true,
  draw: (context) => ({
    partner: partnerStream(context, 'mixup').permutation(context.index.length),
    lambda: Float64Array.from(drawEach(context, 'mixup', (random) => random.beta(1, 1))),
  }),
  apply: ({ x }, { partner, lambda }) => blendImages(x, partner, lambda),
};
