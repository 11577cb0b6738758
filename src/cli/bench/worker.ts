/** @file One process of `thrive bench step`: times the step that training takes, and prints one JSON line. */
import type { ViewSpec } from '../../score/views.ts';
import { defaultThreads, setNumThreads, version } from '../../torch/index.ts';
import { reportError } from '../output.ts';
import { type BenchSetup, benchTasks, loadBenchParts, median } from './task.ts';

interface Job extends BenchSetup {
  method: string;
  view: ViewSpec | null;
  steps: number;
  warmup: number;
  threads?: number;
}

async function time(job: Job): Promise<object> {
  const { scheme, pick } = job.view ?? {};
  await loadBenchParts(job.method, scheme ? [pick ? `${scheme}+pick:${pick.criterion}` : scheme] : []);
  setNumThreads(job.threads ?? defaultThreads());
  const task = benchTasks(job)(job.method, job.view);
  for (let step = 0; step < job.warmup; step++) task.step();
  const times = Array.from({ length: job.steps }, () => task.step());
  return {
    engine: `thrive on libtorch ${version()}`,
    recipe: job.precision,
    work: task.name,
    ms_per_step: median(times),
  };
}

try {
  console.log(JSON.stringify(await time(JSON.parse(process.argv[2] ?? '{}') as Job)));
} catch (error) {
  process.exitCode = reportError(error);
}
