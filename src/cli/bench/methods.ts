/** @file Time a step of each distillation loss. One step of kd and one of the loss in turn, so that a busy machine slows both alike. */
import { cpus } from 'node:os';
import { UserError } from '../../base/errors.ts';
import { packageVersion } from '../../base/version.ts';
import { lossNames } from '../../distill/losses/index.ts';
import { formatBytes } from '../../distill/losses/memory.ts';
import { checkModelName } from '../../models/index.ts';
import { bf16Support } from '../../torch/cpu.ts';
import { defaultThreads, setNumThreads, tidy, version } from '../../torch/index.ts';
import { result, say, table } from '../output.ts';
import { type BenchSetup, benchTasks, loadBenchParts, lossConfig, median, type TimedTask } from './task.ts';

export interface BenchMethodsFlags extends Omit<BenchSetup, 'precision'> {
  methods?: string[];
  steps: number;
  warmup: number;
  threads?: number;
  precision: string;
  markdown?: boolean;
  json?: boolean;
}

interface MethodTime {
  name: string;
  /** Median milliseconds of a step. */
  ms: number;
  /** The same of kd's steps, each taken just before one of this method's. */
  kdMs: number;
  /** Median of the quotients of those pairs. */
  timesKd: number;
  /** A step of its first stage, where it has one. */
  init: { ms: number; timesKd: number } | null;
  /** Of what trains beside the student, memories included. */
  bytes: number;
}

/** Steps of kd and of the other in turn. */
function compare(
  kd: TimedTask,
  task: TimedTask,
  stage: 'init' | 'train',
  { warmup, steps }: BenchMethodsFlags,
): { ms: number; kdMs: number; timesKd: number } {
  const pairs: { kd: number; own: number }[] = [];
  for (let step = 0; step < warmup + steps; step++) {
    const pair = { kd: kd.step(), own: task.step(stage) };
    if (step >= warmup) pairs.push(pair);
  }
  return {
    ms: median(pairs.map(({ own }) => own)),
    kdMs: median(pairs.map((pair) => pair.kd)),
    timesKd: median(pairs.map((pair) => pair.own / pair.kd)),
  };
}

function time(flags: BenchMethodsFlags, methods: readonly string[]): MethodTime[] {
  const precision = flags.precision as BenchSetup['precision'];
  return tidy(() => {
    const make = benchTasks({ ...flags, precision });
    const kd = make('kd');
    return methods.map((written) =>
      tidy(() => {
        const task = make(written);
        try {
          const init = task.hasInit ? compare(kd, task, 'init', flags) : null;
          const train = compare(kd, task, 'train', flags);
          const row = { name: task.name, ...train, init: init && { ms: init.ms, timesKd: init.timesKd } };
          say(`${row.name}: ${row.ms.toFixed(0)} ms, ${row.timesKd.toFixed(2)} times kd's ${row.kdMs.toFixed(0)} ms`);
          return { ...row, bytes: task.bytes };
        } finally {
          task.dispose();
        }
      }),
    );
  });
}

const header = ['method', 'ms/step', 'times kd', 'first stage, ms/step', 'times kd', 'of its own'];

const cells = (rows: readonly MethodTime[]): string[][] =>
  rows.map(({ name, ms, timesKd, init, bytes }) => [
    name,
    ms.toFixed(0),
    timesKd.toFixed(2),
    init ? init.ms.toFixed(0) : '',
    init ? init.timesKd.toFixed(2) : '',
    bytes > 0 ? formatBytes(bytes) : '',
  ]);

function markdownTable(rows: readonly MethodTime[]): string {
  const line = (row: readonly string[]): string => `| ${row.join(' | ')} |`;
  return [line(header), line(header.map((_, i) => (i === 0 ? '---' : '---:'))), ...cells(rows).map(line)].join('\n');
}

export async function benchMethods(flags: BenchMethodsFlags): Promise<void> {
  const { teacher, student, batchSize, samples, device, precision } = flags;
  checkModelName(teacher);
  checkModelName(student);
  if (precision !== 'fp32' && precision !== 'bf16') {
    throw new UserError(`--precision must be fp32 or bf16, not '${precision}'`);
  }
  const methods = flags.methods ?? lossNames;
  for (const method of methods) await loadBenchParts(method);
  for (const method of methods) lossConfig(method);
  const bf16 = bf16Support();
  if (precision === 'bf16' && device === 'cpu' && !bf16.fast) say(`note: bf16: ${bf16.reason}`);
  const threads = flags.threads ?? defaultThreads();
  setNumThreads(threads);
  const rows = time(flags, methods);
  const machine = { cpu: cpus()[0]?.model ?? 'unknown', threads, device, libtorch: version() };
  const about = `${teacher} teaches ${student}, ${precision}, batches of ${batchSize}, ${samples} training images; medians of ${flags.steps} steps, each after one of kd; ${threads} threads of ${machine.cpu}; Thrive ${packageVersion()} on libtorch ${machine.libtorch}.`;
  result(flags.json, { teacher, student, batchSize, samples, precision, ...machine, methods: rows }, () =>
    [flags.markdown ? markdownTable(rows) : table(header, cells(rows)), '', about].join('\n'),
  );
}
