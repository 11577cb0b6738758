/** Two-stage methods, run as a trainer would: the phases are data. */
import { describe, expect, test } from 'vitest';
import { fillerTensor } from '../../../test/filler.ts';
import { contextOf, fillerFeatures, labelsOf, smallTaps } from '../../../test/losses.ts';
import { createModel, type ImageModel } from '../../models/index.ts';
import { SGD } from '../../nn/index.ts';
import { noGrad, type Tensor, tidy } from '../../torch/index.ts';
import { createLoss, type DistillLoss, enterPhase, type LossInput, passesOf, phaseOf } from './index.ts';

const taps = smallTaps([2, 3, 4]);
const wider = smallTaps([3, 4, 6]);

describe('what the phases say', () => {
  const phases = (name: string, student = 'resnet20') => {
    const context = contextOf(taps, name === 'fsp' ? taps : wider);
    const loss = createLoss(name, { ...context, student: { name: student, taps } });
    loss.dispose();
    return loss.phases;
  };

  test('ab: 30 epochs of student and connectors before their ReLU, then no term', () => {
    const [init, train] = phases('ab');
    expect(init).toEqual({
      name: 'init',
      epochs: 30,
      lr: null,
      student: true,
      trains: ['connector'],
      needs: { student: 'preact', teacher: 'preact', index: false },
    });
    expect(train).toMatchObject({ name: 'train', trains: [], needs: { student: 'none', teacher: 'none' } });
  });

  test('fsp: 30 epochs of the student, then no term', () => {
    const [init, train] = phases('fsp');
    expect(init).toMatchObject({ epochs: 30, lr: null, student: true, trains: [], needs: { student: 'taps' } });
    expect(train).toMatchObject({ trains: [], needs: { student: 'none', teacher: 'none' } });
  });

  test('ft: 30 epochs of the paraphraser without the student, then the translator', () => {
    const [init, train] = phases('ft');
    expect(init).toMatchObject({
      epochs: 30,
      student: false,
      trains: ['paraphraser'],
      needs: { student: 'none', teacher: 'taps' },
    });
    expect(train).toMatchObject({ trains: ['translator'], needs: { student: 'taps', teacher: 'taps' } });
  });

  test('ft: learning rate 0.01 for ResNet and WRN students, the run’s for others', () => {
    for (const name of ['resnet8', 'resnet110', 'resnet8x4', 'wrn_16_2', 'wrn_40_1'])
      expect(phases('ft', name)[0]!.lr).toBe(0.01);
    for (const name of ['vgg8', 'MobileNetV2', 'ShuffleV1', 'ResNet50', 'resnet18'])
      expect(phases('ft', name)[0]!.lr).toBe(null);
  });

  test('methods of one stage have one phase, which trains all their modules', () => {
    const loss = createLoss('vid', contextOf(taps, wider));
    expect(loss.phases).toEqual([
      {
        name: 'train',
        epochs: null,
        lr: null,
        student: true,
        trains: ['vid'],
        needs: { student: 'taps', teacher: 'taps', index: false },
      },
    ]);
    expect(phaseOf(loss, 'init')).toBeUndefined();
    expect(enterPhase(loss, 'init').size).toBe(0);
    loss.dispose();
  });
});

describe('what several losses need together', () => {
  const make = (name: string): DistillLoss =>
    createLoss(name, contextOf(taps, taps, { labels: new Int32Array(200).map((_, i) => i % 5) }));
  const passes = (names: string[], phase: 'init' | 'train') => {
    const losses = names.map(make);
    const found = passesOf(losses, phase);
    for (const loss of losses) loss.dispose();
    return found;
  };

  test('taps, both kinds of the teacher, sample ids', () => {
    expect(passes(['kd'], 'train')).toEqual({ student: 'none', teacher: [], index: false });
    expect(passes(['kd', 'at', 'reviewkd'], 'train')).toEqual({
      student: 'taps',
      teacher: ['taps', 'preact'],
      index: false,
    });
    expect(passes(['crd', 'kd'], 'train')).toEqual({ student: 'taps', teacher: ['taps'], index: true });
    expect(passes(['ab', 'at'], 'init')).toEqual({ student: 'preact', teacher: ['preact'], index: false });
  });

  test('the student before and after its last ReLU at once is refused', () => {
    expect(() => passes(['ab', 'fsp'], 'init')).toThrow('ab and fsp cannot be combined');
  });
});

const sumOf = (loss: DistillLoss, input: LossInput): Tensor =>
  Object.values(loss.terms(input)).reduce((total, term) => total.add(term));

describe('the first stage, run', () => {
  test('ft: the paraphraser learns to reproduce the teacher’s map; then it is frozen and the translator learns', () => {
    tidy(() => {
      const loss = createLoss('ft', contextOf(taps, wider, { batchSize: 8 }));
      const teacher = fillerFeatures('t', wider, { batch: 8, dtype: 'float32' });
      // Channels that are multiples of one another, half of which can tell it all, and positive, as after a ReLU.
      teacher.taps[2] = teacher.taps[2]!.narrow(1, 0, 1)
        .mul(fillerTensor('channels', [1, 6, 1, 1]))
        .abs();
      const input: LossInput = {
        student: fillerFeatures('s', taps, { batch: 8, dtype: 'float32' }),
        teacher,
        labels: labelsOf(5, 8),
        epoch: 0,
        step: 0,
        seed: 0,
        phase: 'init',
      };
      const descend = (phase: 'init' | 'train', lr: number): [first: number, last: number] => {
        const optimizer = new SGD(enterPhase(loss, phase), { lr, momentum: 0.9 });
        const values: number[] = [];
        for (let step = 0; step < 80; step++) {
          tidy(() => {
            const total = sumOf(loss, { ...input, phase });
            values.push(total.item());
            total.backward();
            optimizer.step();
            optimizer.zeroGrad();
          });
        }
        optimizer.dispose();
        return [values[0]!, values.at(-1)!];
      };
      const bytes = (name: 'paraphraser' | 'translator'): string =>
        loss.modules.entries[name]!.parameters()
          .map((p) => Buffer.from(p.bytes()).toString('hex'))
          .join();
      const untouched = bytes('translator');
      const [before, after] = descend('init', 0.1);
      expect(after).toBeLessThan(0.9 * before);
      expect(bytes('translator')).toBe(untouched);
      const frozen = bytes('paraphraser');
      const [start, end] = descend('train', 0.5);
      expect(end).toBeLessThan(0.9 * start);
      expect(bytes('paraphraser')).toBe(frozen);
      loss.dispose();
    });
  });

  test.each(['ab', 'fsp'])('%s: the student’s feature modules learn and its classifier stays', (name) => {
    tidy(() => {
      const [student, teacher] = [1, 2].map((seed) => createModel('resnet8', { classes: 5, seed })) as [
        ImageModel,
        ImageModel,
      ];
      teacher.freeze().eval();
      const images = fillerTensor('input', [4, 3, 16, 16]);
      const shapes = noGrad(() => tidy(() => teacher.features(images).taps.map((tap) => tap.shape.slice(1))));
      const loss = createLoss(name, contextOf(shapes, shapes, { classes: 5, batchSize: 4 }));
      const { needs } = phaseOf(loss, 'init')!;
      const optimizer = new SGD(new Map([...student.namedParameters(), ...enterPhase(loss, 'init')]), {
        lr: 0.02,
        momentum: 0.9,
        weightDecay: 5e-4,
      });
      const before = {
        classifier: student.getSubmodule('fc').parameters()[0]!.bytes(),
        first: student.parameters()[0]!.bytes(),
      };
      const values: number[] = [];
      for (let step = 0; step < 12; step++) {
        tidy(() => {
          const total = sumOf(loss, {
            student: student.features(images, { preact: needs.student === 'preact' }),
            teacher: noGrad(() => teacher.features(images, { preact: needs.teacher === 'preact' })),
            labels: labelsOf(5, 4),
            epoch: 0,
            step,
            seed: 0,
            phase: 'init',
          });
          values.push(total.item());
          total.backward();
          optimizer.step();
          optimizer.zeroGrad();
        });
      }
      expect(values.at(-1)!).toBeLessThan(0.85 * values[0]!);
      expect(student.getSubmodule('fc').parameters()[0]!.bytes()).toEqual(before.classifier);
      expect(student.parameters()[0]!.bytes()).not.toEqual(before.first);
      optimizer.dispose();
      loss.dispose();
      student.dispose();
      teacher.dispose();
    });
  });
});
