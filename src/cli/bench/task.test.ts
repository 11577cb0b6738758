import { beforeAll, describe, expect, test } from 'vitest';
import { lossNames } from '../../distill/losses/index.ts';
import { memory, setNumThreads, type Tensor, tidy } from '../../torch/index.ts';
import { recordOperators } from '../../torch/record.ts';
import { type BenchSetup, benchTasks, median } from './task.ts';

const setup: BenchSetup = {
  teacher: 'resnet8',
  student: 'resnet8',
  batchSize: 8,
  device: 'cpu',
  precision: 'fp32',
  samples: 500,
};

beforeAll(() => setNumThreads(1));

describe('timed steps', () => {
  test('of every method, in each of its stages, leave nothing behind', () => {
    tidy(() => {
      const make = benchTasks(setup);
      const staged: string[] = [];
      for (const name of [...lossNames, 'crd+kd']) {
        const before = memory();
        const task = make(name);
        try {
          expect(task.name).toBe(name);
          if (task.hasInit) {
            staged.push(name);
            expect(task.step('init')).toBeGreaterThan(0);
          }
          const first = task.step();
          const settled = memory();
          expect([first, task.step()].every((ms) => ms > 0)).toBe(true);
          expect(memory(), `${name}: a step more`).toEqual(settled);
        } finally {
          task.dispose();
        }
        expect(memory(), `${name}: disposed`).toEqual(before);
      }
      expect(staged).toEqual(['ab', 'ft', 'fsp']);
    });
  });

  test.each([
    ['kd cutmix', { scheme: 'cutmix', pick: null }, 2 + 2],
    ['kd autoaugment', { scheme: 'autoaugment', pick: null }, 2 + 2],
    // The pool is two batches, for both networks; the teacher has then seen what is picked.
    ['kd cutmix+pick:kl', { scheme: 'cutmix', pick: { criterion: 'kl', factor: 2, keep: 0.5 } }, 3 + 4],
  ] as const)(
    '%s: a second view is drawn, labelled and learnt from, and leaves nothing behind',
    (name, view, passes) => {
      tidy(() => {
        const make = benchTasks(setup);
        const before = memory();
        const task = make('kd', view);
        expect(task.name).toBe(name);
        task.step();
        const settled = memory();
        // Images that enter either network: its first convolution is the only one of three channels.
        let entered = 0;
        recordOperators(
          (call) => {
            const { input, weight } = call.arguments as { input?: Tensor; weight?: Tensor };
            if (weight?.ndim === 4 && weight.size(1) === 3) entered += input!.size(0);
            return call.run();
          },
          () => task.step(),
        );
        expect(entered).toBe(setup.batchSize * passes);
        expect(memory()).toEqual(settled);
        task.dispose();
        expect(memory()).toEqual(before);
      });
    },
  );

  test("crd's bytes are two memories, two embeddings and Z of each side", () => {
    tidy(() => {
      const task = benchTasks(setup)('crd');
      const embedding = 64 * 128 + 128;
      expect(task.bytes).toBeGreaterThanOrEqual(4 * (2 * 500 * 128 + 2 * embedding));
      expect(task.bytes).toBeLessThan(4 * (2 * 500 * 128 + 2 * embedding) + 100);
      task.dispose();
    });
  });

  test('the median of an even count is between the middle two', () => {
    expect(median([5, 1, 3])).toBe(3);
    expect(median([4, 1, 10, 2])).toBe(3);
  });
});
