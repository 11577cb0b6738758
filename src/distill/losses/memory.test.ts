import { expect, test } from 'vitest';
import { availableMemory, checkMemory, formatBytes } from './memory.ts';

test('bytes as people read them', () => {
  expect([0, 999, 51_200_000, 1_311_915_008, 2.5e12].map(formatBytes)).toEqual([
    '0 bytes',
    '999 bytes',
    '51 MB',
    '1.3 GB',
    '2.5 TB',
  ]);
});

test('what fits passes, what does not says how much it needs', () => {
  expect(() => checkMemory('this needs', 100, 'use less', 100)).not.toThrow();
  expect(() => checkMemory('this needs', 2e9, 'use less', 1e9)).toThrow('this needs 2.0 GB, and 1.0 GB are free');
  expect(() => checkMemory('this needs', 1e18, 'use less')).toThrow(/1000 PB/);
  expect(availableMemory()).toBeGreaterThan(1e6);
});
