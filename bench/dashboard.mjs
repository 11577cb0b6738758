// The dashboard's server on 1,000 runs, one of them with a million metric lines: how long until it answers, how much memory it takes.
//   node bench/dashboard.mjs [--runs 1000] [--lines 1000000]
// With PyPI's tensorboard on the PATH the same is asked of it, on events that hold the same numbers.
import { spawn, spawnSync } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { EventWriter } from '../dist/formats/index.js';

const { values } = parseArgs({
  options: { runs: { type: 'string', default: '1000' }, lines: { type: 'string', default: '1000000' } },
});
const [runs, lines] = [Number(values.runs), Number(values.lines)];
const main = new URL('../dist/cli/main.js', import.meta.url).pathname;
const hasTensorboard = spawnSync('tensorboard', ['--version']).status === 0;
const folder = mkdtempSync(join(tmpdir(), 'thrive-bench-'));

/** @param {string} name @param {number} count */
function makeRun(name, count) {
  const path = join(folder, name);
  mkdirSync(path);
  const config = { task: 'train', data: 'synthetic', model: 'resnet8', seed: 1, epochs: 10, batchSize: 64 };
  const fields = { task: 'train', model: 'resnet8', name };
  const record = {
    config,
    fingerprint: { id: name, fields },
    versions: {},
    created: new Date().toISOString(),
    teacher: null,
  };
  writeFileSync(join(path, 'config.json'), JSON.stringify(record));
  const events = hasTensorboard ? new EventWriter(path) : null;
  let text = '';
  for (let step = 1; step <= count; step++) {
    const loss = 5 / Math.sqrt(step) + 0.1 * Math.sin(step);
    text += `${JSON.stringify({ type: 'step', epoch: 1, step, lr: 0.05, loss, terms: { ce: loss } })}\n`;
    events?.scalar('step/loss', step, loss);
    if (text.length > 1 << 20 || step === count) {
      appendFileSync(join(path, 'metrics.jsonl'), text);
      text = '';
    }
  }
  events?.close();
}

/** @param {string} url */
async function timed(url) {
  const begin = performance.now();
  const response = await fetch(url);
  const body = await response.text();
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  return { milliseconds: Math.round(performance.now() - begin), body };
}

/** @param {number} pid */
const megabytes = (pid) =>
  Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1000);

/** @param {string} url @param {(body: string) => boolean} until */
async function until(url, until) {
  for (;;) {
    try {
      if (until((await timed(url)).body)) return;
    } catch {
      // Not listening yet.
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

try {
  for (let i = 0; i < runs - 1; i++) makeRun(`run-${i}`, 20);
  makeRun('long', lines);
  const began = performance.now();
  const child = spawn(process.execPath, [main, 'serve', folder, '--port', '6399'], { stdio: 'ignore' });
  const base = 'http://127.0.0.1:6399';
  await until(`${base}/api/info`, () => true);
  const started = Math.round(performance.now() - began);
  const list = await timed(`${base}/api/runs`);
  const again = await timed(`${base}/api/runs`);
  const { id } = JSON.parse(list.body).runs.find((/** @type {{ name: string }} */ run) => run.name === 'long');
  const first = await timed(`${base}/api/runs/${id}/curves`);
  await until(`${base}/api/runs/${id}/curves`, (body) => JSON.parse(body).progress === 1);
  const whole = await timed(`${base}/api/runs/${id}/curves`);
  console.log(
    `thrive serve, ${runs} runs and one of ${lines} lines: listening after ${started} ms, list ${list.milliseconds} ms, again ${again.milliseconds} ms`,
  );
  console.log(
    `  first curve ${first.milliseconds} ms, whole ${whole.milliseconds} ms, ${Math.round(whole.body.length / 1000)} kB, memory ${megabytes(child.pid ?? 0)} MB`,
  );
  child.kill();
  if (hasTensorboard) {
    const begin = performance.now();
    const board = spawn('tensorboard', ['--logdir', folder, '--port', '6398', '--load_fast=false'], {
      stdio: 'ignore',
    });
    const scalars = 'http://127.0.0.1:6398/data/plugin/scalars/scalars?run=long&tag=step%2Floss';
    await until(scalars, (body) => body.startsWith('[') && JSON.parse(body).length > 500);
    console.log(
      `tensorboard: first curve of the long run after ${Math.round(performance.now() - begin)} ms, memory ${megabytes(board.pid ?? 0)} MB`,
    );
    board.kill();
  } else {
    console.log('tensorboard is not on the PATH: not compared');
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
