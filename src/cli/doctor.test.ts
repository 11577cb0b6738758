import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { writeTinyData } from '../../test/tiny-data.ts';
import type { Check } from './doctor.ts';

/** What the machine pretends to be; undefined leaves it as it is. */
const fake = vi.hoisted(() => ({
  freemem: undefined as number | undefined,
  freeDisk: undefined as number | undefined,
  load: undefined as string | undefined,
  loss: undefined as number | undefined,
  bf16: undefined as boolean | undefined,
  libtorch: undefined as string | undefined,
  referenceBlas: undefined as boolean | undefined,
  built: undefined as boolean | undefined,
  compiler: undefined as boolean | undefined,
}));

vi.mock('node:os', async (original) => {
  const os = await original<typeof import('node:os')>();
  return { ...os, freemem: () => fake.freemem ?? os.freemem() };
});
vi.mock('node:fs', async (original) => {
  const fs = await original<typeof import('node:fs')>();
  return {
    ...fs,
    statfsSync: (path: string) =>
      fake.freeDisk === undefined ? fs.statfsSync(path) : { bavail: fake.freeDisk, bsize: 1 },
    readFileSync: (path: string, ...rest: []) =>
      path === '/proc/loadavg' && fake.load !== undefined ? fake.load : fs.readFileSync(path, ...rest),
  };
});
vi.mock('../distill/kl.ts', async (original) => {
  const kl = await original<typeof import('../distill/kl.ts')>();
  return {
    ...kl,
    crossEntropy: (...args: Parameters<typeof kl.crossEntropy>) => {
      const loss = kl.crossEntropy(...args);
      return fake.loss === undefined ? loss : loss.mul(fake.loss);
    },
  };
});
vi.mock('../torch/cpu.ts', async (original) => {
  const cpu = await original<typeof import('../torch/cpu.ts')>();
  return {
    ...cpu,
    bf16Support: () =>
      fake.bf16 === undefined ? cpu.bf16Support() : { fast: fake.bf16, reason: fake.bf16 ? 'fast' : 'slow' },
  };
});
vi.mock('../../native/build/locate.mjs', async (original) => {
  const locate = await original<typeof import('../../native/build/locate.mjs')>();
  return {
    ...locate,
    locateLibtorch: () =>
      fake.libtorch === 'absent'
        ? { libtorch: undefined, tried: [{ source: 'system', where: '/usr', reason: 'there is no libtorch' }] }
        : locate.locateLibtorch(),
    usesReferenceBlas: () => fake.referenceBlas ?? locate.usesReferenceBlas(),
  };
});
vi.mock('../../native/build/compiler.mjs', async (original) => {
  const compiler = await original<typeof import('../../native/build/compiler.mjs')>();
  return {
    ...compiler,
    locateCompiler: () =>
      fake.compiler === false
        ? { compiler: undefined, tried: [{ where: 'g++', reason: 'not installed' }] }
        : compiler.locateCompiler(),
  };
});
vi.mock('../../native/build/current.mjs', async (original) => {
  const current = await original<typeof import('../../native/build/current.mjs')>();
  return { ...current, currentBuild: (dir?: string) => (fake.built === false ? undefined : current.currentBuild(dir)) };
});

const doctor = await import('./doctor.ts');
const named = (checks: readonly Check[], name: string): Check => {
  const found = checks.find((one) => one.name === name);
  if (!found) throw new Error(`there is no check of ${name}`);
  return found;
};
/** The check of one thing, without the others: a training step takes seconds on a busy machine. */
const check = (name: string): Check => {
  if (name === 'Node.js') return doctor.nodeCheck();
  if (name === 'C++ compiler') return doctor.compilerCheck();
  if (name === 'libtorch') return doctor.libtorchCheck();
  if (name === 'data') return doctor.dataCheck();
  return named(name === 'training step' || name === 'bfloat16' ? doctor.stepCheck() : doctor.memoryCheck(), name);
};

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'thrive-doctor-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(() => {
  for (const key of Object.keys(fake)) Object.assign(fake, { [key]: undefined });
  vi.unstubAllEnvs();
  vi.unstubAllGlobals();
});

describe('a machine that can train', () => {
  test('passes, and every complaint comes with advice', () => {
    const { ok, checks } = doctor.diagnose();
    expect(checks.filter(({ status }) => status === 'fail')).toEqual([]);
    expect(ok).toBe(true);
    expect(new Set(checks.map(({ name }) => name)).size).toBe(checks.length);
    for (const { status, advice } of checks) if (status !== 'ok') expect(advice).toBeTruthy();
    expect(named(checks, 'training step').found).toMatch(/^ResNet-8: \d+ images\/s, loss [\d.]+ to [\d.]+$/);
  });

  test('one failure is enough to say that it cannot', () => {
    Object.assign(fake, { libtorch: 'absent', loss: 0 });
    const { ok, checks } = doctor.diagnose();
    expect(ok).toBe(false);
    const failed = checks.filter(({ status }) => status === 'fail');
    expect(failed.map(({ name }) => name)).toEqual(['libtorch', 'training step']);
  });

  test('names the data that is here', () => {
    vi.stubEnv('THRIVE_DATA', writeTinyData(folder, { train: 10, test: 10 }));
    expect(check('data').found).toMatch(/fashion-mnist, synthetic ready|fashion-mnist.* ready/);
    vi.stubEnv('THRIVE_DATA', join(folder, 'nowhere'));
    writeFileSync(join(folder, 'file'), '');
    expect(check('data').found).toContain('synthetic');
  });
});

describe('what is missing fails, with advice', () => {
  test.each<[string, Partial<typeof fake>, string, RegExp, RegExp]>([
    ['libtorch', { libtorch: 'absent' }, 'libtorch', /\/usr.*there is no libtorch/, /npx thrive setup/],
    [
      'a compiler and a build',
      { compiler: false, built: false },
      'C++ compiler',
      /g\+\+: not installed/,
      /npx thrive setup/,
    ],
    ['a loss that is a number', { loss: Number.NaN }, 'training step', /loss NaN to NaN/, /computes wrongly/],
  ])('%s', (_what, machine, name, found, advice) => {
    Object.assign(fake, machine);
    const one = check(name);
    expect(one.status).toBe('fail');
    expect(one.found).toMatch(found);
    expect(one.advice).toMatch(advice);
  });

  test('an old Node.js', () => {
    for (const [version, status] of [
      ['18.20.4', 'fail'],
      ['20.16.0', 'fail'],
      ['20.17.0', 'ok'],
      ['22.0.0', 'ok'],
      ['100.0.0', 'ok'],
    ]) {
      const versions = Object.create(process, {
        versions: { value: { ...process.versions, node: version } },
        version: { value: `v${version}` },
      });
      vi.stubGlobal('process', versions);
      const { status: got, found, advice } = check('Node.js');
      vi.unstubAllGlobals();
      expect([version, got, found]).toEqual([version, status, `v${version}`]);
      if (status === 'fail') expect(advice).toMatch(/20\.17/);
    }
  });
});

describe('what is only slow or scarce is a warning', () => {
  test.each<[string, Partial<typeof fake>, string, RegExp, RegExp]>([
    ['no compiler, but a build', { compiler: false }, 'C++ compiler', /not installed/, /install g\+\+/],
    ['little memory', { freemem: 2 ** 29 }, 'memory', /^0\.5 GiB free/, /1 GiB/],
    ['a full disk', { freeDisk: 2 ** 20 }, 'disk', /^0\.0 GiB free/, /--out/],
    ['a busy machine', { load: '99.50 1.0 1.0 1/100 1\n' }, 'load', /^99\.5 on /, /slower/],
    ['no bfloat16', { bf16: false }, 'bfloat16', /^slow$/, /--precision fp32/],
  ])('%s', (_what, machine, name, found, advice) => {
    Object.assign(fake, machine);
    const one = check(name);
    expect(one.status).toBe('warn');
    expect(one.found).toMatch(found);
    expect(one.advice).toMatch(advice);
  });

  test('an idle machine with room is fine', () => {
    Object.assign(fake, { freemem: 2 ** 33, freeDisk: 2 ** 33, load: '0.01 0 0 1/1 1\n' });
    for (const name of ['memory', 'disk', 'load']) expect(check(name).status, name).toBe('ok');
  });
});
