import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

/** Each ```ts block of docs/engine.md runs; `expression; // value` must have that value, if a value is what follows. */
const text = readFileSync(new URL('../../docs/engine.md', import.meta.url), 'utf8');
const blocks = [...text.matchAll(/```ts\n(.*?)```/gs)].map((match) => match[1]!);
const folder = new URL('../../build/docs-examples/', import.meta.url);

beforeAll(() => void mkdirSync(folder, { recursive: true }));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const value = /^(\[.*\]|\d+|true|false|tensor\(.*\)|'.*')(:.*)?$/;

/** Statements that end in a value become checks of it. */
function instrument(code: string): { code: string; checks: number } {
  let checks = 0;
  const lines = code.split('\n').map((line) => {
    const match = /^(\s*)(?!const|let|import|for)([^;]+); \/\/ (.+)$/.exec(line);
    const expected = match && value.exec(match[3]!)?.[1];
    if (!match || !expected) return line;
    checks++;
    return `${match[1]}$check(${match[2]}, ${JSON.stringify(expected)});`;
  });
  return { code: lines.join('\n').replace("'thrive/torch'", "'../../src/torch/index.ts'"), checks };
}

describe('the examples of docs/engine.md', () => {
  test('are found', () => {
    expect(blocks.length).toBeGreaterThanOrEqual(8);
    expect(blocks.map((block) => instrument(block).checks).reduce((a, b) => a + b)).toBeGreaterThanOrEqual(17);
  });

  test.each(blocks.map((block, i) => [i + 1, block] as const))('block %i', async (i, block) => {
    const { code } = instrument(block);
    const file = new URL(`example-${i}.ts`, folder);
    const { checks, check } = recorder();
    writeFileSync(file, `const $check = globalThis.$check;\n${code}\nexport {};\n`);
    Object.assign(globalThis, { $check: check });
    await import(/* @vite-ignore */ fileURLToPath(file));
    for (const { actual, expected } of checks) expect(actual).toBe(expected);
  });
});

function recorder() {
  const checks: { actual: string; expected: string }[] = [];
  const check = (actual: unknown, expected: string): void => {
    const spaced = inspect(actual, { breakLength: Infinity, depth: 9 });
    const shown = typeof actual === 'string' ? actual.replaceAll('\n', '\\n') : spaced.replace(/(?<=\[) | (?=\])/g, '');
    checks.push({ actual: shown, expected: expected.replace(/^'(.*)'$/, '$1') });
  };
  return { checks, check };
}
