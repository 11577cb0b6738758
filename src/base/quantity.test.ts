import { expect, test } from 'vitest';
import { quantity } from './quantity.ts';

test.each([
  [0, '0 epochs'],
  [1, '1 epoch'],
  [2, '2 epochs'],
  [50_000, '50,000 epochs'],
])('%d in words', (n, text) => expect(quantity(n, 'epoch')).toBe(text));
