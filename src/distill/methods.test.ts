import { describe, expect, test } from 'vitest';
import { contextOf, fillerFeatures, labelsOf, smallTaps } from '../../test/losses.ts';
import { expectNoLeak } from '../../test/torch.ts';
import { tidy } from '../torch/index.ts';
import { createLoss, type DistillLoss } from './losses/index.ts';
import { type MethodInput, Methods } from './methods.ts';

const taps = smallTaps([2, 3, 4]);
const context = contextOf(taps, taps, {
  classes: 5,
  samples: 12,
  labels: Int32Array.from({ length: 12 }, (_, i) => i % 5),
});
const loss = (name: string, weight?: number): DistillLoss =>
  createLoss(name, context, weight === undefined ? {} : { weight });

const input = (more: Partial<MethodInput> = {}): MethodInput => ({
  student: fillerFeatures('s', taps, { batch: 3 }),
  teacher: new Map([['taps', fillerFeatures('t', taps, { batch: 3 })]]),
  labels: labelsOf(5, 3),
  index: Int32Array.of(0, 2, 4),
  epoch: 0,
  step: 0,
  phase: 'train',
  ...more,
});

/** Run with losses that are freed whatever happens. */
function withMethods(list: readonly (readonly [DistillLoss, 'x' | 'both'])[], run: (methods: Methods) => void): void {
  const owned = list.map(([made, on]) => ({ loss: made, on }));
  try {
    tidy(() => run(new Methods(owned, 0)));
  } finally {
    for (const { loss: made } of owned) made.dispose();
  }
}

describe('terms', () => {
  test('are named by loss, and by tap where there are several; weights are the losses’', () => {
    expectNoLeak(() =>
      withMethods(
        [
          [loss('at'), 'x'],
          [loss('pkt', 7), 'both'],
        ],
        (methods) => {
          const terms = methods.terms(input());
          expect(Object.keys(terms)).toEqual(['at.stage1', 'at.stage2', 'pkt']);
          expect(Object.values(terms).map(({ weight }) => weight)).toEqual([1000, 1000, 7]);
          const strong = methods.terms(input(), 'strong');
          expect(Object.keys(strong)).toEqual(['pkt_strong']);
          expect(strong.pkt_strong!.value.item()).toBe(terms.pkt!.value.item());
        },
      ),
    );
  });

  test('are those of the loss alone', () => {
    withMethods([[loss('sp'), 'x']], (methods) => {
      const { student, teacher, ...rest } = input();
      const alone = loss('sp');
      const [expected] = Object.values(
        alone.terms({ ...rest, student: student!, teacher: teacher.get('taps')!, seed: 0 }),
      );
      expect(methods.terms(input()).sp!.value.item()).toBe(expected!.item());
      alone.dispose();
    });
  });

  test('weigh what the warm-up of their loss says', () => {
    withMethods([[loss('dkd', 2), 'x']], (methods) => {
      const weightIn = (epoch: number): number => Object.values(methods.terms(input({ epoch })))[0]!.weight;
      // mdistiller: min((epoch + 1) / 20, 1), epochs from 0.
      expect(weightIn(0)).toBeCloseTo(2 / 20, 10);
      expect(weightIn(9)).toBeCloseTo(1, 10);
      expect(weightIn(40)).toBe(2);
    });
  });

  test('of a first stage and of the run’s own epochs', () => {
    withMethods(
      [
        [loss('ab'), 'x'],
        [loss('pkt'), 'x'],
      ],
      (methods) => {
        expect(methods.init).toMatchObject({ name: 'init', epochs: 30 });
        expect(methods.passes('init')).toEqual({ student: 'preact', teacher: ['preact'], index: false });
        expect(methods.passes('train')).toEqual({ student: 'taps', teacher: ['taps'], index: false });
        const features = fillerFeatures('t', taps, { batch: 3 });
        const names = Object.keys(methods.terms(input({ phase: 'init', teacher: new Map([['preact', features]]) })));
        expect(names).toEqual(['ab.stage1', 'ab.stage2']);
        expect(Object.keys(methods.terms(input()))).toEqual(['pkt']);
      },
    );
  });
});

test('a first stage minimises its loss as it is: RepDistiller’s beta is the training’s', () => {
  for (const name of ['ab', 'fsp', 'ft']) {
    withMethods([[loss(name, 17), 'x']], (methods) => {
      const { student, teacher } = methods.passes('init');
      const features = fillerFeatures('t', taps, { batch: 3, dtype: 'float32' });
      const given = input({
        phase: 'init',
        student: student === 'none' ? null : fillerFeatures('s', taps, { batch: 3, dtype: 'float32' }),
        teacher: new Map(teacher.map((kind) => [kind, features])),
      });
      const weights = Object.values(methods.terms(given)).map(({ weight }) => weight);
      expect(weights.length).toBeGreaterThan(0);
      expect(new Set(weights)).toEqual(new Set([1]));
    });
  }
});

describe('what cannot be combined', () => {
  test('two first stages', () => {
    expect(() =>
      withMethods(
        [
          [loss('ab'), 'x'],
          [loss('ft'), 'x'],
        ],
        () => undefined,
      ),
    ).toThrow('ab and ft cannot be combined: each begins with a stage of its own');
  });

  test('a loss that acts before training, on x′', () => {
    expect(() => withMethods([[loss('fsp'), 'both']], () => undefined)).toThrow(/fsp cannot act on x'/);
  });
});

test('modules are found by the loss’s name, for optimizer and checkpoint', () => {
  withMethods(
    [
      [loss('vid'), 'x'],
      [loss('cc'), 'x'],
    ],
    (methods) => {
      const names = [...methods.modules.stateDict().keys()];
      expect(names.length).toBeGreaterThan(4);
      expect(names.every((name) => /^(vid|cc)\./.test(name))).toBe(true);
      methods.enter('train');
      expect([...methods.modules.parameters()].every((parameter) => parameter.requiresGrad)).toBe(true);
    },
  );
});
