/** @file Images/s of the architectures, each in a process of its own, so that a slow one can be given up. */
import { spawnSync } from 'node:child_process';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { UserError } from '../../base/errors.ts';
import { packageVersion } from '../../base/version.ts';
import { modelNames, modelRow } from '../../models/index.ts';
import { checkModel } from '../../networks/model-reference.ts';
import { modelSource } from '../../networks/model-source.ts';
import { bf16Support } from '../../torch/cpu.ts';
import { defaultThreads, version } from '../../torch/index.ts';
import { result, say, table } from '../output.ts';
import type { ModelJob, PassTime } from './models-worker.ts';

export interface BenchModelsFlags {
  models?: string[];
  precision: string[];
  batchSize: number;
  imageSize: number;
  classes: number;
  seconds: number;
  maxSeconds: number;
  threads?: number;
  device: string;
  markdown?: boolean;
  json?: boolean;
}

/** Images/s of one network in one precision; null where there is no number, and why. */
interface Speed {
  precision: string;
  forward: number | null;
  both: number | null;
  reason?: string;
  /** Stopped, as its time was up. */
  late?: boolean;
}

interface Row {
  name: string;
  parameters: number;
  multiplyAdds: number;
  speeds: Speed[];
}

const isPass = (value: Partial<PassTime>): value is PassTime =>
  (value.pass === 'forward' || value.pass === 'both') && typeof value.ms === 'number';

/** Time one network; what was measured before the time was up counts. */
function measureSpeed(job: ModelJob, maxSeconds: number): Speed {
  const worker = fileURLToPath(new URL('./models-worker.js', import.meta.url));
  const { status, signal, stdout, stderr, error } = spawnSync(process.execPath, [worker, JSON.stringify(job)], {
    encoding: 'utf8',
    timeout: maxSeconds * 1000,
    killSignal: 'SIGKILL',
  });
  const late = error && 'code' in error && error.code === 'ETIMEDOUT';
  if (error && !late) throw error;
  // The others are worth their minutes all the same.
  const said = stderr
    .trim()
    .split('\n')[0]
    ?.replace(/^error: /, '');
  const failed = status !== 0 && !late ? `failed (${said || (signal ?? `exit code ${status}`)})` : undefined;
  const passes = stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Partial<PassTime>)
    .filter(isPass);
  const rate = (pass: PassTime['pass']): number | null => {
    const found = passes.find((entry) => entry.pass === pass);
    return found ? (job.batchSize * 1000) / found.ms : null;
  };
  const speed: Speed = { precision: job.precision, forward: rate('forward'), both: rate('both') };
  const reason = late ? `not done within ${maxSeconds} s` : failed;
  return reason ? { ...speed, reason, late: Boolean(late) } : speed;
}

async function sizes({ models, classes, imageSize }: BenchModelsFlags): Promise<Map<string, Row>> {
  const references = models ?? modelNames;
  for (const reference of references) checkModel(reference);
  const rows = new Map<string, Row>();
  for (const reference of references) {
    const source = await modelSource(reference);
    using network = source.createEmpty({ classes, imageSize });
    const { name, parameters, multiplyAdds } = modelRow(source.name, network, imageSize);
    rows.set(reference, { name, parameters, multiplyAdds, speeds: [] });
  }
  return rows;
}

const rateText = (rate: number | null | undefined): string =>
  rate === null || rate === undefined ? '–' : rate.toFixed(rate < 1 ? 2 : rate < 10 ? 1 : 0);
const millions = (count: number): string => (count / 1e6).toFixed(count < 1e7 ? 2 : 1);

function cells(rows: Row[], precisions: readonly string[]): { header: string[]; body: string[][] } {
  const header = ['model', 'parameters, M', 'multiply-adds, M'];
  for (const precision of precisions) header.push(`${precision} forward`, `${precision} forward + backward`);
  const body = rows.map(({ name, parameters, multiplyAdds, speeds }) => [
    name,
    millions(parameters),
    millions(multiplyAdds),
    ...precisions.flatMap((precision) => {
      const speed = speeds.find((entry) => entry.precision === precision);
      return [rateText(speed?.forward), rateText(speed?.both)];
    }),
  ]);
  return { header, body };
}

function markdownTable({ header, body }: ReturnType<typeof cells>): string {
  const line = (row: readonly string[]): string => `| ${row.join(' | ')} |`;
  return [line(header), line(header.map((_, i) => (i === 0 ? '---' : '---:'))), ...body.map(line)].join('\n');
}

/** Why numbers are missing, each reason once with the networks it is about. */
function reasons(rows: readonly Row[]): string[] {
  const found = new Map<string, string[]>();
  for (const { name, speeds } of rows) {
    for (const { precision, reason } of speeds) {
      if (reason) found.set(`${precision}: ${reason}`, [...(found.get(`${precision}: ${reason}`) ?? []), name]);
    }
  }
  return [...found].map(([reason, names]) => `– ${reason}: ${names.join(', ')}`);
}

export async function benchModels(flags: BenchModelsFlags): Promise<void> {
  for (const precision of flags.precision) {
    if (precision !== 'fp32' && precision !== 'bf16') {
      throw new UserError(`--precision must be fp32 or bf16, not '${precision}'`);
    }
  }
  const bf16 = bf16Support();
  if (flags.precision.includes('bf16') && flags.device === 'cpu' && !bf16.fast) say(`note: bf16: ${bf16.reason}`);
  const rows = await sizes(flags);
  const bySize = [...rows].sort(([, a], [, b]) => a.multiplyAdds - b.multiplyAdds);
  const { batchSize, imageSize, classes, seconds, maxSeconds, device } = flags;
  const threads = flags.threads ?? defaultThreads();
  for (const precision of flags.precision as ModelJob['precision'][]) {
    // One that is too slow may be so for its own reasons; after two, a network of more multiply-adds is not even tried.
    const tooSlow: string[] = [];
    for (const [model, row] of bySize) {
      let speed: Speed;
      if (tooSlow.length >= 2) {
        speed = {
          precision,
          forward: null,
          both: null,
          reason: `not tried, as ${tooSlow.join(' and ')} took more than ${maxSeconds} s`,
        };
      } else {
        const job = { model, precision, batchSize, imageSize, classes, seconds, threads, device };
        speed = measureSpeed(job, maxSeconds);
        say(
          `${row.name} ${precision}: forward ${rateText(speed.forward)}, forward + backward ${rateText(speed.both)} images/s`,
        );
        if (speed.forward === null && speed.late) tooSlow.push(row.name);
      }
      row.speeds.push(speed);
    }
  }
  const list = [...rows.values()];
  const machine = {
    cpu: cpus()[0]?.model ?? 'unknown',
    processors: cpus().length,
    threads,
    device,
    libtorch: version(),
  };
  const report = { ...machine, batchSize, imageSize, classes, models: list };
  result(flags.json, report, () => {
    const made = cells(list, flags.precision);
    const about = `Images/s: batches of ${batchSize}, ${imageSize}×${imageSize} pixels, ${classes} classes; ${threads} threads of ${machine.cpu}; Thrive ${packageVersion()} on libtorch ${machine.libtorch}.`;
    const text = flags.markdown ? markdownTable(made) : table(made.header, made.body);
    return [text, '', about, ...reasons(list)].join('\n');
  });
}
