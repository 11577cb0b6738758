import { describe, expect, test } from 'vitest';
import { UserError } from '../base/errors.ts';
import { type AugmentSheetOptions, augmentSheet } from './augment-sheet.ts';
import { type ScoreOptions, scoreAugmentations } from './score.ts';

// Neither file is there: an error that does not name them came before anything was loaded.
const teacher = { checkpoint: '/nonexistent/teacher.pth' };
const student = { checkpoint: '/nonexistent/student.pth' };

describe('what cannot be scored is refused before anything is loaded', () => {
  const score = (change: Partial<ScoreOptions>): Promise<unknown> =>
    scoreAugmentations({ teacher, data: 'cifar100', augment: 'cutmix', ...change });

  test.each<[string, Partial<ScoreOptions>, RegExp]>([
    ['a scheme', { augment: 'cutmx' }, /unknown augmentation 'cutmx'; did you mean 'cutmix'/],
    ['a criterion', { augment: 'mixup+pick:entropy' }, /unknown picking criterion 'entropy'/],
    ['no criterion', { augment: 'cutmix+pick' }, /does not say what its views are picked by/],
    ['a pool of one', { augment: 'all', pickFactor: 1 }, /a pool factor of 1 leaves nothing to pick from/],
    ['a pool of none', { augment: 'all', pickFactor: 0 }, /a pool of 0 times the batch is smaller than the batch/],
    ['all of the pool', { augment: 'all', pickKeep: 1 }, /above 0 and below 1, got 1/],
    ['a pool nobody has', { pickFactor: 3 }, /^pickFactor 3 has no effect: nothing is picked/],
    ['a share nobody has', { pickKeep: 0.25 }, /^pickKeep 0.25 has no effect: nothing is picked/],
    ['temperature 0', { augment: 'cutmix+pick:kl', student, temperature: 0 }, /^temperature must be above 0, got 0/],
    ['a temperature nobody reads', { augment: 'all', temperature: 4 }, /^temperature belongs to picking by kl/],
    ['a missing student', { augment: 'mixup,cutmix+pick:kl' }, /cutmix\+pick:kl is picked by what a student says/],
    ['a missing student, named beside all', { augment: 'all,cutmix+pick:student-entropy' }, /what a student says/],
    ['a student nobody asks', { student }, /no augmentation is picked by what a student says/],
    ['a draw', { draw: 'image' as 'batch' }, /^draw must be sample or batch, not 'image'/],
    ['a precision', { precision: 'fp16' as 'fp32' }, /^precision must be fp32 or bf16, not 'fp16'/],
    ['a device', { device: 'gpu' }, /unknown device 'gpu'/],
    ['a dataset', { data: 'cifar1000' }, /unknown dataset 'cifar1000'; did you mean 'cifar100'/],
    ['a teacher model', { teacher: { ...teacher, model: 'resnet57' } }, /did you mean 'resnet5\d'/],
    ['a student model', { augment: 'all', student: { ...student, model: 'resnt20' } }, /did you mean 'resnet20'/],
    ['too few steps', { limitTrain: 128, epochs: 3 }, /6 steps make one mean vector of 5 steps/],
    ['far too few steps', { limitTrain: 64, epochs: 1 }, /1 steps make no mean vector of 5 steps/],
    ['a last batch of one', { limitTrain: 6401 }, /batches of 64 leave a batch of one of 6401 images/],
    ['batches of one', { batchSize: 1 }, /batches of 1 leave a batch of one/],
    ['too many images', { limitTrain: 60000 }, /cifar100 has 50000 train images/],
    ['half an image', { limitTrain: 0.5 }, /^limitTrain must be a whole number/],
    ['half an epoch', { epochs: 0.5 }, /^epochs must be a whole number from 1 up, got 0.5/],
    ['no group', { group: 0 }, /^group must be a whole number from 1 up, got 0/],
    ['a seed', { seed: -1 }, /a seed must be an integer from 0/],
  ])('%s', async (_what, change, message) => {
    const error = await score(change).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(UserError);
    expect((error as Error).message).toMatch(message);
  });

  test('what is right gets as far as the files', async () => {
    await expect(score({ augment: 'all' })).rejects.toThrow(/nonexistent\/teacher\.pth/);
  });
});

describe('what cannot be shown is refused before anything is loaded', () => {
  const show = (change: Partial<AugmentSheetOptions>): Promise<unknown> =>
    augmentSheet({ teacher, data: 'cifar100', augment: 'cutmix+pick:teacher-entropy', ...change });

  test.each<[string, Partial<AugmentSheetOptions>, RegExp]>([
    ['a scheme', { augment: 'mixap' }, /did you mean 'mixup'/],
    ['a missing teacher', { teacher: undefined }, /picked by what a teacher says, and there is none/],
    ['a teacher nobody asks', { augment: 'cutmix' }, /no augmentation is picked by what a teacher says/],
    ['a single image', { count: 1 }, /^count 1: cutmix mixes images with one another/],
    ['too many images', { count: 65 }, /^count must be a whole number from 1 to 64, got 65/],
    ['more images than there are', { count: 9, limitTrain: 8 }, /^count must be a whole number from 1 to 8, got 9/],
    ['too large a scale', { scale: 17 }, /^scale must be a whole number from 1 to 16, got 17/],
    ['a pool of one', { pickFactor: 1 }, /a pool factor of 1/],
  ])('%s', async (_what, change, message) => {
    const error = await show(change).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(UserError);
    expect((error as Error).message).toMatch(message);
  });
});
