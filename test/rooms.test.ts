/** @file The rooms of src/ in their order: each imports only from those before it. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { expect, test } from 'vitest';

/** Ground floor first. docs/architecture.md says what each is for. */
const order = [
  ...['base', 'torch', 'formats', 'nn', 'onnx', 'models', 'data', 'augment', 'distill', 'train', 'plot'],
  ...['networks', 'config', 'run', 'score', 'compare', 'cli'],
];
const src = resolve(import.meta.dirname, '../src');

const files = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts') && file.includes('/'))
  .sort();

/** What a file imports by relative paths: types and imports made later too. */
function imports(file: string): string[] {
  const text = readFileSync(join(src, file), 'utf8');
  return [...text.matchAll(/(?:from|import\(|import)\s*'(\.{1,2}\/[^']+)'/g)].map(([, path]) =>
    relative(src, resolve(src, dirname(file), path!)),
  );
}

const roomOf = (file: string): string => file.split('/')[0]!;

test('every folder is a room', () => {
  expect([...new Set(files.map(roomOf))].sort()).toEqual([...order].sort());
});

test('no room imports from one above it', () => {
  const rank = (room: string): number => order.indexOf(room);
  const upwards = files.flatMap((file) =>
    imports(file)
      .filter((other) => !other.startsWith('..') && rank(roomOf(other)) > rank(roomOf(file)))
      .map((other) => `${file} imports ${other}`),
  );
  // The library's front door is for those outside.
  const front = files.filter((file) => imports(file).includes('index.ts'));
  expect([...upwards, ...front]).toEqual([]);
});
