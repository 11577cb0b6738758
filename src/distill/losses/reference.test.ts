/**
 * Losses with other options and shapes than the golden values have, against numbers of the reference code (RepDistiller, mdistiller,
 * torchdistill, logit-standardization-KD) run in float64 on the filler's features and weights. kdsvd's singular vectors were given their
 * signs by the rule before anything was computed from them.
 */
import { expect, test } from 'vitest';
import { fillModule } from '../../../test/filler.ts';
import { contextOf, fillerFeatures, labelsOf, toFloat64 } from '../../../test/losses.ts';
import { grad, type Tensor, tidy } from '../../torch/index.ts';
import { createLoss, enterPhase, phaseOf } from './index.ts';

/** Taps of student and teacher without the batch. */
const shapes = {
  same: [
    [[3, 4, 4], [5, 4, 4], [6, 2, 2], [6]],
    [[3, 4, 4], [5, 4, 4], [6, 2, 2], [6]],
  ],
  'larger student': [
    [[3, 8, 8], [5, 8, 8], [6, 4, 4], [6]],
    [[3, 4, 4], [5, 4, 4], [6, 2, 2], [6]],
  ],
  'larger teacher': [
    [[3, 4, 4], [5, 4, 4], [6, 2, 2], [6]],
    [[4, 8, 8], [7, 8, 8], [8, 4, 4], [9]],
  ],
  odd: [
    [[3, 9, 9], [5, 9, 9], [6, 5, 5], [7, 3, 3], [7]],
    [[4, 7, 7], [6, 7, 7], [7, 4, 4], [8, 3, 3], [8]],
  ],
  // The teacher's last stage has one singular vector, the student's six.
  pixel: [
    [[3, 4, 4], [5, 4, 4], [6, 4, 4], [6]],
    [[3, 4, 4], [5, 2, 2], [6, 1, 1], [6]],
  ],
} satisfies Record<string, [number[][], number[][]]>;

type Row = [
  loss: string,
  options: Record<string, unknown>,
  taps: keyof typeof shapes,
  batch: number,
  classes: number,
  value: number,
  /** Norms of the gradients with respect to what the loss reads of the student, and to the parameters it trains. */
  features: number,
  parameters: number,
];

const rows: Row[] = [
  ['kd', { temperature: 0.5 }, 'same', 1, 2, 1.33169786072, 0.349080713518, 0],
  ['kd', { temperature: 20 }, 'same', 5, 200, 3.99031002912, 0.0893738976209, 0],
  ['lskd', { temperature: 4.5 }, 'same', 3, 10, 1.15529306699, 0.0667852452722, 0],
  ['dkd', { alpha: 9, beta: 81, temperature: 2, standardize: true }, 'same', 5, 10, 93.336957873, 5.04668680025, 0],
  ['dkd', { alpha: 2.5, beta: 0.5, temperature: 1 }, 'same', 1, 2, 5.84578294181, 1.74865743566, 0],
  ['dist', { beta: 2, gamma: 0.5, tau: 4 }, 'same', 3, 10, 49.8006299483, 2.79701984179, 0],
  ['mlkd', { temperatures: [1.5, 8] }, 'same', 5, 200, 6.99232811969, 0.163068235823, 0],
  ['mlkd', { standardize: true }, 'same', 5, 10, 5.6157384155, 0.280001790434, 0],
  ['fitnet', { layer: 1 }, 'odd', 3, 5, 1.46889097082, 0.0494155777764, 0.594025324389],
  ['fitnet', {}, 'larger teacher', 2, 5, 1.52653302264, 0.0919228251865, 1.05807404118],
  ['fitnet', { layer: 0 }, 'larger student', 3, 5, 1.27409572317, 0.110673290838, 0.851824141942],
  ['at', { power: 4 }, 'odd', 1, 5, 0.10914636738, 0.0725752928901, 0],
  ['at', {}, 'larger teacher', 3, 5, 0.0724432681304, 0.049743821743, 0],
  ['sp', {}, 'odd', 2, 5, 0.0185550079483, 0.0340509018311, 0],
  ['sp', {}, 'larger teacher', 5, 5, 0.0198297559023, 0.0173491394053, 0],
  ['cc', { dim: 5 }, 'odd', 2, 5, 19.4288954732, 7.02906612767, 31.1704782906],
  ['vid', {}, 'odd', 1, 5, 1.6751792096, 0.0844515900222, 0.488990607371],
  ['vid', {}, 'larger teacher', 3, 5, 0.676792383464, 0.0559717459206, 0.399634590037],
  ['rkd', { distance: 1, angle: 2 }, 'odd', 3, 5, 0.05146002382, 0.0932015826241, 0],
  ['rkd', { distance: 3, angle: 0 }, 'larger teacher', 5, 5, 0.0814628082403, 0.0886664275418, 0],
  ['pkt', {}, 'odd', 2, 5, 0.00155780079712, 0.0082234972185, 0],
  ['pkt', {}, 'larger teacher', 5, 5, 0.0169859108753, 0.0136053728444, 0],
  ['ab', { margin: 2.5 }, 'larger student', 2, 5, 1.29583998801, 0.0807420127355, 0.60079322286],
  ['ab', {}, 'larger teacher', 3, 5, 1.96645020683, 0.0586270076125, 0.807728614893],
  ['ft', { norm: 'l2' }, 'odd', 3, 5, 0.0968433775843, 0.0661187102351, 0.73922568918],
  ['ft', { rate: 1.5 }, 'larger teacher', 2, 5, 0.253513105189, 0.156737289002, 2.2337768146],
  ['fsp', {}, 'larger student', 3, 5, 0.13522191229, 0.0179423397328, 0],
  ['nst', {}, 'odd', 1, 5, 0.951547932631, 0.100199698495, 0],
  ['nst', {}, 'larger teacher', 3, 5, 0.546264193421, 0.1386059441, 0],
  ['kdsvd', {}, 'same', 3, 5, 0.074613861348, 0.101511051904, 0],
  ['kdsvd', { k: 3 }, 'larger student', 3, 5, 0.0230866012427, 0.0146913399903, 0],
  ['kdsvd', {}, 'pixel', 3, 5, 0.110193490435, 0.12650376516, 0],
  [
    'crd',
    { negatives: 3, temperature: 0.2, momentum: 0.9, dim: 4 },
    'odd',
    2,
    5,
    8.01309375004,
    1.02183617759,
    5.612333451,
  ],
  ['reviewkd', {}, 'odd', 3, 5, 6.33566999533, 0.433583845277, 5.75415248857],
  ['reviewkd', { maxChannels: 2 }, 'larger teacher', 2, 5, 4.77767785106, 0.0832585594914, 1.38498219943],
];

const normOf = (gradients: readonly (Tensor | null)[]): number =>
  Math.hypot(...gradients.map((gradient) => gradient?.norm().item() ?? 0));

test.each(rows)(
  '%s %j, %s, batch %d, %d classes',
  (name, options, taps, batch, classes, value, features, parameters) => {
    tidy(() => {
      const [ofStudent, ofTeacher] = shapes[taps];
      const samples = 6;
      const loss = createLoss(name, contextOf(ofStudent, ofTeacher, { classes, samples, batchSize: batch }), {
        options,
      });
      const constants = loss.modules.stateDict().get('contrast.params')?.clone();
      fillModule(loss.modules);
      toFloat64(loss.modules);
      const phase = name === 'ab' || name === 'fsp' ? 'init' : 'train';
      const trained = [...enterPhase(loss, phase).values()];
      if (constants) loss.modules.stateDict().get('contrast.params')!.copy_(constants);
      const student = fillerFeatures('s', ofStudent, { batch, classes });
      const leaves = phaseOf(loss, phase)!.needs.student === 'none' ? [student.logits] : student.taps;
      for (const leaf of leaves) leaf.requiresGrad = true;
      const terms = loss.terms({
        student,
        teacher: fillerFeatures('t', ofTeacher, { batch, classes }),
        labels: labelsOf(classes, batch),
        epoch: 0,
        step: 0,
        seed: 0,
        phase,
        ...(name === 'crd' ? { index: Int32Array.of(4, 1), contrast: Int32Array.of(4, 0, 2, 5, 1, 0, 3, 5) } : {}),
      });
      const total = Object.values(terms).reduce((sum, term) => sum.add(term));
      const gradients = grad([total], [...leaves, ...trained], { allowUnused: true });
      expect(total.item(), 'value').toBeAllclose(value, { rtol: 1e-7 });
      expect(normOf(gradients.slice(0, leaves.length)), 'features').toBeAllclose(features, { rtol: 1e-6 });
      expect(normOf(gradients.slice(leaves.length)), 'parameters').toBeAllclose(parameters, { rtol: 1e-6 });
      loss.dispose();
    });
  },
);
