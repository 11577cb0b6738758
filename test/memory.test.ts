/** @file The promise about memory: a thousand real training steps leave nothing behind, and the process does not grow. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

interface Sample {
  step: number;
  rss: number;
  tensors: number;
  bytes: number;
}

/** Until allocators and the JIT compiler have what they need. */
const WARM_UP = 100;
const STEPS = 1000;
/** What the last hundred steps leave behind each, on purpose. */
const LEAK = 262_144;
/**
 * V8 takes and gives back twenty megabytes for its young generation as it likes, and its helper threads keep some in arenas of
 * their own: without a small one and without them, what is left is the steps' own.
 */
const flags = ['--expose-gc', '--max-semi-space-size=1', '--single-threaded'];

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1]!;

test('a thousand distillation steps leave no tensor behind and grow the process by less than 1 %', {
  timeout: 400_000,
}, () => {
  const script = fileURLToPath(new URL('./fixtures/memory/steps.mjs', import.meta.url));
  const entry = new URL('../dist/index.js', import.meta.url).href;
  const end = WARM_UP + STEPS;
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [...flags, script, entry, String((end + 100) / 100), String(end), String(LEAK)],
    { encoding: 'utf8' },
  );
  expect(status, stderr).toBe(0);
  const samples = JSON.parse(stdout) as Sample[];
  const between = (from: number, to: number): Sample[] => samples.filter(({ step }) => step > from && step <= to);
  const rss = (from: number, to: number): number => median(between(from, to).map((sample) => sample.rss));

  const clean = between(WARM_UP, end);
  expect(clean).toHaveLength(STEPS / 25);
  expect(new Set(clean.map(({ tensors }) => tensors)).size).toBe(1);
  expect(new Set(clean.map(({ bytes }) => bytes)).size).toBe(1);
  const before = rss(WARM_UP, WARM_UP + 200);
  const after = rss(end - 200, end);
  expect(after / before - 1).toBeLessThan(0.01);

  // The same look sees one tensor a step, and its size.
  const [last] = samples.slice(-1);
  expect(last!.tensors - clean[0]!.tensors).toBe(100);
  expect(last!.bytes - clean[0]!.bytes).toBe(100 * LEAK);
  expect(last!.rss / before - 1).toBeGreaterThan(0.05);
});
