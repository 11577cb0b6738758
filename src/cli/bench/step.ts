/** @file Times our training step in fresh processes, alternating with PyTorch's so that a busy machine slows both alike. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { errorMessage, UserError } from '../../base/errors.ts';
import { checkModelName } from '../../models/index.ts';
import { parseViews, type ViewSpec } from '../../score/views.ts';
import { bf16Support } from '../../torch/cpu.ts';
import { result, say, table } from '../output.ts';
import { loadBenchParts, lossConfig, median, taskName } from './task.ts';

export interface BenchFlags {
  teacher: string;
  student: string;
  batchSize: number;
  steps: number;
  warmup: number;
  rounds: number;
  threads?: number;
  device: string;
  precision: string[];
  method: string;
  augment: string[];
  against?: string;
  python: string;
  json?: boolean;
}

interface Timing {
  engine: string;
  recipe: string;
  work: string;
  ms_per_step: number;
}

/** Which of PyTorch's recipes each of ours is held against. */
const rival: Readonly<Record<string, string>> = { fp32: 'reference', bf16: 'tuned' };

/** What a yardstick calls these steps; it is asked for any other by our own name. */
const rivalWork: Readonly<Record<string, string>> = { 'kd cutmix': 'cutmix', 'kd cutmix+pick:kl': 'pick' };

/** `none` is a step without a second view. */
const views = (names: readonly string[]): (ViewSpec | null)[] =>
  names.flatMap((name) => (name === 'none' ? [null] : parseViews(name)));

const isTiming = (value: unknown): value is Timing => {
  const { engine, recipe, work, ms_per_step: ms } = (value ?? {}) as Partial<Record<keyof Timing, unknown>>;
  return [engine, recipe, work].every((field) => typeof field === 'string') && typeof ms === 'number' && ms > 0;
};

/** Run a program that prints JSON lines, one a timing; other lines are its own affair. */
function timings(name: string, command: string, args: string[]): Timing[] {
  const { status, signal, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 2 ** 26 });
  if (error) throw new UserError(`cannot run ${command}: ${errorMessage(error)}`);
  if (status !== 0) {
    const end = stderr.trim().split('\n').slice(-8).join('\n');
    throw new UserError(`${name} failed (${signal ?? `exit code ${status}`})${end ? `:\n${end}` : ''}`);
  }
  const lines = stdout.split('\n').filter((line) => line.startsWith('{'));
  if (lines.length === 0) throw new UserError(`${name} printed no JSON line`);
  return lines.map((line) => {
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      value = undefined;
    }
    if (isTiming(value)) return value;
    throw new UserError(`${name} printed a line that is no timing: ${line.slice(0, 200)}`, {
      hint: 'a timing is {"engine": "…", "recipe": "…", "work": "kd", "ms_per_step": 12.3}',
    });
  });
}

export async function benchStep(flags: BenchFlags): Promise<void> {
  checkModelName(flags.teacher);
  checkModelName(flags.student);
  // A misspelt name is said here, not by the first of many processes.
  await loadBenchParts(flags.method, flags.augment);
  lossConfig(flags.method);
  const works = views(flags.augment).map((view) => ({ view, name: taskName(flags.method, view) }));
  for (const precision of flags.precision) {
    if (!Object.hasOwn(rival, precision)) throw new UserError(`--precision must be fp32 or bf16, not '${precision}'`);
  }
  if (flags.against !== undefined && !existsSync(flags.against)) {
    throw new UserError(`--against ${flags.against}: there is no such file`);
  }
  const bf16 = bf16Support();
  if (flags.precision.includes('bf16') && flags.device === 'cpu' && !bf16.fast) say(`note: bf16: ${bf16.reason}`);
  const worker = fileURLToPath(new URL('./worker.js', import.meta.url));
  const times = new Map<string, number[]>();
  const note = ({ engine, recipe, work, ms_per_step }: Timing): void => {
    const key = `${engine}|${recipe}|${work}`;
    times.set(key, [...(times.get(key) ?? []), ms_per_step]);
    say(`${engine} ${recipe} ${work}: ${ms_per_step.toFixed(1)} ms`);
  };
  const common = [
    '--teacher',
    flags.teacher,
    '--student',
    flags.student,
    '--steps',
    String(flags.steps),
    '--warmup',
    String(flags.warmup),
  ];
  const threads = flags.threads ? ['--threads', String(flags.threads)] : [];
  const combinations = flags.precision.flatMap((precision) => works.map((work) => ({ precision, ...work })));
  for (let round = 0; round < flags.rounds; round++) {
    for (const { precision, view, name } of combinations) {
      timings('the step', process.execPath, [worker, JSON.stringify({ ...flags, precision, view })]).forEach(note);
      if (!flags.against) continue;
      const args = [flags.against, ...common, ...threads, '--batch', String(flags.batchSize), '--device', flags.device];
      const work = rivalWork[name] ?? name;
      const asked = [...args, '--recipe', rival[precision]!, '--work', work];
      // A script that times more than it was asked to keeps its own names for that.
      for (const timing of timings(flags.against, flags.python, asked)) {
        note(timing.work === work ? { ...timing, work: name } : timing);
      }
    }
  }
  const rows = [...times].map(([key, values]) => {
    const [engine = '', recipe = '', work = ''] = key.split('|');
    const ms = median(values);
    return { engine, recipe, work, ms, imagesPerSecond: (flags.batchSize * 1000) / ms, rounds: values.length };
  });
  const ratios = combinations.flatMap(({ precision, name }) => {
    const ours = rows.find((row) => row.recipe === precision && row.work === name);
    const theirs = rows.find((row) => row.recipe === rival[precision] && row.work === name && row !== ours);
    return ours && theirs ? [{ work: name, ours: precision, theirs: theirs.recipe, ratio: theirs.ms / ours.ms }] : [];
  });
  const { teacher, student, batchSize } = flags;
  const report = {
    teacher,
    student,
    batchSize,
    cpu: cpus()[0]?.model ?? 'unknown',
    processors: cpus().length,
    rows,
    ratios,
  };
  result(flags.json, report, () =>
    [
      table(
        ['engine', 'recipe', 'work', 'ms/step', 'images/s'],
        rows.map((row) => [row.engine, row.recipe, row.work, row.ms.toFixed(1), row.imagesPerSecond.toFixed(0)]),
      ),
      ...ratios.map(
        ({ work, ours, theirs, ratio }) =>
          `${work}: ${ours} is ${ratio.toFixed(2)} times as fast as PyTorch's ${theirs}`,
      ),
    ].join('\n'),
  );
}
