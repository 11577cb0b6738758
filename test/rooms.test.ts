/** @file The rooms of src/ in their order: each imports only from those before it, and no file imports itself by a detour. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { expect, test } from 'vitest';

/** Ground floor first. docs/architecture.md says what each is for. */
const order = [
  ...['base', 'torch', 'formats', 'nn', 'onnx', 'models', 'data', 'augment', 'distill', 'train', 'plot', 'parts'],
  ...['networks', 'config', 'run', 'score', 'compare', 'serve', 'cli'],
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

/** Files that import each other in a circle, each circle once, from its first file in the alphabet. */
function circles(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const found = new Set<string>();
  const state = new Map<string, 'open' | 'done'>();
  const path: string[] = [];
  const visit = (file: string): void => {
    state.set(file, 'open');
    path.push(file);
    for (const next of graph.get(file) ?? []) {
      if (state.get(next) === 'open') {
        const circle = path.slice(path.indexOf(next));
        const first = circle.indexOf([...circle].sort()[0]!);
        found.add([...circle.slice(first), ...circle.slice(0, first)].join(' > '));
      } else if (!state.has(next)) visit(next);
    }
    path.pop();
    state.set(file, 'done');
  };
  for (const file of graph.keys()) if (!state.has(file)) visit(file);
  return [...found].sort();
}

test('finds circles', () => {
  const graph = new Map([
    ['a', ['b']],
    ['b', ['c', 'd']],
    ['c', ['a']],
    ['d', []],
  ]);
  expect(circles(graph)).toEqual(['a > b > c']);
});

test('no files import each other in a circle', () => {
  expect(circles(new Map(files.map((file) => [file, imports(file)])))).toEqual([]);
});
