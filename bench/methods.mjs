#!/usr/bin/env node
/**
 * @file A short real run of every distillation loss: does it fall, is anything left behind, what does a step cost? Each in a
 * process of its own, one thread, measured in processor time, so that a busy machine does not count.
 *
 *     node bench/methods.mjs --teacher resnet56.pth --data-dir DIR [--only at,crd] [--out FILE.json]
 *     node bench/methods.mjs --table FILE.json            the table of docs/losses.md
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { losses as library, runExperiment } from '../dist/index.js';
import { memory } from '../dist/torch/index.js';

const { values } = parseArgs({
  options: {
    teacher: { type: 'string' },
    'teacher-model': { type: 'string', default: 'resnet56' },
    student: { type: 'string', default: 'resnet20' },
    data: { type: 'string', default: 'cifar100' },
    'data-dir': { type: 'string' },
    'limit-train': { type: 'string', default: '5000' },
    'limit-test': { type: 'string', default: '500' },
    epochs: { type: 'string', default: '2' },
    only: { type: 'string' },
    one: { type: 'string' },
    out: { type: 'string', default: 'methods.json' },
    table: { type: 'string' },
  },
});

const mean = (list) => list.reduce((sum, value) => sum + value, 0) / list.length;
const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
/** Mean of the first and of the last quarter. */
const ends = (list) => {
  const quarter = Math.max(1, Math.floor(list.length / 4));
  return { first: mean(list.slice(0, quarter)), last: mean(list.slice(-quarter)) };
};

/** One run, in this process. */
async function run(method) {
  const twoStage = ['ab', 'ft', 'fsp'].includes(method);
  const folder = mkdtempSync(join(tmpdir(), 'thrive-method-'));
  const losses = { init: [], train: [] };
  const steps = { init: [], train: [] };
  const before = memory();
  let mark = process.cpuUsage();
  const lap = () => {
    const { user, system } = process.cpuUsage(mark);
    mark = process.cpuUsage();
    return (user + system) / 1000;
  };
  try {
    const summary = await runExperiment(
      {
        data: values.data,
        ...(values['data-dir'] ? { dataDir: values['data-dir'] } : {}),
        teacher: values.teacher,
        ...(values['teacher-model'] ? { teacherModel: values['teacher-model'] } : {}),
        student: values.student,
        method,
        ...(twoStage ? { methodOption: { [method]: { initEpochs: 1 } } } : {}),
        epochs: Number(values.epochs),
        evaluateEvery: Number(values.epochs),
        limitTrain: Number(values['limit-train']),
        limitTest: Number(values['limit-test']),
        gradientEvery: 0,
        threads: 1,
        seed: 1,
      },
      {
        out: join(folder, 'run'),
        reporter: {
          onStart: lap,
          onStep(result, { stage }) {
            losses[stage.name].push(result.loss);
            steps[stage.name].push(lap());
          },
          onEpoch: lap,
        },
      },
    );
    const after = memory();
    const finite = [...losses.init, ...losses.train].every(Number.isFinite);
    return {
      method,
      finite,
      ...(twoStage ? { init: { ...ends(losses.init), stepMs: median(steps.init) } } : {}),
      train: { ...ends(losses.train), stepMs: median(steps.train) },
      top1: summary.top1,
      tensorsLeft: after.tensors - before.tensors,
      seconds: summary.seconds,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Every method's run, added to the file as it ends; those that are there already are not run again. */
function runAll() {
  const names = values.only?.split(',') ?? library.lossNames;
  const results = existsSync(values.out) ? JSON.parse(readFileSync(values.out, 'utf8')) : [];
  for (const name of names) {
    if (results.some(({ method }) => method === name)) continue;
    const argv = [fileURLToPath(import.meta.url), '--one', name, ...process.argv.slice(2)];
    const child = spawnSync(process.execPath, argv, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
    if (child.status !== 0) throw new Error(`${name} ended with exit code ${child.status}`);
    results.push(JSON.parse(child.stdout));
    writeFileSync(values.out, `${JSON.stringify(results, null, 2)}\n`);
    console.error(child.stdout.trim());
  }
  return results;
}

function table(results) {
  const kd = results.find(({ method }) => method === 'kd')?.train.stepMs;
  const number = (value) => (Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3));
  const fall = ({ first, last }) => `${number(first)} → ${number(last)}`;
  const rows = results.map(({ method, init, train, top1 }) => {
    const ratio = kd ? (train.stepMs / kd).toFixed(2) : '';
    return `| ${method} | ${init ? `${fall(init)}, ${init.stepMs.toFixed(0)} ms` : ''} | ${fall(train)} | ${train.stepMs.toFixed(0)} | ${ratio} | ${top1.toFixed(1)} |`;
  });
  return [
    '| method | first stage: loss, step | loss, first → last quarter | ms a step | of kd | top-1 % |',
    '| --- | --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n');
}

if (values.table) console.log(table(JSON.parse(readFileSync(values.table, 'utf8'))));
else if (values.one) console.log(JSON.stringify(await run(values.one)));
else {
  if (!values.teacher) throw new Error('give the checkpoint of the teacher: --teacher FILE');
  console.log(table(runAll()));
}
