/** @file The dashboard's page: everything in the package, nothing from the network. */
import { defineConfig } from 'vite';

export default defineConfig({
  root: import.meta.dirname,
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: { outDir: '../dist/dashboard', emptyOutDir: true, modulePreload: false, assetsInlineLimit: 0 },
});
