/** @file Runs test/fuzz/operators.mjs in child processes and finds which operator one died in. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildDirOf, currentBuild } from '../../native/build/current.mjs';

export interface FuzzTask {
  /** An operator's full name. */
  name: string;
  /** Arguments of a right call; a tensor is { dtype, shape, data }. */
  example?: unknown;
  /** Die at its first call, to see whether that is noticed. */
  kill?: boolean;
}
export interface FuzzReport {
  /** The calls that ended the process, with the signal or exit status. */
  died: string[];
  /** Messages that leak C++ internals or do not name the operator. */
  bad: string[];
  ok: number;
  refused: number;
  operators: number;
}

const script = fileURLToPath(new URL('operators.mjs', import.meta.url));

/**
 * Call every operator `iterations` times with random arguments; after a death, go on with the next operator. The children
 * have `memoryGb` of address space, so that huge sizes fail to allocate instead of taking the machine along.
 */
export function fuzzOperators(
  tasks: readonly FuzzTask[],
  { seed = 1, iterations = 50, wild = false, seconds = 120, memoryGb = 4 } = {},
): FuzzReport {
  const folder = mkdtempSync(join(tmpdir(), 'thrive-fuzz-'));
  const progress = join(folder, 'progress');
  const addon = process.env.THRIVE_ADDON ?? join(buildDirOf(), currentBuild()!.addon);
  const report: FuzzReport = { died: [], bad: [], ok: 0, refused: 0, operators: 0 };
  try {
    for (let rest = tasks; rest.length > 0; ) {
      writeFileSync(progress, '');
      const child = spawnSync(
        'bash',
        ['-c', `ulimit -c 0; ulimit -v ${memoryGb * 2 ** 20}; exec "$0" "$@"`].concat([
          process.execPath,
          script,
          addon,
          progress,
          String(seed),
          String(iterations),
          wild ? '1' : '0',
        ]),
        {
          input: rest.map((task) => JSON.stringify(task)).join('\n'),
          encoding: 'utf8',
          timeout: seconds * 1000,
          maxBuffer: 2 ** 28,
          env: { ...process.env, OMP_NUM_THREADS: '1' },
        },
      );
      const done = child.stdout
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as { name: string; ok: number; refused: number; bad: string[] });
      for (const { ok, refused, bad } of done) {
        report.ok += ok;
        report.refused += refused;
        report.bad.push(...bad);
      }
      report.operators += done.length;
      if (child.status === 0) break;
      const call = readFileSync(progress, 'utf8').trimEnd();
      report.died.push(`${child.signal ?? child.status}: ${call || child.stderr.slice(-500)}`);
      const at = rest.findIndex(({ name }) => call.startsWith(`${name}(`));
      if (at < 0) break;
      rest = rest.slice(at + 1);
    }
    return report;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
