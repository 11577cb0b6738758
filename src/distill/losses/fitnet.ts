/**
 * @file FitNet: Romero, Ballas, Kahou, Chassang, Gatta, Bengio, "FitNets: Hints for Thin Deep Nets", ICLR 2015.
 *
 *     mean (r(f_s) - f_t)^2,   r = ReLU(BN(conv))
 *
 * Taps: one map of each network, tap 2 (the second stage) by default. Trains the regressor r. Default weight 100. As RepDistiller:
 * one stage beside the cross entropy; the paper trains the student up to the hint first and goes on with KD.
 */
import { UserError } from '../../base/errors.ts';
import { count } from '../../base/options.ts';
import { meanSquare } from './functions.ts';
import { defineLoss } from './loss.ts';
import { makeModules } from './modules.ts';
import { convRegressor } from './regressor.ts';
import { describeTap, mapPairs, readPair } from './taps.ts';

export const hint = defineLoss({
  name: 'fitnet',
  aliases: ['hint'],
  paper: 'Romero et al.: FitNets: Hints for Thin Deep Nets (ICLR 2015, arXiv:1412.6550)',
  year: 2015,
  equation: 'mean (r(f_s) − f_t)²',
  taps: 'one stage (2)',
  weight: 100,
  gamma: 1,
  options: { layer: count(2, 'the tap: 0 is the stem, 1 the first stage', 0) },
  create(context, { layer }) {
    const pairs = mapPairs('fitnet', context);
    const pair = pairs[layer];
    if (!pair) {
      throw new UserError(`fitnet: there is no map at tap ${layer}`, {
        hint: `${context.student.name} has ${pairs.map(({ student, name }) => `${student} (${name})`).join(', ')}`,
      });
    }
    const { student, teacher } = context;
    const modules = makeModules('fitnet', context.seed, () => ({
      regress: convRegressor(student.taps[pair.student]!, teacher.taps[pair.teacher]!, {
        relu: true,
        from: describeTap('student', student, pair.student),
        to: describeTap('teacher', teacher, pair.teacher),
      }),
    }));
    return {
      modules,
      needs: { student: 'taps', teacher: 'taps' },
      terms(input) {
        const { s, t } = readPair(input, pair);
        return { hint: meanSquare(modules.entries.regress.forward(s), t) };
      },
    };
  },
});
