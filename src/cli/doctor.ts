/** @file The checks of `thrive doctor`. */
import { existsSync, readFileSync, statfsSync } from 'node:fs';
import { freemem, totalmem } from 'node:os';
import { locateCompiler } from '../../native/build/compiler.mjs';
import { currentBuild, describeLibtorch } from '../../native/build/current.mjs';
import { describeAttempts, locateLibtorch, usesReferenceBlas } from '../../native/build/locate.mjs';
import { errorMessage, UserError } from '../base/errors.ts';
import { DATASETS } from '../data/index.ts';
import { crossEntropy } from '../distill/kl.ts';
import { createModel } from '../models/index.ts';
import { SGD } from '../nn/index.ts';
import { bf16Support } from '../torch/cpu.ts';
import { defaultThreads, engineInfo, memory, setNumThreads, tensor, tidy, zeros } from '../torch/index.ts';

export interface Check {
  name: string;
  status: 'ok' | 'warn' | 'fail';
  found: string;
  /** What to do, for anything but ok. */
  advice?: string;
}

export interface Diagnosis {
  ok: boolean;
  checks: Check[];
}

const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;

export function nodeCheck(): Check {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const good = major > 20 || (major === 20 && minor >= 17);
  return {
    name: 'Node.js',
    status: good ? 'ok' : 'fail',
    found: process.version,
    ...(good ? {} : { advice: 'Thrive needs Node.js 20.17 or newer' }),
  };
}

export function compilerCheck(): Check {
  const { compiler, tried } = locateCompiler();
  if (compiler) return { name: 'C++ compiler', status: 'ok', found: `${compiler.kind} ${compiler.version}` };
  const found = tried.map(({ where, reason }) => `${where}: ${reason}`).join('; ');
  return {
    name: 'C++ compiler',
    status: currentBuild() ? 'warn' : 'fail',
    found,
    advice: 'install g++ or clang++, then npx thrive setup',
  };
}

export function libtorchCheck(): Check {
  const { libtorch, tried } = locateLibtorch();
  if (libtorch) return { name: 'libtorch', status: 'ok', found: describeLibtorch(libtorch) };
  return {
    name: 'libtorch',
    status: 'fail',
    found: describeAttempts(tried).join('; '),
    advice: 'npx thrive setup says how to install it here',
  };
}

/** Load the engine and take a real training step: forward, backward, update. */
export function stepCheck(): Check[] {
  let info: ReturnType<typeof engineInfo>;
  try {
    setNumThreads(defaultThreads());
    info = engineInfo();
  } catch (error) {
    const advice = error instanceof UserError ? error.hint : undefined;
    return [{ name: 'native addon', status: 'fail', found: errorMessage(error), ...(advice ? { advice } : {}) }];
  }
  const checks: Check[] = [
    {
      name: 'native addon',
      status: 'ok',
      found: `libtorch ${info.version}, ${info.cpuCapability}, oneDNN ${info.mkldnn ? 'yes' : 'no'}`,
    },
  ];
  const network = createModel('resnet8', { classes: 10 });
  const optimizer = new SGD(network.namedParameters(), { lr: 0.1 });
  const step = (): number =>
    tidy(() => {
      const loss = crossEntropy(
        network.forward(zeros([32, 3, 32, 32])),
        tensor(new Int32Array(32), { dtype: 'int64' }),
      );
      loss.backward();
      optimizer.step();
      optimizer.zeroGrad();
      return loss.item();
    });
  try {
    const first = step();
    const before = memory().tensors;
    const start = performance.now();
    const last = Array.from({ length: 5 }, step).at(-1)!;
    const speed = (5 * 32 * 1000) / (performance.now() - start);
    const good = Number.isFinite(last) && last < first && memory().tensors === before;
    checks.push({
      name: 'training step',
      status: good ? 'ok' : 'fail',
      found: `ResNet-8: ${speed.toFixed(0)} images/s, loss ${first.toFixed(3)} to ${last.toFixed(3)}`,
      ...(good ? {} : { advice: 'the loss should have fallen: this libtorch computes wrongly or leaks' }),
    });
  } catch (error) {
    checks.push({ name: 'training step', status: 'fail', found: errorMessage(error) });
  } finally {
    optimizer.dispose();
    network.dispose();
  }
  const bf16 = bf16Support();
  checks.push({
    name: 'bfloat16',
    status: bf16.fast ? 'ok' : 'warn',
    found: bf16.reason,
    ...(bf16.fast ? {} : { advice: 'use --precision fp32 here: bf16 works but is slower' }),
  });
  checks.push({
    name: 'devices',
    status: 'ok',
    found: `cpu (${info.threads} threads)${info.cudaDevices ? `, ${info.cudaDevices} CUDA` : ''}`,
  });
  return checks;
}

function blasCheck(): Check[] {
  if (locateLibtorch().libtorch?.source !== 'system' || !usesReferenceBlas()) return [];
  return [
    {
      name: 'BLAS',
      status: 'warn',
      found: "Debian's reference BLAS, which is slow",
      advice: 'apt-get install libopenblas0-openmp',
    },
  ];
}

export function memoryCheck(): Check[] {
  const checks: Check[] = [
    {
      name: 'memory',
      status: freemem() > 2 ** 30 ? 'ok' : 'warn',
      found: `${gib(freemem())} free of ${gib(totalmem())}`,
    },
  ];
  if (checks[0]!.status === 'warn') checks[0]!.advice = 'a CIFAR run takes about 1 GiB';
  const disk = statfsSync('.');
  const free = disk.bavail * disk.bsize;
  checks.push({
    name: 'disk',
    status: free > 2 ** 30 ? 'ok' : 'warn',
    found: `${gib(free)} free here`,
    ...(free > 2 ** 30 ? {} : { advice: 'checkpoints need space: choose --out elsewhere' }),
  });
  if (existsSync('/proc/loadavg')) {
    const load = Number(readFileSync('/proc/loadavg', 'utf8').split(' ')[0]);
    const busy = load > defaultThreads();
    checks.push({
      name: 'load',
      status: busy ? 'warn' : 'ok',
      found: `${load} on ${defaultThreads()} processors`,
      ...(busy ? { advice: 'the processors have other work: training will be slower' } : {}),
    });
  }
  return checks;
}

export function dataCheck(): Check {
  const present: string[] = [];
  for (const [name, info] of Object.entries(DATASETS)) {
    try {
      info.folder('train');
      present.push(name);
    } catch {
      // Absent is what this check reports.
    }
  }
  return { name: 'data', status: 'ok', found: `${present.join(', ')} ready; thrive data get NAME for others` };
}

export function diagnose(): Diagnosis {
  const checks = [
    nodeCheck(),
    compilerCheck(),
    libtorchCheck(),
    ...stepCheck(),
    ...blasCheck(),
    ...memoryCheck(),
    dataCheck(),
  ];
  return { ok: checks.every(({ status }) => status !== 'fail'), checks };
}
