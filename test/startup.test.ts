/** @file What the command does before there is anything to do: at once, and without libtorch. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import packageJson from '../package.json' with { type: 'json' };
import { cliPath } from './cli.ts';

let folder: string;
let probe: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'thrive-startup-'));
  probe = join(folder, 'probe.mjs');
  // Runs the command in this very process and then tells what the process has loaded and used.
  writeFileSync(
    probe,
    `import { readFileSync, writeFileSync } from 'node:fs';
const [, , entry, out, ...args] = process.argv;
process.argv = [process.argv[0], entry, ...args];
await import(entry);
const maps = process.platform === 'linux' ? readFileSync('/proc/self/maps', 'utf8') : '';
writeFileSync(out, JSON.stringify({
  objects: process.report.getReport().sharedObjects,
  torch: [...new Set(maps.match(/\\S*(libtorch|libc10|thrive\\.node|gomp|openblas)\\S*/g) ?? [])],
  user: process.cpuUsage().user / 1e6,
}));
`,
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Probed {
  status: number | null;
  stdout: string;
  stderr: string;
  objects: string[];
  torch: string[];
  /** Seconds of processor time. */
  user: number;
}

function probed(args: readonly string[], env: Record<string, string> = {}): Probed {
  const out = join(folder, 'out.json');
  const { status, stdout, stderr } = spawnSync(process.execPath, [probe, pathToFileURL(cliPath).href, out, ...args], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
  return { status, stdout, stderr, ...JSON.parse(readFileSync(out, 'utf8')) };
}

/** What only looks at its arguments, or at folders. */
const light: [string, string[], number][] = [
  ['--help', ['--help'], 0],
  ['--version', ['--version'], 0],
  ['help of a command', ['distill', '--help'], 0],
  ['a misspelt flag', ['train', '--epoch', '3'], 2],
  ['a wrong value', ['train', '--lr', 'fast'], 2],
  ['a missing setting', ['train'], 2],
  ['an unknown model', ['train', '--data', 'synthetic', '--model', 'resnet9'], 2],
  ['an unknown device', ['train', '--data', 'synthetic', '--model', 'resnet8', '--device', 'gpu'], 2],
  ['a missing teacher', ['distill', '--data', 'synthetic', '--student', 'resnet8', '--teacher', 'nowhere.pth'], 2],
  ['a run that is not there', ['distill', '--resume', 'nowhere'], 2],
  ['a missing checkpoint', ['eval', 'nowhere.pth'], 2],
  ['a list of datasets', ['data', 'list'], 0],
];

describe('libtorch is not loaded for', () => {
  test.each(light)('%s', (_what, args, code) => {
    const { status, torch, objects, stderr } = probed(args, { LIBTORCH: '/nonexistent' });
    expect(status, stderr).toBe(code);
    expect(torch).toEqual([]);
    expect(objects.filter((path) => /torch|thrive\.node/.test(path))).toEqual([]);
    expect(stderr).not.toMatch(/nonexistent/);
  });
});

const linux = process.platform === 'linux';
test.skipIf(!linux)(
  `the same look finds libtorch where a command needs it${linux ? '' : ' (skipped: needs /proc)'}`,
  () => {
    const { torch } = probed(['train', '--data', 'synthetic', '--model', 'resnet8', '--device', 'cuda:999']);
    expect(torch.join()).toMatch(/libtorch_cpu/);
    expect(torch.join()).toMatch(/thrive\.node/);
  },
);

test('--version is the package’s', () => {
  expect(probed(['--version']).stdout).toBe(`${packageJson.version}\n`);
});

test('--help takes less than 0.3 s of processor time', () => {
  // Not by the clock: a busy machine makes everything late. The best of five, as the first finds cold caches.
  expect(Math.min(...Array.from({ length: 5 }, () => probed(['--help']).user))).toBeLessThan(0.3);
});
