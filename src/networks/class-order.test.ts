import { expect, test } from 'vitest';
import { UserError } from '../base/errors.ts';
import { classOrder } from './class-order.ts';

const data = { name: 'pets', classNames: ['cat', 'dog', 'guinea_pig'] };

test('the same names, however spelt, in the same order', () => {
  expect(classOrder('x', ['cat', 'dog', 'guinea_pig'], data)).toBeNull();
  expect(classOrder('x', ['Cat', 'DOG', 'guinea pig'], data)).toBeNull();
});

test('in another order: where each is', () => {
  expect(classOrder('x', ['guinea-pig', 'cat', 'dog'], data)).toEqual([1, 2, 0]);
});

test('a file that names none has no order of its own', () => {
  expect(classOrder('x', [], data)).toBeNull();
});

test('other names are refused, with some of each', () => {
  expect(() => classOrder('x', ['cat', 'dog', 'fish'], data)).toThrow(UserError);
  expect(() => classOrder('x', ['cat', 'dog', 'fish'], data)).toThrow(
    'x was trained for other classes (cat, dog, fish) than pets has (cat, dog, guinea_pig)',
  );
  expect(() => classOrder('x', ['cat', 'cat', 'dog'], data)).toThrow('other classes');
});
