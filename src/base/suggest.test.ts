import { describe, expect, test } from 'vitest';
import { editDistance, nearest, unknownName } from './suggest.ts';

describe('the nearest name', () => {
  const models = ['resnet8', 'resnet14', 'resnet20', 'resnet110', 'resnet8x4', 'wrn_16_1', 'ResNet18', 'resnet18'];
  test.each([
    // By hand: one letter wrong, one missing, two swapped, another case.
    ['resnet21', 'resnet20'],
    ['resnt8', 'resnet8'],
    ['renset14', 'resnet14'],
    ['WRN_16_1', 'wrn_16_1'],
    // As far from resnet8 (another letter) as from resnet20 (one letter more), of which it is the beginning.
    ['resnet2', 'resnet20'],
    ['resnet11', 'resnet110'],
    ['resnet8', 'resnet8'],
  ])('%s: %s', (name, expected) => expect(nearest(name, models)).toBe(expected));

  test('none where nothing is near', () => {
    expect(nearest('inception', models)).toBeUndefined();
    expect(unknownName('model', 'inception', models).message).toBe("unknown model 'inception'");
  });
});

test('edits are counted: insert, delete, replace, swap of neighbours', () => {
  expect(editDistance('kd', 'kd')).toBe(0);
  expect(editDistance('kitten', 'sitting')).toBe(3);
  expect(editDistance('abcd', 'acbd')).toBe(1);
  expect(editDistance('', 'abc')).toBe(3);
});
