import { describe, expect, test } from 'vitest';
import { paperAugmentations } from '../augment/index.ts';
import { UserError } from '../base/errors.ts';
import { paperIndex, parseViews, viewName, viewTitle } from './views.ts';

const names = (list: string): string[] => parseViews(list).map(viewName);

describe('parseViews', () => {
  test('all is the nine of the paper, by its titles', () => {
    expect(names('all')).toEqual([
      'identity',
      'flip',
      'crop+flip',
      'cutout',
      'autoaugment',
      'mixup',
      'cutmix',
      'cutmix+pick:student-entropy',
      'cutmix+pick:teacher-entropy',
    ]);
    const views = parseViews('all');
    expect(views.map(viewTitle)).toEqual(paperAugmentations.map(({ title }) => title));
    expect(views.map(paperIndex)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect(views[8]!.pick).toEqual({ criterion: 'teacher-entropy', factor: 2, keep: 0.5 });
  });

  test('any scheme, any criterion; each once, in the order asked for', () => {
    expect(names(' mixup, cutmix+pick:kl ,mixup,crop+flip+pick:random,')).toEqual([
      'mixup',
      'cutmix+pick:kl',
      'crop+flip+pick:random',
    ]);
    expect(names('patchmix,all')).toHaveLength(10);
    expect(names('cutmix,all')[0]).toBe('cutmix');
    const [view] = parseViews('cutmix+pick:teacher-entropy', { factor: 3, keep: 0.25 });
    expect(view!.pick).toEqual({ criterion: 'teacher-entropy', factor: 3, keep: 0.25 });
    expect(paperIndex(view!)).toBe(-1); // not the paper's pool
    expect(viewTitle(view!)).toBe('cutmix+pick:teacher-entropy');
  });

  test.each([
    ['cutmax', {}, /unknown augmentation 'cutmax'; did you mean 'cutmix'\?/],
    ['cutmx+pick:kl', {}, /did you mean 'cutmix\+pick:kl'\?/],
    ['crop+flop', {}, /did you mean 'crop\+flip'\?/],
    ['cutmix+pick', {}, /does not say what its views are picked by/],
    ['cutmix+pick:', {}, /does not say what its views are picked by/],
    ['cutmix+picked', {}, /does not say what/],
    ['cutmix+pick:teacher', {}, /unknown picking criterion 'teacher'/],
    ['cutmix+pick:kl', { factor: 1 }, /a pool factor of 1 leaves nothing to pick from/],
    ['cutmix+pick:kl', { factor: 0 }, /a pool of 0 times the batch is smaller than the batch/],
    ['all', { factor: 1 }, /a pool factor of 1/],
    ['cutmix+pick:kl', { factor: 2.5 }, /whole number/],
    ['cutmix+pick:kl', { keep: 1 }, /above 0 and below 1, got 1/],
    [' ,', {}, /names no augmentation/],
  ])('%s %j is refused', (list, pool, message) => {
    expect(() => parseViews(list, pool)).toThrow(UserError);
    expect(() => parseViews(list, pool)).toThrow(message);
  });
});
