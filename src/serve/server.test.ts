import {
  appendFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RunBrief } from './brief.ts';
import { isAllowedHost } from './guard.ts';
import { shellWord } from './run-detail.ts';
import { RunIndex } from './run-index.ts';
import { createApp } from './server.ts';

const TOKEN = 'a-token-of-the-test';
const real = join(import.meta.dirname, '../../docs/results/small');
let folder: string;
let outside: string;
let index: RunIndex;
let app: ReturnType<typeof createApp>['app'];

const config = (over: object = {}): string =>
  JSON.stringify({
    config: { task: 'train', data: 'synthetic', model: 'resnet8', seed: 1, epochs: 3, batchSize: 64, ...over },
    fingerprint: { id: 'abc', fields: { task: 'train', model: 'resnet8' } },
    versions: {},
    created: '2026-01-01T00:00:00Z',
    teacher: null,
  });
const step = (n: number, loss: number | null): string =>
  `${JSON.stringify({ type: 'step', epoch: 1, step: n, lr: 0.1, loss, terms: { ce: loss } })}\n`;

function makeRun(name: string, files: Record<string, string>): string {
  const path = join(folder, name);
  mkdirSync(path, { recursive: true });
  for (const [file, text] of Object.entries(files)) writeFileSync(join(path, file), text);
  return path;
}

const ask = (path: string, headers: Record<string, string> = {}, init: RequestInit = {}): Promise<Response> =>
  Promise.resolve(app.request(path, { ...init, headers: { host: '127.0.0.1:6007', ...headers } }));
const list = async (): Promise<RunBrief[]> => ((await (await ask('/api/runs')).json()) as { runs: RunBrief[] }).runs;
const find = async (name: string): Promise<RunBrief> => (await list()).find((run) => run.name === name)!;
interface CurvesAnswer {
  series: { name: string; points: (number | null)[]; gaps: number }[];
  torn: boolean;
  badLines: number;
  problem: string | null;
  progress: number;
}
const curves = async (name: string): Promise<CurvesAnswer> =>
  (await (await ask(`/api/runs/${(await find(name)).id}/curves`)).json()) as CurvesAnswer;

beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'thrive-serve-')));
  outside = realpathSync(mkdtempSync(join(tmpdir(), 'thrive-outside-')));
  writeFileSync(join(outside, 'secret.txt'), 'a secret');
  for (const name of ['kd-40-s1', 'kd-40-s2', 'ce-40-s1', 'ce-40-s2']) {
    cpSync(join(real, name), join(folder, 'real', name), { recursive: true });
  }
  index = new RunIndex([folder]);
  const page = new Map([['/', { body: new TextEncoder().encode('<!doctype html>'), type: 'text/html' }]]);
  app = createApp({ index, page, host: '127.0.0.1', token: TOKEN }).app;
});
afterAll(() => {
  for (const path of [folder, outside]) rmSync(path, { recursive: true, force: true });
});

describe('runs', () => {
  test('real runs: what they say of themselves', async () => {
    expect(await find('real/kd-40-s1')).toMatchObject({
      ...{ state: 'finished', label: 'kd', student: 'resnet20', teacher: 'resnet56', data: 'cifar100', epochs: 40 },
      problem: null,
    });
    const [one, two] = [await find('real/ce-40-s1'), await find('real/ce-40-s2')];
    expect(one.group).toBe(two.group);
    expect(one.group).not.toBe((await find('real/kd-40-s1')).group);
    const { series } = await curves('real/ce-40-s1');
    expect(series.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['step/loss', 'step/terms/ce', 'epoch/train/top1', 'epoch/test/top1', 'step/lr']),
    );
    expect(series.find(({ name }) => name === 'epoch/test/top1')!.points.at(-1)).toBe(one.top1);
  });

  test('compared: rows of seeds, with the differences’ intervals', async () => {
    const ids = (await list()).filter(({ name }) => name.startsWith('real/')).map(({ id }) => id);
    const { comparison, tests } = (await (await ask(`/api/compare?runs=${ids.join()}`)).json()) as {
      comparison: { rows: { label: string; seeds: number[] }[] };
      tests: { metric: string; low: number; high: number; p: number; difference: number }[];
    };
    expect(comparison.rows.map(({ label, seeds }) => [label, seeds.length]).sort()).toEqual([['ce', 2], ['kd', 2]]); // biome-ignore format: pairs
    expect(tests.map(({ metric }) => metric)).toEqual(['top1', 'loss']);
    for (const { low, high, difference } of tests) expect(low < difference && difference < high).toBe(true);
  });

  test('a run that grows, is torn, stopped, killed, begun anew and finished', async () => {
    const path = makeRun('grows', { 'config.json': config(), 'metrics.jsonl': step(1, 2) + step(2, 1.5) });
    expect((await find('grows')).state).toBe('stopped');
    expect((await curves('grows')).series[1]!.points).toEqual([1, 2, 2, 1.5]);
    const metrics = join(path, 'metrics.jsonl');
    const line = step(3, 1.25);
    appendFileSync(metrics, line.slice(0, 20));
    expect(await curves('grows')).toMatchObject({ torn: true, badLines: 0 });
    appendFileSync(metrics, line.slice(20));
    const whole = await curves('grows');
    expect(whole.series[1]!.points).toEqual([1, 2, 2, 1.5, 3, 1.25]);
    expect(whole.torn).toBe(false);

    const { lockRun } = await import('../run/run-lock.ts');
    const unlock = lockRun(path);
    expect((await find('grows')).state).toBe('running');
    unlock();
    writeFileSync(join(path, 'run.lock'), `2147480000 1 ${(await import('node:os')).hostname()}`);
    expect((await find('grows')).state).toBe('stale');

    // Resumed from an earlier position: the file is another one, shorter.
    rmSync(metrics);
    writeFileSync(metrics, step(1, 9));
    expect((await curves('grows')).series[1]!.points).toEqual([1, 9]);
    appendFileSync(metrics, step(2, null));
    rmSync(join(path, 'run.lock'));
    expect((await find('grows')).state).toBe('failed');
    expect((await curves('grows')).series[1]).toMatchObject({ points: [1, 9, 2, null], gaps: 1 });
    rmSync(path, { recursive: true });
    expect(await find('grows')).toBeUndefined();
  });
});

describe('hostile run folders', () => {
  test('names with markup, huge numbers, damaged files: shown as such, and the rest stays', async () => {
    makeRun('<img src=x onerror=alert(1)>', { 'config.json': config({ model: '<script>', epochs: 1e308 }) });
    makeRun('numbers', {
      'config.json': config({ seed: -1e308 }),
      'metrics.jsonl': `${step(1e300, 1e308)}{"type":"epoch","epoch":1e99,"step":5,"__proto__":{"x":1},"seconds":-5}\n[1]\nnull\n{{{\n`,
      'summary.json': '{"top1":"NaN","epochs":{"a":1}}',
    });
    makeRun('broken', { 'config.json': '{' });
    makeRun('huge', { 'config.json': ' '.repeat(2 << 20) });
    const names = (await list()).map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(['<img src=x onerror=alert(1)>', 'numbers', 'broken', 'huge']));
    expect(await find('broken')).toMatchObject({ state: 'broken', problem: expect.stringMatching(/valid JSON/) });
    expect(await find('huge')).toMatchObject({ state: 'broken', problem: expect.stringMatching(/larger/) });
    expect(await curves('numbers')).toMatchObject({ badLines: 3 });
    expect((await ask(`/api/runs/${(await find('numbers')).id}`)).status).toBe(200);
    expect(({} as { x?: number }).x).toBeUndefined();
  });

  test('a metrics file of 10 GB of nothing is given up', async () => {
    const path = makeRun('sparse', { 'config.json': config(), 'metrics.jsonl': step(1, 2) });
    truncateSync(join(path, 'metrics.jsonl'), 10e9);
    await curves('sparse');
    const run = index.get((await find('sparse')).id)!;
    await index.metrics(run).update();
    expect(await curves('sparse')).toMatchObject({ problem: expect.stringMatching(/no lines that can be read/) });
  });

  test('a large file is looked at in samples before it is read', async () => {
    const path = makeRun('long', { 'config.json': config() });
    const text = Array.from({ length: 150_000 }, (_, i) => step(i + 1, 2)).join('');
    writeFileSync(join(path, 'metrics.jsonl'), text);
    const first = await curves('long');
    expect(first.progress).toBeLessThan(1);
    const { points } = first.series.find(({ name }) => name === 'step/loss')!;
    expect(points.length).toBeGreaterThan(500);
    expect(points.at(-2)).toBeGreaterThan(149_000);
    await index.metrics(index.get((await find('long')).id)!).update();
    expect((await curves('long')).progress).toBe(1);
  });

  test('a deep tree is not walked to its end', async () => {
    const path = join(folder, ...Array.from({ length: 40 }, () => 'd'));
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, 'config.json'), config());
    expect((await list()).some(({ name }) => name.startsWith('d/'))).toBe(false);
    rmSync(join(folder, 'd'), { recursive: true });
  });

  test('links out of the folder lead nowhere', async () => {
    const path = makeRun('links', { 'config.json': config() });
    symlinkSync(join(outside, 'secret.txt'), join(path, 'metrics.jsonl'));
    symlinkSync(join(outside, 'secret.txt'), join(path, 'errors.json'));
    symlinkSync(join(outside, 'secret.txt'), join(path, 'note.txt'));
    writeFileSync(join(outside, 'config.json'), config());
    symlinkSync(outside, join(folder, 'linked-run'));
    const { id } = await find('links');
    for (const file of ['metrics.jsonl', 'errors.json', 'note.txt']) {
      expect((await ask(`/api/runs/${id}/files/${file}`)).status).toBe(404);
    }
    expect(await (await ask(`/api/runs/${id}/errors`)).json()).toEqual({ found: false });
    expect(
      ((await (await ask(`/api/runs/${id}`)).json()) as { files: { name: string }[] }).files.map(({ name }) => name),
    ).toEqual(['config.json']);
    expect((await curves('links')).series).toEqual([]);
    expect((await list()).some(({ name }) => name.includes('linked-run'))).toBe(false);
    // A run that becomes a link after it was found.
    rmSync(path, { recursive: true });
    symlinkSync(outside, path);
    expect((await ask(`/api/runs/${id}/files/secret.txt`)).status).toBe(404);
    rmSync(path);
  });
});

describe('who may ask', () => {
  test('paths lead nowhere but to a run’s own files', async () => {
    const { id } = await find('real/ce-40-s1');
    for (const path of ['..%2f..%2f..%2fetc%2fpasswd', '%2e%2e/x', '../../x', 'a%00b', '.hidden', '%2fetc%2fpasswd']) {
      expect([400, 404]).toContain((await ask(`/api/runs/${id}/files/${path}`)).status);
    }
    for (const path of ['/../package.json', '/%2e%2e/package.json', '/src/main.tsx', '/api/x', '/api/runs/..%2f..']) {
      expect([400, 404]).toContain((await ask(path)).status);
    }
    const file = await ask(`/api/runs/${id}/files/config.json`);
    expect(file.headers.get('content-disposition')).toMatch(/^attachment/);
    expect(await file.text()).toContain('"resnet20"');
  });

  test('a name that is made to lead here, and pages of other origins, are refused', async () => {
    for (const host of [
      'evil.example',
      'evil.example:6007',
      '127.0.0.1.evil.example',
      'localhost.evil',
      '10.0.0.1',
      '',
    ]) {
      expect((await ask('/api/runs', { host })).status).toBe(403);
    }
    expect((await ask('/api/runs', { host: 'localhost:6007' })).status).toBe(200);
    for (const origin of ['http://evil.example', 'null', 'https://127.0.0.1:6007', 'http://127.0.0.1:1']) {
      expect((await ask('/api/runs', { origin })).status).toBe(403);
    }
    expect((await ask('/api/runs', { origin: 'http://127.0.0.1:6007' })).status).toBe(200);
    expect((await ask('/api/runs', { 'sec-fetch-site': 'cross-site' })).status).toBe(403);
    expect(isAllowedHost('192.168.1.5:80', '0.0.0.0')).toBe(true);
    expect(isAllowedHost('evil.example', '0.0.0.0')).toBe(false);
    expect(isAllowedHost(undefined, '127.0.0.1')).toBe(false);
  });

  test('work needs the token, and is checked', async () => {
    const post = (body: unknown, headers: Record<string, string>): Promise<Response> =>
      ask(
        '/api/jobs',
        { 'content-type': 'application/json', ...headers },
        { method: 'POST', body: JSON.stringify(body) },
      );
    const job = { kind: 'sheet', data: 'synthetic', augment: 'cutmix', draw: 'sample', seed: 0, count: 2 };
    for (const token of ['', 'wrong', `${TOKEN}x`, TOKEN.slice(1)]) {
      expect((await post(job, { 'x-thrive-token': token })).status).toBe(403);
    }
    for (const wrong of [
      { ...job, kind: 'shell' },
      { ...job, count: 1e9 },
      { ...job, data: '../../etc/passwd' },
      { ...job, teacher: { run: '../../x' } },
      { ...job, command: 'rm' },
      { ...job, teacher: { run: (await find('real/kd-40-s1')).id, whose: 'teacher' } },
      { ...job, teacher: { run: (await find('real/kd-40-s1')).id } },
    ]) {
      expect((await post(wrong, { 'x-thrive-token': TOKEN })).status, JSON.stringify(wrong)).toBe(400);
    }
    const large = { ...job, augment: 'x'.repeat(100_000) };
    expect((await post(large, { 'x-thrive-token': TOKEN })).status).toBe(413);
  });

  test('every answer has the policy', async () => {
    for (const path of ['/', '/api/runs', '/nothing']) {
      const { headers } = await ask(path);
      expect(headers.get('content-security-policy')).toMatch(
        /default-src 'none'.*script-src 'self';.*frame-ancestors 'none'/,
      );
      expect(headers.get('content-security-policy')).not.toMatch(/unsafe/);
      expect(headers.get('x-content-type-options')).toBe('nosniff');
    }
  });
});

test('a command that is shown is safe to paste', () => {
  expect(shellWord('runs/a-1')).toBe('runs/a-1');
  expect(shellWord("a'; rm -rf ~ #$(x)")).toBe(`'a'\\''; rm -rf ~ #$(x)'`);
});
