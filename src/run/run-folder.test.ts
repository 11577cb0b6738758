import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { UserError } from '../base/errors.ts';
import { speakFlags } from '../base/speech.ts';
import { resolveConfig } from '../config/config.ts';
import type { EpochRecord } from '../train/loop.ts';
import { type MetricsRecord, RunFolder, type RunRecord } from './run-folder.ts';
import { lockRun } from './run-lock.ts';

let root: string;
let path: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'thrive-run-'));
  path = join(root, 'run');
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const record: RunRecord = {
  config: resolveConfig({ data: 'cifar10', model: 'resnet8' }),
  fingerprint: { id: '0123456789ab', fields: {} },
  versions: {},
  created: '2024-01-01T00:00:00.000Z',
  teacher: null,
};
const step = (epoch: number, at: number): MetricsRecord => ({
  type: 'step',
  epoch,
  step: at,
  lr: 0.05,
  loss: at / 7,
  terms: { ce: at / 7 },
});
const epoch = (number: number, loss = 1 / number): MetricsRecord & EpochRecord => ({
  type: 'epoch',
  epoch: number,
  stage: 'train',
  step: number * 20,
  lr: 0.05,
  train: { loss, top1: 30, terms: { ce: loss }, measures: {}, imagesPerSecond: 100 },
  test: { top1: 40, top5: 90, loss, count: 10, imagesPerSecond: 200 },
  dev: null,
  isBest: true,
  seconds: 5,
});
/** A run with two epochs of twenty steps and half a third, each tenth step recorded. */
function filled(): RunFolder {
  const run = RunFolder.create(path);
  run.writeRecord(record);
  for (const e of [1, 2]) {
    run.append(step(e, e * 20 - 10));
    run.append(step(e, e * 20));
    run.append(epoch(e));
  }
  run.append(step(3, 50));
  return run;
}
const hintOf = (fn: () => unknown): string | undefined => {
  try {
    fn();
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
    return (error as UserError).hint;
  }
  throw new Error('nothing was thrown');
};

describe('a new run', () => {
  test('gets its folder, with those above it', () => {
    RunFolder.create(join(root, 'a', 'b', 'c'));
    expect(readdirSync(join(root, 'a', 'b', 'c'))).toEqual([]);
  });

  test('does not overwrite another', () => {
    RunFolder.create(path).writeRecord(record);
    expect(() => RunFolder.create(path)).toThrow(/already holds a run/);
    expect(hintOf(() => RunFolder.create(path))).toContain('continue it with resume: true');
    speakFlags([]);
    onTestFinished(() => speakFlags(null));
    expect(hintOf(() => RunFolder.create(path))).toContain(`--resume ${path}`);
  });

  test.each([
    'last.safetensors',
    'best.safetensors',
    'best-on-test.safetensors',
    'metrics.jsonl',
    'summary.json',
    'events.out.tfevents.1.host.1',
  ])('does not mix with a left-over %s', (name) => {
    mkdirSync(path);
    writeFileSync(join(path, name), '');
    expect(() => RunFolder.create(path)).toThrow(`holds what is left of a run (${name})`);
  });

  test('may share a folder with other files', () => {
    mkdirSync(path);
    writeFileSync(join(path, 'notes.txt'), 'mine');
    const run = RunFolder.create(path);
    run.discardIfEmpty();
    expect(readdirSync(path)).toEqual(['notes.txt']);
  });

  test('that came to nothing leaves nothing', () => {
    const run = RunFolder.create(path);
    run.discardIfEmpty();
    expect(existsSync(path)).toBe(false);
    run.discardIfEmpty();
    const begun = RunFolder.create(path);
    begun.writeRecord(record);
    begun.discardIfEmpty();
    expect(readdirSync(path)).toEqual(['config.json']);
  });

  test('cannot be put below a file', () => {
    writeFileSync(join(root, 'file'), '');
    expect(() => RunFolder.create(join(root, 'file'))).toThrow(/cannot write to .*file: it exists already/);
    expect(() => RunFolder.create(join(root, 'file', 'run'))).toThrow(/a part of the path is not a folder/);
  });

  const isRoot = process.getuid?.() === 0;
  test.skipIf(isRoot)(`nor where one may not write${isRoot ? ' (skipped: root may write anywhere)' : ''}`, () => {
    mkdirSync(path);
    chmodSync(path, 0o555);
    expect(() => RunFolder.create(path)).toThrow(/cannot write to .*: permission denied/);
  });
});

describe('metrics', () => {
  test('come back as they were written', () => {
    const run = filled();
    run.close();
    expect(run.readMetrics()).toEqual([
      step(1, 10),
      step(1, 20),
      epoch(1),
      step(2, 30),
      step(2, 40),
      epoch(2),
      step(3, 50),
    ]);
    expect(run.epochs().map((r) => r.epoch)).toEqual([1, 2]);
  });

  test('NaN survives, and an absent dev split stays absent', () => {
    const run = RunFolder.create(path);
    run.append(epoch(1, Number.NaN));
    run.close();
    const [read] = run.epochs();
    expect(read!.test!.loss).toBeNaN();
    expect(read!.train.terms.ce).toBeNaN();
    expect(read!.dev).toBeNull();
  });

  test('without a file there are none', () => {
    expect(RunFolder.create(path).readMetrics()).toEqual([]);
  });

  test('a line that a crash cut short is passed over, wherever it was cut', () => {
    const run = filled();
    run.close();
    const whole = run.readMetrics();
    const line = JSON.stringify(epoch(3));
    const before = readFileSync(join(path, 'metrics.jsonl'));
    for (let cut = 1; cut < line.length; cut += 13) {
      writeFileSync(join(path, 'metrics.jsonl'), before);
      appendFileSync(join(path, 'metrics.jsonl'), line.slice(0, cut));
      expect(run.readMetrics()).toEqual(whole);
    }
  });
});

describe('rewind', () => {
  test.each([
    [0, 0, []],
    [0, 13, [step(1, 10)]],
    [0, 20, [step(1, 10), step(1, 20)]],
    [1, 20, [step(1, 10), step(1, 20), epoch(1)]],
    [1, 35, [step(1, 10), step(1, 20), epoch(1), step(2, 30)]],
    [2, 40, [step(1, 10), step(1, 20), epoch(1), step(2, 30), step(2, 40), epoch(2)]],
    [2, 50, [step(1, 10), step(1, 20), epoch(1), step(2, 30), step(2, 40), epoch(2), step(3, 50)]],
  ])('to %i epochs and %i steps forgets what came later', (epochs, steps, kept) => {
    filled().close();
    const { run } = RunFolder.open(path);
    run.rewind(epochs, steps);
    expect(run.readMetrics()).toEqual(kept);
    run.append(step(9, steps + 1));
    run.close();
    expect(run.readMetrics()).toEqual([...kept, step(9, steps + 1)]);
  });

  test('takes away a line cut short, so that the next one is whole', () => {
    filled().close();
    appendFileSync(join(path, 'metrics.jsonl'), '{"type":"step","epo');
    const { run } = RunFolder.open(path);
    run.rewind(2, 50);
    run.append(step(3, 60));
    run.close();
    const lines = readFileSync(join(path, 'metrics.jsonl'), 'utf8').trimEnd().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as MetricsRecord).step)).toEqual([10, 20, 20, 30, 40, 40, 50, 60]);
  });

  test('takes away the summary, and starts another event file that sorts after the first', () => {
    const first = filled();
    first.writeSummary({ top1: 1 });
    first.close();
    const events = (): string[] => readdirSync(path).filter((name) => name.startsWith('events'));
    const [old] = events();
    const { run } = RunFolder.open(path);
    expect(run.readSummary()).toEqual({ top1: 1 });
    run.rewind(1, 20);
    run.close();
    expect(run.readSummary()).toBeNull();
    expect(events()[0]).toBe(old);
    expect(events()).toHaveLength(2);
  });
});

describe('a run that is opened again', () => {
  test('has its record, and a checkpoint once one was saved', () => {
    filled().close();
    const { run, record: read } = RunFolder.open(path);
    expect(read).toEqual(record);
    expect(run.hasCheckpoint()).toBe(false);
    writeFileSync(run.lastCheckpoint, '');
    expect(run.hasCheckpoint()).toBe(true);
    expect(run.bestCheckpoint(true)).toBe(join(path, 'best.safetensors'));
    expect(run.bestCheckpoint(false)).toBe(join(path, 'best-on-test.safetensors'));
  });

  test.each([
    ['', /config\.json is damaged: it is not valid JSON/],
    ['{"config": {', /config\.json is damaged: it is not valid JSON/],
    ['null', /config\.json is damaged: it holds no object/],
    ['[]', /config\.json is damaged: it holds no object/],
    ['{}', /config\.json is not a run's: it has no config/],
    ['{"config": {}, "fingerprint": null}', /config\.json is not a run's: it has no fingerprint/],
  ])('must have a whole config.json, not %j', (text, message) => {
    mkdirSync(path);
    writeFileSync(join(path, 'config.json'), text);
    expect(() => RunFolder.open(path)).toThrow(message);
    expect(() => RunFolder.open(path)).toThrow(UserError);
  });

  test('must be there', () => {
    expect(() => RunFolder.open(path)).toThrow(/holds no run to resume: there is no config\.json/);
  });

  test('with a damaged summary says what to do about it', () => {
    const run = filled();
    run.close();
    writeFileSync(join(path, 'summary.json'), '{"top1": 4');
    expect(() => run.readSummary()).toThrow(/summary\.json is damaged/);
    expect(hintOf(() => run.readSummary())).toMatch(/remove it/);
  });

  test('reads a summary whose loss was not a number', () => {
    const run = filled();
    run.writeSummary({ loss: Number.NaN, teacher: null });
    expect(run.readSummary()).toEqual({ loss: Number.NaN, teacher: null });
    run.close();
  });
});

describe('one process at a time', () => {
  const lock = (): string => join(path, 'run.lock');

  test('a second one is refused, until the first gives up', () => {
    mkdirSync(path);
    const unlock = lockRun(path);
    expect(() => lockRun(path)).toThrow(`is being trained by process ${process.pid}`);
    unlock();
    expect(existsSync(lock())).toBe(false);
    lockRun(path)();
  });

  test('a living process keeps its lock, a dead one does not', async () => {
    mkdirSync(path);
    const url = new URL('./run-lock.ts', import.meta.url).pathname;
    const jiti = new URL('../../node_modules/jiti/lib/jiti-cli.mjs', import.meta.url).pathname;
    const script = join(root, 'hold.ts');
    writeFileSync(
      script,
      `import { lockRun } from ${JSON.stringify(url)};\nlockRun(${JSON.stringify(path)});\nconsole.log('held');\nsetInterval(() => {}, 1000);\n`,
    );
    const child = spawn(process.execPath, [jiti, script], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    expect(() => lockRun(path)).toThrow(`is being trained by process ${child.pid}`);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(existsSync(lock())).toBe(true);
    lockRun(path)();
    expect(existsSync(lock())).toBe(false);
  });

  test.each([
    ['nothing', ''],
    ['no process number', 'nobody'],
    ['a process that has ended', `${spawnSync('true').pid} 12345 ${hostname()}`],
    ['a process on another machine', `${process.pid} 1 elsewhere`],
  ])('a lock that names %s is taken over', (_what, text) => {
    mkdirSync(path);
    writeFileSync(lock(), text);
    lockRun(path)();
    expect(existsSync(lock())).toBe(false);
  });

  test('of several processes that come at once to a lock whose owner is gone, one gets it', {
    timeout: 60_000,
  }, async () => {
    const rounds = 400;
    for (let k = 0; k < rounds; k++) {
      mkdirSync(join(path, String(k)), { recursive: true });
      writeFileSync(join(path, String(k), 'run.lock'), `1 12345 elsewhere`);
    }
    const url = new URL('./run-lock.ts', import.meta.url).pathname;
    const jiti = new URL('../../node_modules/jiti/lib/jiti-cli.mjs', import.meta.url).pathname;
    const script = join(root, 'contend.ts');
    // All begin each round at the same moment and hold what they get.
    writeFileSync(
      script,
      `import { lockRun } from ${JSON.stringify(url)};
console.log('ready');
process.stdin.once('data', (start) => {
  const held = Array.from({ length: ${rounds} }, (_, k) => {
    while (Date.now() < Number(start) + 4 * k);
    try { lockRun(${JSON.stringify(path)} + '/' + k); return 1; } catch { return 0; }
  });
  setTimeout(() => { console.log(JSON.stringify(held)); process.exit(); }, 500);
});`,
    );
    const children = [0, 1].map(() => spawn(process.execPath, [jiti, script], { stdio: ['pipe', 'pipe', 'inherit'] }));
    await Promise.all(children.map(({ stdout }) => once(stdout, 'data')));
    for (const { stdin } of children) stdin.write(String(Date.now() + 100));
    const said = await Promise.all(children.map(({ stdout }) => once(stdout, 'data')));
    const held = said.map(([text]) => JSON.parse(String(text)) as number[]);
    expect(Array.from({ length: rounds }, (_, k) => held.reduce((sum, of) => sum + of[k]!, 0))).toEqual(
      Array.from({ length: rounds }, () => 1),
    );
  });

  const linux = process.platform === 'linux';
  test.skipIf(!linux)(`so is one of a zombie${linux ? '' : ' (skipped: needs /proc)'}`, async () => {
    mkdirSync(path);
    // The process that sleep takes the place of had a child, which sleep never waits for.
    const parent = spawn('sh', ['-c', 'sleep 2 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      const [text] = (await once(parent.stdout, 'data')) as [Buffer];
      const zombie = Number(text.toString());
      const state = (): string => readFileSync(`/proc/${zombie}/stat`, 'utf8').split(') ')[1]![0]!;
      await vi.waitFor(() => expect(state()).toBe('Z'), { timeout: 20_000 });
      writeFileSync(lock(), `${zombie}  ${hostname()}`);
      lockRun(path)();
      expect(state()).toBe('Z');
    } finally {
      parent.kill('SIGKILL');
    }
  });

  test.skipIf(!linux)(
    `so is one of an earlier process with the same number${linux ? '' : ' (skipped: needs /proc)'}`,
    () => {
      mkdirSync(path);
      writeFileSync(lock(), `${process.pid} 12345 ${hostname()}`);
      lockRun(path)();
    },
  );

  test('a folder that cannot be written is an error that says so', () => {
    expect(() => lockRun(path)).toThrow(/cannot write .*run\.lock: there is no such file or folder/);
  });
});
