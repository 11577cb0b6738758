import { defineConfig } from 'vitest/config';
import fast from './vitest.config.ts';

/** What takes minutes to hours: *.heavy.test.ts, one file after the other. */
export default defineConfig({
  ...fast,
  test: {
    ...fast.test,
    include: ['src/**/*.heavy.test.ts', 'test/**/*.heavy.test.ts'],
    exclude: ['**/node_modules/**'],
    maxWorkers: 1,
    testTimeout: 3_600_000,
    hookTimeout: 3_600_000,
  },
});
