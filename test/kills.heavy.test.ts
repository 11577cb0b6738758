/**
 * @file Four kinds of run, killed by SIGKILL at random moments and resumed at once, over and over: each must end with the bits
 * of a run that nobody killed. `THRIVE_KILLS` (100) is how often in all, `THRIVE_FUZZ` the seed of the moments.
 */
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseSafetensors } from '../src/formats/index.ts';
import { stream } from '../src/torch/random.ts';
import { start, thrive } from './cli.ts';
import { writeTinyData } from './tiny-data.ts';

const kills = Number(process.env.THRIVE_KILLS ?? 100);
const seed = Number(process.env.THRIVE_FUZZ ?? 1) || 1;

const kinds: Readonly<Record<string, readonly string[]>> = {
  kd: [],
  'cutmix+pick': ['--augment', 'cutmix', '--pick', 'kl'],
  'crd+kd': ['--method', 'crd+kd'],
  ab: ['--method', 'ab'],
};

let root: string;
let shared: string[];
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'thrive-kills-'));
  const dir = writeTinyData(join(root, 'data'), { train: 96, test: 32 });
  const data = ['--data', 'fashion-mnist', '--data-dir', dir, '--threads', '1', '--batch-size', '16'];
  const made = await thrive(['train', ...data, '--model', 'resnet8', '--epochs', '1', '--out', join(root, 'teacher')]);
  expect(made.code, made.stderr).toBe(0);
  const teacher = join(root, 'teacher', 'last.safetensors');
  shared = ['distill', ...data, '--teacher', teacher, '--student', 'resnet8', '--epochs', '2', '--seed', '5'];
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Weights, momentum and the losses' own modules byte for byte, and every recorded number but times. */
function outcome(folder: string): unknown {
  const hash = createHash('sha256');
  for (const [name, { data }] of parseSafetensors(readFileSync(join(folder, 'last.safetensors')), 'last').tensors) {
    hash.update(name).update(data);
  }
  const metrics = readFileSync(join(folder, 'metrics.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) =>
      JSON.parse(line, (key, value: unknown) => (key === 'seconds' || key === 'imagesPerSecond' ? undefined : value)),
    );
  const { top1, top5, loss } = JSON.parse(readFileSync(join(folder, 'summary.json'), 'utf8'));
  return { weights: hash.digest('hex'), metrics, top1, top5, loss };
}

test.each(Object.keys(kinds))('%s', async (kind) => {
  const args = [...shared, ...kinds[kind]!];
  const whole = join(root, `${kind}-whole`);
  const begin = performance.now();
  const finished = await thrive([...args, '--out', whole]);
  expect(finished.code, finished.stderr).toBe(0);
  const length = performance.now() - begin;
  const expected = outcome(whole);
  const random = stream(seed, `kill-${kind}`);
  const wanted = Math.ceil(kills / Object.keys(kinds).length);
  let killed = 0;
  let chains = 0;
  while (killed < wanted) {
    const folder = join(root, `${kind}-${chains}`);
    const moments: number[] = [];
    for (;;) {
      const attempt = start([...args, '--out', folder, '--resume']);
      const after = random.uniform(0.05, 0.95) * length;
      const timer = killed < wanted ? setTimeout(() => attempt.child.kill('SIGKILL'), after) : undefined;
      const { signal, code, stderr } = await attempt.finished;
      clearTimeout(timer);
      if (signal === 'SIGKILL') {
        killed++;
        moments.push(Math.round(after));
        continue;
      }
      expect(code, `${kind}, killed after ${moments.join(', ')} ms: ${stderr}`).toBe(0);
      break;
    }
    expect(outcome(folder), `${kind}, killed after ${moments.join(', ')} ms`).toEqual(expected);
    rmSync(folder, { recursive: true, force: true });
    chains++;
  }
  console.log(`${kind}: ${killed} kills over ${chains} runs, each with the bits of a whole one (seed ${seed})`);
});
