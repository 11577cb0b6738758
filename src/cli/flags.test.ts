import { InvalidArgumentError } from 'commander';
import { describe, expect, test } from 'vitest';
import { integer, number, positiveInteger } from './flags.ts';

describe('values', () => {
  test.each([
    ['0.05', 0.05],
    ['5e-4', 5e-4],
    ['-1', -1],
    ['0', 0],
    [' 7 ', 7],
    ['.5', 0.5],
  ])('%j is a number', (text, value) => {
    expect(number(text)).toBe(value);
  });

  test.each(['', ' ', 'fast', '1,5', 'NaN', 'Infinity', '1e999', '5%', '--'])('%j is none', (text) => {
    expect(() => number(text)).toThrow(InvalidArgumentError);
  });

  test.each(['1.5', '1e-3', '9007199254740993', 'x', ''])('%j is no whole number', (text) => {
    expect(() => integer(text)).toThrow(InvalidArgumentError);
  });

  test('counts begin at one', () => {
    expect(positiveInteger('1e3')).toBe(1000);
    expect(() => positiveInteger('0')).toThrow(/at least 1/);
    expect(() => positiveInteger('-3')).toThrow(/at least 1/);
  });
});
