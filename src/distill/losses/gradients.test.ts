import { describe, test } from 'vitest';
import { gradcheckLoss, smallTaps } from '../../../test/losses.ts';

const student = smallTaps([2, 3, 4]);
const teacher = smallTaps([2, 3, 4]);
const wider = smallTaps([3, 4, 5]);
const larger = smallTaps([3, 4, 5], 8);

describe('autograd agrees with finite differences in float64', () => {
  const logits = { moved: [-1] };
  test('kd', () => gradcheckLoss('kd', student, teacher, logits));
  test('lskd', () => gradcheckLoss('lskd', student, teacher, logits));
  test('dkd', () => gradcheckLoss('dkd', student, teacher, logits));
  test('dkd, standardised', () =>
    gradcheckLoss('dkd', student, teacher, { ...logits, options: { standardize: true } }));
  test('dist', () => gradcheckLoss('dist', student, teacher, { ...logits, options: { tau: 2, beta: 2 } }));
  test('mlkd', () => gradcheckLoss('mlkd', student, teacher, logits));
  test('fitnet', () => gradcheckLoss('fitnet', student, wider, { moved: [2] }));
  test('fitnet, half the size', () => gradcheckLoss('fitnet', student, larger, { moved: [2] }));
  test('fitnet, twice the size', () => gradcheckLoss('fitnet', larger, wider, { moved: [1], options: { layer: 1 } }));
  test('at', () => gradcheckLoss('at', student, wider, { moved: [1, 2] }));
  test('at, other sizes', () => gradcheckLoss('at', larger, student, { moved: [1, 2] }));
  test('sp', () => gradcheckLoss('sp', student, wider, { moved: [2] }));
  test('cc', () => gradcheckLoss('cc', student, wider, { moved: [3], options: { dim: 4 } }));
  test('vid', () => gradcheckLoss('vid', student, wider, { moved: [1, 2] }));
  test('rkd', () => gradcheckLoss('rkd', student, wider, { moved: [3] }));
  test('pkt', () => gradcheckLoss('pkt', student, wider, { moved: [3] }));
  test('nst', () => gradcheckLoss('nst', student, wider, { moved: [1, 2] }));
  test('fsp', () => gradcheckLoss('fsp', student, teacher, { phase: 'init', moved: [0, 1, 2] }));
  test('ab, connectors', () => gradcheckLoss('ab', student, wider, { phase: 'init', moved: [1, 2] }));
  test('ab, equal shapes', () => gradcheckLoss('ab', student, teacher, { phase: 'init', moved: [1, 2] }));
  test('ft, paraphraser', () => gradcheckLoss('ft', student, wider, { phase: 'init', moved: [] }));
  test('ft', () => gradcheckLoss('ft', student, wider, { moved: [2] }));
  test('kdsvd', () => gradcheckLoss('kdsvd', student, teacher, { moved: [1, 2] }));
  test('kdsvd, two vectors', () => gradcheckLoss('kdsvd', student, teacher, { moved: [1, 2], options: { k: 2 } }));
  test('kdsvd, more channels than positions', () => {
    const deep = [[2, 4, 4], [3, 4, 4], [6, 2, 2], [6]];
    gradcheckLoss('kdsvd', deep, deep, { moved: [1, 2] });
  });
  test('reviewkd', () => gradcheckLoss('reviewkd', student, wider, { moved: [1, 2, 3] }));
});
