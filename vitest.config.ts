import { defineConfig } from 'vitest/config';

/** The fast suite: everything that fits in a few minutes on two cores. Heavier tests are named *.heavy.test.ts. */
export default defineConfig({
  // Examples import the package by name.
  resolve: {
    alias: [
      { find: /^thrive$/, replacement: new URL('./src/index.ts', import.meta.url).pathname },
      { find: /^thrive\/(\w+)$/, replacement: new URL('./src/$1/index.ts', import.meta.url).pathname },
    ],
  },
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    exclude: ['**/*.heavy.test.ts', '**/node_modules/**'],
    setupFiles: ['test/setup.ts'],
    pool: 'forks', // libtorch belongs to one thread of one process
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
