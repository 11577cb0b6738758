import { describe, expect, test } from 'vitest';
import { fillerTensor } from '../../../test/filler.ts';
import { contextOf, labelsOf } from '../../../test/losses.ts';
import { createModel, type ImageModel } from '../../models/index.ts';
import { grad, noGrad, tidy, zeros } from '../../torch/index.ts';
import { createLoss, type LossContext, type LossInput, lossNames, type NetworkShape } from './index.ts';

/** The taps of an architecture for 32x32 images. */
function shapeOf(name: string): NetworkShape {
  const model = createModel(name, { classes: 10 });
  const taps = noGrad(() =>
    tidy(() =>
      model
        .eval()
        .features(zeros([1, 3, 32, 32]))
        .taps.map((tap) => tap.shape.slice(1)),
    ),
  );
  model.dispose();
  return { name, taps };
}

const shapes = new Map<string, NetworkShape>();
const pair = (student: string, teacher: string): LossContext => {
  for (const name of [student, teacher]) if (!shapes.has(name)) shapes.set(name, shapeOf(name));
  const made = contextOf([], [], {
    classes: 10,
    samples: 20,
    labels: Int32Array.from({ length: 20 }, (_, i) => i % 10),
  });
  return { ...made, student: shapes.get(student)!, teacher: shapes.get(teacher)! };
};

describe('pairs of architectures of the paper', () => {
  const equal = ['fsp', 'kdsvd'];
  test.each([
    ['resnet20', 'resnet56'],
    ['resnet8x4', 'resnet32x4'],
    ['vgg8', 'vgg13'],
    ['MobileNetV2', 'vgg13'],
    ['ShuffleV2', 'resnet32x4'],
    ['ShuffleV1', 'wrn_40_2'],
  ])('%s learns from %s by every method without equal channels', (student, teacher) => {
    const context = pair(student, teacher);
    for (const name of lossNames) {
      if (equal.includes(name)) continue;
      createLoss(name, context, { options: name === 'crd' ? { negatives: 4 } : {} }).dispose();
    }
  });
});

describe('features of real networks', () => {
  test.each([
    ['resnet8', 'resnet14'],
    ['ShuffleV2', 'resnet8x4'],
    ['MobileNetV2', 'vgg8'],
  ])('%s learning from %s: every term is finite and reaches the student', (studentName, teacherName) => {
    const [student, teacher] = [studentName, teacherName].map((name, seed) =>
      createModel(name, { classes: 10, seed }),
    ) as [ImageModel, ImageModel];
    teacher.freeze().eval();
    for (const name of lossNames) {
      if (studentName !== 'resnet8' && ['fsp', 'kdsvd'].includes(name)) continue;
      const loss = createLoss(name, pair(studentName, teacherName), {
        options: name === 'crd' ? { negatives: 4 } : {},
      });
      for (const { name: phase, needs, student: trains } of loss.phases) {
        tidy(() => {
          const images = fillerTensor('input', [4, 3, 32, 32]);
          const input: LossInput = {
            student: student.features(images, { preact: needs.student === 'preact' }),
            teacher: noGrad(() => teacher.features(images, { preact: needs.teacher === 'preact' })),
            labels: labelsOf(10, 4),
            index: Int32Array.from([3, 1, 4, 15]),
            epoch: 0,
            step: 0,
            seed: 0,
            phase,
          };
          const terms = Object.values(loss.terms(input));
          for (const term of terms) expect(Number.isFinite(term.item()), `${name} ${phase}`).toBe(true);
          if (terms.length === 0 || !trains) return;
          const total = terms.reduce((sum, term) => sum.add(term));
          const gradients = grad([total], student.parameters(), { allowUnused: true }).filter((g) => g !== null);
          const norms = gradients.map((gradient) => gradient.norm().item());
          expect(Math.max(...norms), `${name} ${phase}`).toBeGreaterThan(0);
          expect(norms.every(Number.isFinite), `${name} ${phase}`).toBe(true);
        });
      }
      loss.dispose();
    }
    student.dispose();
    teacher.dispose();
  });
});

describe('what a method cannot compare', () => {
  test('fsp and kdsvd: unequal channels, naming the taps', () => {
    expect(() => createLoss('fsp', pair('resnet20', 'resnet32x4'))).toThrow(
      "fsp needs equal channels in both networks: the student's stem (resnet20: [16, 32, 32]) against the teacher's stem (resnet32x4: [32, 32, 32])",
    );
    expect(() => createLoss('kdsvd', pair('resnet20', 'wrn_40_2'))).toThrow(
      "the student's stage1 (resnet20: [16, 32, 32]) against the teacher's stage1 (wrn_40_2: [32, 32, 32])",
    );
  });

  test('different numbers of stages', () => {
    expect(() => createLoss('at', pair('resnet20', 'vgg13'))).toThrow(
      'at compares the networks tap by tap, and resnet20 has 5 taps, vgg13 6',
    );
    for (const name of ['sp', 'rkd', 'pkt', 'cc', 'ft', 'kd', 'dkd'])
      createLoss(name, pair('resnet20', 'vgg13')).dispose();
  });

  test('a tap that there is not', () => {
    expect(() => createLoss('fitnet', pair('resnet20', 'resnet56'), { options: { layer: 4 } })).toThrow(
      'fitnet: there is no map at tap 4',
    );
  });

  test('a network without taps', () => {
    const context = pair('resnet20', 'resnet56');
    expect(() => createLoss('rkd', { ...context, teacher: { name: 'mine', taps: [] } })).toThrow(
      'rkd compares features, and the teacher mine gives logits only',
    );
  });

  test('a map that no regressor of fitnet brings to the teacher’s size', () => {
    const [student, teacher] = [
      [[2, 4, 4], [2, 3, 3], [2, 3, 3], [2]],
      [[2, 8, 8], [2, 8, 8], [2, 8, 8], [2]],
    ];
    expect(() => createLoss('fitnet', contextOf(student!, teacher!))).toThrow(
      "no convolution brings the student's stage2 (resnet20: [2, 3, 3]) to the size of the teacher's stage2 (resnet56: [2, 8, 8])",
    );
  });

  test('taps missing from an input are a mistake of the caller', () => {
    const loss = createLoss('rkd', pair('resnet20', 'resnet56'));
    const logits = zeros([2, 10]);
    const features = { logits, taps: [] };
    expect(() =>
      loss.terms({ student: features, teacher: features, labels: logits, epoch: 0, step: 0, seed: 0, phase: 'train' }),
    ).toThrow(/given 0 taps of the student and reads tap 4/);
    logits.dispose();
  });
});
