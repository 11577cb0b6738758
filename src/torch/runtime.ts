/** @file The engine as a whole: threads, devices, seeds, what it was built with. */
import { availableParallelism } from 'node:os';
import { UserError } from '../base/errors.ts';
import { toGive } from '../base/speech.ts';
import { native } from './native.ts';

/** Threads an operator may use. libtorch's own default is half the logical processors, which idles a virtual machine. */
export const defaultThreads = (): number => availableParallelism();

export function setNumThreads(threads: number): void {
  if (!Number.isInteger(threads) || threads < 1)
    throw new UserError(`threads must be a positive integer, got ${threads}`);
  native().setThreads(threads);
}
export const getNumThreads = (): number => native().getThreads();

/** Seed libtorch's own generators (`normal_`, `dropout`). Thrive's draws do not use them: see random.ts. */
export function manualSeed(seed: number): void {
  native().manualSeed(seed);
}

/** The version of libtorch that is loaded. */
export const version = (): string => native().version();

export interface EngineInfo {
  version: string;
  /** DEFAULT, AVX2, AVX512 …: the instruction set libtorch's own kernels use. */
  cpuCapability: string;
  mkldnn: boolean;
  cudaDevices: number;
  threads: number;
  config: string;
}

export function engineInfo(): EngineInfo {
  const addon = native();
  const config = addon.buildInfo();
  return {
    version: addon.version(),
    cpuCapability: /CPU capability usage: (\S+)/.exec(config)?.[1] ?? 'unknown',
    mkldnn: addon.hasMkldnn(),
    cudaDevices: addon.cudaDevices(),
    threads: addon.getThreads(),
    config,
  };
}

/** Checks a device name before anything is loaded onto it: `cpu`, `cuda`, `cuda:N`. */
export function checkDevice(device: string): string {
  if (device === 'cpu') return device;
  const match = /^cuda(?::(\d+))?$/.exec(device);
  if (!match) throw new UserError(`unknown device '${device}'`, { hint: 'known: cpu, cuda, cuda:0, cuda:1, …' });
  const count = native().cudaDevices();
  const index = Number(match[1] ?? 0);
  if (count === 0)
    throw new UserError(`device '${device}': this libtorch sees no CUDA device`, {
      hint: `use ${toGive('device', 'cpu')}`,
    });
  if (index >= count) throw new UserError(`device '${device}': there are ${count} CUDA devices, counted from 0`);
  return `cuda:${index}`;
}
