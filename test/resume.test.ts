/** @file Runs that die: SIGKILL at random moments, SIGINT, a full disk. What continues must end with the same bits. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseSafetensors } from '../src/formats/index.ts';
import { stream } from '../src/torch/random.ts';
import { start, thrive } from './cli.ts';
import { writeTinyData } from './tiny-data.ts';

let root: string;
let teacher: string;
let shared: string[];

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'thrive-resume-'));
  const dir = writeTinyData(join(root, 'data'), { train: 128, test: 32 });
  const data = ['--data', 'fashion-mnist', '--data-dir', dir, '--threads', '2', '--batch-size', '16'];
  const made = await thrive(['train', ...data, '--model', 'resnet8', '--epochs', '1', '--out', join(root, 'teacher')]);
  expect(made.code, made.stderr).toBe(0);
  teacher = join(root, 'teacher', 'last.safetensors');
  shared = ['distill', ...data, '--teacher', teacher, '--student', 'resnet8', '--epochs', '3', '--seed', '5'];
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Wait until something has happened; it may throw while it has not. */
async function until(happened: () => boolean): Promise<void> {
  for (let waited = 0; waited < 60_000; waited += 10) {
    try {
      if (happened()) return;
    } catch {
      // Not there yet.
    }
    await sleep(10);
  }
  throw new Error('waited for a minute in vain');
}

/** Hash of everything that must agree: weights and momentum byte for byte, and every recorded number but times. */
function outcome(folder: string): { weights: string; metrics: unknown[]; headline: number[] } {
  const { tensors } = parseSafetensors(readFileSync(join(folder, 'last.safetensors')), 'last');
  const hash = createHash('sha256');
  for (const [name, { data }] of tensors) hash.update(name).update(data);
  const metrics = readFileSync(join(folder, 'metrics.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) =>
      JSON.parse(line, (key, value: unknown) => (key === 'seconds' || key === 'imagesPerSecond' ? undefined : value)),
    );
  const { top1, top5, loss } = JSON.parse(readFileSync(join(folder, 'summary.json'), 'utf8'));
  return { weights: hash.digest('hex'), metrics, headline: [top1, top5, loss] };
}

describe('a run that dies continues to the same bits', () => {
  test('after SIGKILL at random moments', { timeout: 300_000 }, async () => {
    const whole = join(root, 'whole');
    const begin = performance.now();
    const finished = await thrive([...shared, '--out', whole]);
    expect(finished.code, finished.stderr).toBe(0);
    const length = performance.now() - begin;

    const broken = join(root, 'broken');
    const random = stream(Date.now() % 2 ** 31, 'kill');
    const moments: number[] = [];
    // Each attempt is killed somewhere in the time a whole run takes; several die in different epochs, or before the first.
    for (let kills = 0; kills < 5; kills++) {
      const after = random.uniform(0.1, 0.9) * length;
      const attempt = start([...shared, '--out', broken, '--resume']);
      const timer = setTimeout(() => attempt.child.kill('SIGKILL'), after);
      const { signal, code, stderr } = await attempt.finished;
      clearTimeout(timer);
      moments.push(Math.round(after));
      if (signal !== 'SIGKILL') {
        expect(code, stderr).toBe(0);
        break;
      }
    }
    const last = await thrive([...shared, '--out', broken, '--resume']);
    expect(last.code, `${moments.join(', ')} ms: ${last.stderr}`).toBe(0);
    expect(outcome(broken), `killed after ${moments.join(', ')} ms`).toEqual(outcome(whole));
    expect(readdirSync(broken).filter((name) => name.endsWith('.tmp')).length).toBeLessThanOrEqual(moments.length);
  });

  test('after SIGKILL, resumed at once, while the killed process may still be there', {
    timeout: 120_000,
  }, async () => {
    const folder = join(root, 'killed');
    const running = start([...shared, '--out', folder]);
    await until(() => readFileSync(join(folder, 'metrics.jsonl'), 'utf8').includes('"step"'));
    running.child.kill('SIGKILL');
    const resumed = await thrive(['distill', '--resume', folder]);
    expect(resumed.code, resumed.stderr).toBe(0);
    expect((await running.finished).signal).toBe('SIGKILL');
    expect(outcome(folder)).toEqual(outcome(join(root, 'whole')));
  });

  test('after SIGINT, which saves and says how to go on', { timeout: 120_000 }, async () => {
    const folder = join(root, 'interrupted');
    const running = start([...shared, '--out', folder]);
    await until(() => readFileSync(join(folder, 'metrics.jsonl'), 'utf8').includes('"step"'));
    running.child.kill('SIGINT');
    const stopped = await running.finished;
    expect(stopped.code, stopped.stderr).toBe(130);
    expect(stopped.stderr).toContain(`continue with: npx thrive distill --resume ${folder}`);
    const other = await thrive(['distill', '--resume', folder, '--lr', '0.2']);
    expect(other.code).toBe(2);
    expect(other.stderr).toMatch(/--lr 0\.2 differs from the 0\.05 of the run to resume/);
    const resumed = await thrive(['distill', '--resume', folder]);
    expect(resumed.code, resumed.stderr).toBe(0);
    expect(outcome(folder)).toEqual(outcome(join(root, 'whole')));
  });

  test('but not with another teacher than it began with', async () => {
    const folder = join(root, 'other-teacher');
    const own = join(root, 'own.safetensors');
    writeFileSync(own, readFileSync(teacher));
    const args = shared.map((arg) => (arg === teacher ? own : arg));
    const running = start([...args, '--out', folder]);
    await until(() => existsSync(join(folder, 'config.json')));
    running.child.kill('SIGKILL');
    await running.finished;
    const bytes = readFileSync(own);
    bytes[bytes.length - 1]! ^= 1;
    writeFileSync(own, bytes);
    const { code, stderr } = await thrive([...args, '--out', folder, '--resume']);
    expect(code).toBe(2);
    expect(stderr).toMatch(/another teacher file/);
  });
});

/** Whether a small file system can be mounted here, to fill it up. */
function mountable(): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false;
  const probe = mkdtempSync(join(tmpdir(), 'thrive-mount-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', probe], { stdio: 'ignore' });
    execFileSync('umount', [probe], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  } finally {
    rmSync(probe, { recursive: true, force: true });
  }
}

describe('a full disk', () => {
  const possible = mountable();
  test.skipIf(!possible)(
    `is an error that names file and reason, and leaves nothing half-written${possible ? '' : ' (skipped: cannot mount a small tmpfs here)'}`,
    async () => {
      const small = join(root, 'small');
      mkdirSync(small);
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=600k', 'tmpfs', small]);
      try {
        // The network alone takes 340 kB and fits; the checkpoint with momentum does not.
        const { code, stderr } = await thrive([...shared, '--out', join(small, 'run')]);
        expect(code, stderr).toBe(2);
        expect(stderr).toMatch(/cannot write .*\.safetensors: the disk is full/);
        expect(readdirSync(join(small, 'run')).filter((name) => name.includes('.tmp'))).toEqual([]);
        execFileSync('mount', ['-o', 'remount,size=8m', small]);
        const resumed = await thrive([...shared, '--out', join(small, 'run'), '--resume']);
        expect(resumed.code, resumed.stderr).toBe(0);
        expect(outcome(join(small, 'run')).weights).toBe(outcome(join(root, 'whole')).weights);
      } finally {
        execFileSync('umount', [small]);
      }
    },
    120_000,
  );
});

describe('a read-only folder', () => {
  const possible = mountable();
  test.skipIf(!possible)(
    `is an error that names it, before anything is trained${possible ? '' : ' (skipped: cannot mount here)'}`,
    async () => {
      const shut = join(root, 'shut');
      mkdirSync(shut);
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m,ro', 'tmpfs', shut]);
      try {
        const { code, stderr } = await thrive([...shared, '--out', join(shut, 'run')]);
        expect(code, stderr).toBe(2);
        expect(stderr).toContain(join(shut, 'run'));
        expect(stderr).toMatch(/read-only/i);
      } finally {
        execFileSync('umount', [shut]);
      }
    },
  );
});

test('a clock that jumps back an hour at every look changes no bit', async () => {
  const back =
    'let at = Date.now(); Date.now = () => (at -= 3_600_000); const D = Date; globalThis.Date = class extends D { constructor(...a) { super(...(a.length ? a : [D.now()])); } };';
  const folder = join(root, 'clock');
  const env = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(back)}` };
  const { code, stderr } = await thrive([...shared, '--out', folder], env);
  expect(code, stderr).toBe(0);
  expect(outcome(folder)).toEqual(outcome(join(root, 'whole')));
});
