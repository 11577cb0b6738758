/** @file T. stddev of a real teacher on all of CIFAR-100, against figures computed with PyTorch. An hour or two on one core. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { because, dataDir, goldenPath, sharedPath } from '../../test/shared.ts';
import { scoreAugmentations } from './score.ts';
import { viewName } from './views.ts';

interface Golden {
  epochs: number;
  batch: number;
  means: number;
  values: Record<string, { tStddev: number; meanEntropyOfStrongView: number }>;
}

const checkpoint = sharedPath('checkpoints/resnet56-cifar100.pth');
const data = dataDir();
const present = checkpoint && data;
const why = because(present, 'teacher or CIFAR-100');
const HOURS = 3_600_000;

describe('T. stddev of a ResNet-56 on CIFAR-100', () => {
  test.skipIf(!present)(
    `three augmentations are those of PyTorch, within 2 %${why}`,
    { timeout: 4 * HOURS },
    async () => {
      const { epochs, batch, means, values } = JSON.parse(readFileSync(goldenPath('t_stddev.json'), 'utf8')) as Golden;
      const { schemes, forwards } = await scoreAugmentations({
        teacher: { checkpoint: checkpoint!, model: 'resnet56' },
        data: 'cifar100',
        dataDir: data!,
        augment: Object.keys(values).join(','),
        epochs,
        batchSize: batch,
      });
      expect(schemes.map(viewName)).toEqual(Object.keys(values));
      for (const scheme of schemes) {
        const expected = values[viewName(scheme)]!;
        expect(scheme.vectors).toBe(means);
        expect(Math.abs(scheme.tStddev / expected.tStddev - 1), viewName(scheme)).toBeLessThan(0.02);
        expect(Math.abs(scheme.meanEntropy / expected.meanEntropyOfStrongView - 1), viewName(scheme)).toBeLessThan(
          0.02,
        );
      }
      // x, crop+flip and mixup; identity is x.
      expect(forwards.teacher).toBeLessThanOrEqual(3 * epochs * 50_000);
    },
  );

  test.skipIf(!present)(
    `the augmentations rank as in the paper: Spearman 0.9 or more${why}`,
    { timeout: 4 * HOURS },
    async () => {
      const { paper, leftOut } = await scoreAugmentations({
        teacher: { checkpoint: checkpoint!, model: 'resnet56' },
        data: 'cifar100',
        dataDir: data!,
        epochs: 1,
      });
      // Picking by the student's entropy needs a trained student.
      expect(leftOut.map(viewName)).toEqual(['cutmix+pick:student-entropy']);
      expect(paper!.spearman.value).toBeGreaterThanOrEqual(0.9);
    },
  );
});
