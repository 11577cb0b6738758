import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { buildDirOf, writableBuildDir } from '../../native/build/current.mjs';
import { tree } from './trees.ts';

// Root may write everywhere; a folder that a file stands in the way of is refused to it too.
const isRoot = process.getuid?.() === 0;

test('builds go where the package is, unless a variable says otherwise', () => {
  const root = tree({ 'package.json': '{}' });
  expect(writableBuildDir({}, root)).toBe(join(root, 'build'));
  expect(buildDirOf({}, root)).toBe(join(root, 'build'));
  expect(buildDirOf({ THRIVE_BUILD_DIR: '/elsewhere' }, root)).toBe('/elsewhere');
});

test.skipIf(isRoot)(
  `a package of someone else's builds into the user's cache${isRoot ? ' (skipped: run as root)' : ''}`,
  () => {
    const root = tree({ 'package.json': '{}' });
    chmodSync(root, 0o555);
    expect(writableBuildDir({ HOME: '/home/me' }, root)).toMatch(/^\/home\/me\/\.cache\/thrive\/[0-9a-f]{16}$/);
    chmodSync(root, 0o755);
  },
);

test('where nothing can be written, the cache; and of two builds the own one', () => {
  const gone = join(tree(), 'gone'); // neither it nor its build folder is there to be written to
  const cache = tree();
  const env = { XDG_CACHE_HOME: cache };
  const own = writableBuildDir(env, gone);
  expect(own).toMatch(/thrive\/[0-9a-f]{16}$/);
  expect(own.startsWith(cache)).toBe(true);
  expect(writableBuildDir(env, `${gone}2`)).not.toBe(own);
  expect(buildDirOf(env, gone)).toBe(own);
  mkdirSync(own, { recursive: true });
  writeFileSync(join(own, 'current.json'), '{}');
  expect(buildDirOf(env, gone)).toBe(own);
  rmSync(own, { recursive: true });
});
