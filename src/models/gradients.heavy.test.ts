/** @file The large networks' gradients in float64 against PyTorch's in float64. */
import { test } from 'vitest';
import { expectFloat64Gradients, large } from '../../test/gradients.ts';

test.each(large)('%s', expectFloat64Gradients);
