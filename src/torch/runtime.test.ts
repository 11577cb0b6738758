import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, test } from 'vitest';
import {
  checkDevice,
  defaultThreads,
  engineInfo,
  getNumThreads,
  manualSeed,
  ops,
  setNumThreads,
  tidy,
  version,
  zeros,
} from './index.ts';
import { nativeBuild } from './native.ts';

describe('threads', () => {
  const before = getNumThreads();
  afterEach(() => setNumThreads(before));

  test('are set and read; the default is what the process may use', () => {
    setNumThreads(1);
    expect(getNumThreads()).toBe(1);
    setNumThreads(3);
    expect(getNumThreads()).toBe(3);
    expect(defaultThreads()).toBe(availableParallelism());
  });
  test.each([0, -1, 1.5, Number.NaN, Infinity, '2' as unknown as number])('%s is refused', (threads) => {
    expect(() => setNumThreads(threads)).toThrow(/threads must be a positive integer/);
  });
  test('too many are refused', () => {
    expect(() => setNumThreads(5000)).toThrow(/threads/);
  });
  test('results do not depend on the number', () => {
    const sum = (): number => tidy(() => ops.arange(0, 100_000, 1, 4).sum().item());
    setNumThreads(1);
    const one = sum();
    setNumThreads(2);
    expect(sum()).toBe(one);
  });
});

describe('seeds', () => {
  const draw = (): number[] => tidy(() => ops.normal_(zeros([4])).toArray() as number[]);
  test('the same seed draws the same numbers, another others', () => {
    manualSeed(7);
    const first = draw();
    const second = draw();
    manualSeed(7);
    expect(draw()).toEqual(first);
    expect(second).not.toEqual(first);
    manualSeed(8);
    expect(draw()).not.toEqual(first);
  });
  test('seed 0 draws what torch.manual_seed(0); torch.randn(4) prints', () => {
    manualSeed(0);
    expect(draw()).toBeAllclose([1.541, -0.2934, -2.1788, 0.5684], { atol: 5e-5 });
  });
});

describe('devices', () => {
  test('the CPU is always there', () => expect(checkDevice('cpu')).toBe('cpu'));
  test('a name of no kind', () => {
    expect(() => checkDevice('gpu')).toThrow("unknown device 'gpu'");
    expect(() => checkDevice('cuda:x')).toThrow("unknown device 'cuda:x'");
    expect(() => checkDevice('')).toThrow("unknown device ''");
  });
  const { cudaDevices } = engineInfo();
  test('CUDA: the message says what is lacking, or the device exists', () => {
    if (cudaDevices === 0)
      expect(() => checkDevice('cuda')).toThrow(/device 'cuda': this libtorch sees no CUDA device/);
    else expect(checkDevice('cuda')).toBe('cuda:0');
    expect(() => checkDevice('cuda:99')).toThrow(/device 'cuda:99'/);
  });
});

describe('the engine', () => {
  test('says what it is', () => {
    const info = engineInfo();
    expect(info.version).toMatch(/^\d+\.\d+\.\d+/);
    expect(info.version).toBe(version());
    expect(info.cpuCapability).not.toBe('unknown');
    expect(info.threads).toBe(getNumThreads());
    expect(info.config).toContain('PyTorch built with');
  });
  test('belongs to one thread: another thread is told so', async () => {
    version();
    const build = nativeBuild()!;
    const path = (await import('../../native/build/current.mjs')).buildDirOf();
    const worker = new Worker(
      `const { parentPort, workerData } = require('node:worker_threads');
       try { require(workerData); parentPort.postMessage('loaded'); } catch (error) { parentPort.postMessage(error.message); }`,
      { eval: true, workerData: `${path}/${build.addon}` },
    );
    const message = await new Promise((resolve) => worker.once('message', resolve));
    await worker.terminate();
    expect(message).toMatch(/libtorch is loaded in another thread of this process already/);
  });
});
