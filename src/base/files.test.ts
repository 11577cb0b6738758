import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { withFileErrors, writeFileAtomic } from './files.ts';

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'thrive-files-'));
  writeFileSync(join(root, 'file'), 'x');
  mkdirSync(join(root, 'folder'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const at = (...parts: string[]): string => join(root, ...parts);

test('a file where a folder should be is named, at any depth', () => {
  for (const path of [at('file', 'a'), at('file', 'a', 'b', 'c.json')]) {
    expect(() => writeFileAtomic(path, 'y')).toThrow(
      `cannot write ${path}: a part of the path is not a folder: ${at('file')}`,
    );
    expect(() => withFileErrors('read', path, () => readFileSync(path))).toThrow(
      `cannot read ${path}: a part of the path is not a folder: ${at('file')}`,
    );
  }
  expect(readFileSync(at('file'), 'utf8')).toBe('x');
});

test('a folder that is to be made where a file is', () => {
  const path = at('file');
  expect(() => withFileErrors('write to', path, () => mkdirSync(path, { recursive: true }))).toThrow(
    `cannot write to ${path}: it exists already and is a file, not a folder`,
  );
});

test('what exists already is still said to', () => {
  const path = at('folder');
  expect(() => withFileErrors('make', path, () => mkdirSync(path))).toThrow(`cannot make ${path}: it exists already`);
  expect(() => writeFileAtomic(path, 'y')).toThrow(`cannot write ${path}: it is a folder`);
});

test('missing folders are made, and a file is written whole', () => {
  writeFileAtomic(at('new', 'deep', 'a.txt'), [Buffer.from('one '), Buffer.from('two')]);
  expect(readFileSync(at('new', 'deep', 'a.txt'), 'utf8')).toBe('one two');
});
