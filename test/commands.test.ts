/** @file The commands around training: doctor, data, bench, quickstart, and stopping at once. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { start, thrive } from './cli.ts';
import { writeTinyData } from './tiny-data.ts';

let root: string;
let data: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'thrive-commands-'));
  data = writeTinyData(join(root, 'data'), { train: 128, test: 32 });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

interface Check {
  name: string;
  status: string;
  found: string;
  advice?: string;
}

describe('thrive doctor', () => {
  test('finds this machine able, and says so in both forms', async () => {
    const { code, stdout, stderr } = await thrive(['doctor', '--json']);
    expect(code, stdout + stderr).toBe(0);
    const report = JSON.parse(stdout) as { ok: boolean; checks: Check[] };
    expect(report.ok).toBe(true);
    expect(report.checks.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        'Node.js',
        'C++ compiler',
        'libtorch',
        'native addon',
        'training step',
        'memory',
        'data',
      ]),
    );
    expect(stderr).toBe('');
  });

  test.each<[string, () => Record<string, string>, string[], RegExp]>([
    [
      'a libtorch that is not there',
      () => ({ LIBTORCH: '/nonexistent' }),
      ['libtorch', 'native addon'],
      /there is no such folder/,
    ],
    [
      'nothing built',
      () => ({ THRIVE_BUILD_DIR: join(root, 'no-build') }),
      ['native addon'],
      /it has not been built yet/,
    ],
    [
      'nothing built and no compiler',
      () => ({ THRIVE_BUILD_DIR: join(root, 'no-build'), CXX: '/nonexistent/g++' }),
      ['C++ compiler', 'native addon'],
      /\/nonexistent\/g\+\+: not installed/,
    ],
  ])('with %s: code 1, and what to do', async (_what, env, failing, message) => {
    const { code, stdout } = await thrive(['doctor', '--json'], env());
    expect(code, stdout).toBe(1);
    const { ok, checks } = JSON.parse(stdout) as { ok: boolean; checks: Check[] };
    expect(ok).toBe(false);
    const failed = checks.filter(({ status }) => status === 'fail');
    expect(failed.map(({ name }) => name)).toEqual(failing);
    for (const { advice } of failed) expect(advice).toMatch(/npx thrive setup/);
    expect(failed.map(({ found }) => found).join()).toMatch(message);
  });

  test('as text, the advice stands under what failed', async () => {
    const { code, stdout } = await thrive(['doctor'], { THRIVE_BUILD_DIR: join(root, 'no-build') });
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /^FAIL {2}native addon {3}could not load .*\n {21}.*not been built yet.*\n {21}.*\n {21}.*npx thrive setup$/m,
    );
    expect(stdout).toMatch(/\nThis machine cannot train yet; see FAIL above\.\n$/);
  });
});

describe('thrive data', () => {
  const mnist = ['train-images-idx3-ubyte.gz', 'train-labels-idx1-ubyte.gz', 't10k-images-idx3-ubyte.gz'];

  test('list says what is here and how to get the rest', async () => {
    const { code, stdout } = await thrive(['data', 'list', '--data-dir', data]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^name +classes +pixels +train +test +where\n/);
    expect(stdout).toContain(join(data, 'fashion-mnist'));
    expect(stdout).toMatch(/^cifar100 +100 +32 +50000 +10000 +not here; thrive data get cifar100$/m);
    expect(stdout).toMatch(/^synthetic +10 +32 +10000 +\d+ +generated$/m);
    const { sets } = JSON.parse((await thrive(['data', 'list', '--data-dir', data, '--json'])).stdout);
    expect(sets.map((set: { name: string }) => set.name)).toEqual(stdout.match(/^[a-z][\w-]+(?= +\d)/gm));
  });

  test('get has nothing to do for what is here or generated', async () => {
    const present = await thrive(['data', 'get', 'fashion-mnist', '--data-dir', data, '--json']);
    expect(JSON.parse(present.stdout)).toMatchObject({ name: 'fashion-mnist', status: 'present' });
    const generated = await thrive(['data', 'get', 'synthetic']);
    expect(generated.stdout).toMatch(/nothing needs downloading/);
  });

  test('get asks the mirror it was given, and takes nothing that is not the real thing', async () => {
    const asked: string[] = [];
    const server = createServer((request, response) => {
      asked.push(request.url!);
      if (request.url!.startsWith('/empty/')) response.writeHead(404).end();
      else response.writeHead(200, { 'Content-Length': 10_000_000 }).end(Buffer.alloc(10_000_000));
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    try {
      const folder = join(root, 'got');
      const get = (path: string) => thrive(['data', 'get', 'mnist', '--data-dir', folder, '--mirror', base + path]);
      const missing = await get('/empty/');
      expect(missing.stderr).toMatch(/cannot download train-images-idx3-ubyte\.gz: .*404/);
      const forged = await get('/forged');
      expect(forged.stderr).toMatch(/cannot download train-images-idx3-ubyte\.gz: /);
      for (const { code, stdout } of [missing, forged]) expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      expect(asked).toContain(`/empty/${mnist[0]}`);
      expect(asked).toContain(`/forged/${mnist[0]}`);
      const left = existsSync(join(folder, 'mnist')) ? readdirSync(join(folder, 'mnist')) : [];
      for (const name of mnist) expect(left).not.toContain(name);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  }, 60_000);

  test('get names the nearest set', async () => {
    const { code, stderr } = await thrive(['data', 'get', 'cifar101']);
    expect(code).toBe(2);
    expect(stderr).toMatch(/unknown dataset 'cifar101'; did you mean 'cifar10+'\?/);
  });
});

describe('thrive bench step', () => {
  /** Stands for the Python script: reports what it was called with, and times that are easy to divide. */
  const fake = (body: string): string => {
    const path = join(root, `against-${Math.random().toString(36).slice(2)}.cjs`);
    writeFileSync(path, body);
    return path;
  };
  const small = ['--teacher', 'resnet8', '--student', 'resnet8', '--batch-size', '4', '--steps', '1', '--warmup', '1'];
  const bench = (script: string, ...more: string[]) =>
    thrive(['bench', 'step', ...small, '--threads', '1', '--against', script, '--python', process.execPath, ...more]);

  test('alternates with the other script and divides the right times', async () => {
    const log = join(root, 'bench.log');
    const script = fake(`
      const { appendFileSync, readFileSync } = require('node:fs');
      appendFileSync(${JSON.stringify(log)}, process.argv.slice(2).join(' ') + '\\n');
      const recipe = process.argv[process.argv.indexOf('--recipe') + 1];
      const round = readFileSync(${JSON.stringify(log)}, 'utf8').split('\\n').filter((l) => l.includes(recipe)).length;
      console.log('warming up');
      console.log(JSON.stringify({ engine: 'other 1.0', recipe, work: 'kd', ms_per_step: { reference: 1000, tuned: 500 }[recipe] * round }));
    `);
    const { code, stdout, stderr } = await bench(script, '--rounds', '2', '--json');
    expect(code, stderr).toBe(0);
    const order = stderr
      .split('\n')
      .flatMap((line) => /^(thrive|other).* (\w+) kd: [\d.]+ ms$/.exec(line)?.slice(1) ?? []);
    const round = ['thrive', 'fp32', 'other', 'reference', 'thrive', 'bf16', 'other', 'tuned'];
    expect(order).toEqual([...round, ...round]);
    for (const line of readFileSync(log, 'utf8').trimEnd().split('\n')) {
      expect(line).toMatch(
        /^--teacher resnet8 --student resnet8 --steps 1 --warmup 1 --threads 1 --batch 4 --device cpu --recipe (reference|tuned) --work kd$/,
      );
    }
    const { rows, ratios } = JSON.parse(stdout) as {
      rows: { recipe: string; ms: number; imagesPerSecond: number; rounds: number }[];
      ratios: { ours: string; theirs: string; ratio: number }[];
    };
    const ms = Object.fromEntries(rows.map((row) => [row.recipe, row.ms]));
    // The median of two rounds is their mean.
    expect([ms.reference, ms.tuned]).toEqual([1500, 750]);
    expect(rows.every((row) => row.rounds === 2 && Math.abs(row.imagesPerSecond - 4000 / row.ms) < 1e-9)).toBe(true);
    expect(ratios).toEqual([
      { work: 'kd', ours: 'fp32', theirs: 'reference', ratio: 1500 / ms.fp32! },
      { work: 'kd', ours: 'bf16', theirs: 'tuned', ratio: 750 / ms.bf16! },
    ]);
  });

  test('second views are asked for by the names of the script, and divided step by step', async () => {
    // It times a step more than it is asked for.
    const script = fake(`
      const after = (flag) => process.argv[process.argv.indexOf(flag) + 1];
      const ms = { kd: 100000, cutmix: 200000, pick: 300000, 'kd flip': 400000 };
      for (const work of new Set([after('--work'), 'kd'])) {
        console.log(JSON.stringify({ engine: 'other 1.0', recipe: after('--recipe'), work, ms_per_step: ms[work] }));
      }
    `);
    const views = 'none,cutmix,cutmix+pick:kl,flip';
    const { code, stdout, stderr } = await bench(
      ...[script, '--rounds', '1', '--precision', 'fp32', '--augment', views, '--json'],
    );
    expect(code, stderr).toBe(0);
    const { rows, ratios } = JSON.parse(stdout) as {
      rows: { engine: string; work: string; ms: number; rounds: number }[];
      ratios: { work: string; ratio: number }[];
    };
    const works = ['kd', 'kd cutmix', 'kd cutmix+pick:kl', 'kd flip'];
    const theirs = rows.filter(({ engine }) => engine.startsWith('other'));
    expect(theirs.map(({ work, ms, rounds }) => [work, ms, rounds])).toEqual([
      ['kd', 100_000, 4],
      ['kd cutmix', 200_000, 1],
      ['kd cutmix+pick:kl', 300_000, 1],
      ['kd flip', 400_000, 1],
    ]);
    const ours = new Map(rows.filter(({ engine }) => !engine.startsWith('other')).map(({ work, ms }) => [work, ms]));
    expect(ratios.map(({ work }) => work)).toEqual(works);
    for (const [i, { work, ratio }] of ratios.entries()) expect(ratio).toBe(((i + 1) * 100_000) / ours.get(work)!);
  });

  test.each<[string, string, RegExp]>([
    [
      'fails',
      `console.error('no module named torch'); process.exit(3);`,
      /against-.*\.cjs failed \(exit code 3\):\nno module named torch/,
    ],
    ['prints nothing', '', /against-.*\.cjs printed no JSON line/],
    ['prints something else', `console.log('{"fps": 3}')`, /printed a line that is no timing: \{"fps": 3\}/],
  ])('a script that %s is an error that says so', async (_what, body, message) => {
    const { code, stdout, stderr } = await bench(fake(body), '--rounds', '1', '--precision', 'fp32');
    expect(stderr).toMatch(message);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  });

  test('wrong flags are refused before anything is timed', async () => {
    for (const [args, message] of [
      [['--precision', 'toString'], /--precision must be fp32 or bf16, not 'toString'/],
      [['--against', 'nowhere.py'], /--against nowhere\.py: there is no such file/],
      [['--student', 'resnet9'], /unknown model 'resnet9'/],
      [['--augment', 'cutmic'], /unknown augmentation 'cutmic'; did you mean 'cutmix'\?/],
      [['--rounds', '0'], /at least 1/],
      [['--device', 'gpu', '--precision', 'fp32'], /unknown device 'gpu'/],
    ] as const) {
      const { code, stdout, stderr } = await thrive(['bench', 'step', ...small, ...args]);
      expect(stderr).toMatch(message);
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      expect(stderr).not.toMatch(/ms$/m);
    }
  });
});

describe('thrive quickstart', () => {
  test('makes its three runs of what there is, and a table', async () => {
    const out = join(root, 'quick');
    const { code, stdout, stderr } = await thrive(
      ['quickstart', '--data', 'fashion-mnist', '--data-dir', data, '--minutes', '0.01', '--out', out],
      { http_proxy: 'http://127.0.0.1:9', https_proxy: 'http://127.0.0.1:9' },
    );
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(/^fashion-mnist: 128 training and 32 test images, 4 epochs each/m);
    for (const name of ['teacher', 'student', 'distilled']) {
      const summary = JSON.parse(readFileSync(join(out, name, 'summary.json'), 'utf8'));
      expect(summary).toMatchObject({ epochs: 4, imagesSeen: 512, teacherForwards: name === 'distilled' ? 512 : 0 });
      expect(stderr).toMatch(new RegExp(`^${name}: epoch 4/4 `, 'm'));
      const row = { teacher: 'teacher resnet20', student: 'student resnet8', distilled: 'student resnet8' }[name];
      expect(stdout).toMatch(
        new RegExp(`^${row} +labels.* +${summary.top1.toFixed(2)} +${summary.loss.toFixed(4)} `, 'm'),
      );
    }
    expect(stdout).toContain(`The runs are in ${out}.`);
  }, 120_000);

  test.each([
    [['--minutes', 'x'], /It is not a number/],
    [['--minutes', '0'], /--minutes must be between 0 and 60, got 0/],
    [['--data', 'cifar'], /unknown dataset 'cifar'/],
  ])('refuses %s', async (flags, message) => {
    const { code, stderr } = await thrive(['quickstart', ...flags]);
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
  });
});

describe('a run that is told to stop', () => {
  const args = (out: string): string[] => [
    ...['train', '--data', 'fashion-mnist', '--data-dir', data, '--model', 'resnet8', '--epochs', '1000'],
    ...['--batch-size', '8', '--threads', '1', '--out', out],
  ];
  const begun = async (folder: string): Promise<void> => {
    const metrics = join(folder, 'metrics.jsonl');
    for (let i = 0; i < 3000 && !existsSync(metrics); i++) await new Promise((done) => setTimeout(done, 20));
  };

  test('twice, ends at once and can still be continued', async () => {
    const folder = join(root, 'it’s twice');
    const { child, finished } = start(args(folder));
    await begun(folder);
    child.kill('SIGTERM');
    child.kill('SIGINT');
    const { code, stderr } = await finished;
    expect(code).toBe(130);
    expect(stderr).toMatch(/stopping after this step/);
    expect(existsSync(join(folder, 'config.json'))).toBe(true);
  }, 60_000);

  test('says how to continue in a way that a shell understands', async () => {
    const folder = join(root, "it's here");
    const { child, finished } = start(args(folder));
    await begun(folder);
    // While it runs, no other may have the folder.
    const second = await thrive(['train', '--resume', folder]);
    expect(second.code).toBe(2);
    expect(second.stderr).toMatch(`is being trained by process ${child.pid}`);
    child.kill('SIGTERM');
    const { code, stderr } = await finished;
    expect(code).toBe(130);
    expect(stderr).toContain(`continue with: npx thrive train --resume '${folder.replace("'", "'\\''")}'`);
    expect(existsSync(join(folder, 'run.lock'))).toBe(false);
  }, 60_000);
});

test('a reader that goes away is no crash', async () => {
  mkdirSync(join(root, 'pipe'));
  const { child, finished } = start(['data', 'list']);
  child.stdout!.destroy();
  const { code, stderr } = await finished;
  expect([code, stderr]).toEqual([0, '']);
});
