#!/usr/bin/env node
/**
 * @file The runs of docs/results.md: ResNet-56 to ResNet-20 on CIFAR-100, one row for each claim of the paper. Every run is resumed
 * where it was, so that this can be stopped and started again until all are done.
 *
 *     node bench/results.mjs --teacher resnet56.pth --data-dir DIR --out runs/results
 *     node bench/results.mjs --out runs/results --collect docs/results/full     # config, metrics and summary, no weights
 */
import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const cli = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));

/** Each row: the flags that make it what it is, and its epochs as multiples of `--epochs` (those of them that `--lengths` names are run). */
const rows = {
  ce: { flags: [], lengths: [0.5, 1, 2] },
  kd: { flags: ['--teacher'], lengths: [0.5, 1, 2] },
  cutmix: { flags: ['--teacher', '--augment', 'cutmix'], lengths: [1] },
  'cutmix-pick': { flags: ['--teacher', '--augment', 'cutmix', '--pick', 'kl'], lengths: [1] },
  'cutmix-hard': { flags: ['--teacher', '--augment', 'cutmix', '--strong-labels', 'mixed'], lengths: [1] },
  mixup: { flags: ['--teacher', '--augment', 'mixup'], lengths: [1] },
};

const { values } = parseArgs({
  options: {
    teacher: { type: 'string' },
    'teacher-model': { type: 'string', default: 'resnet56' },
    student: { type: 'string', default: 'resnet20' },
    'data-dir': { type: 'string' },
    'limit-train': { type: 'string', default: '12500' },
    epochs: { type: 'string', default: '40' },
    'evaluate-every': { type: 'string', default: '10' },
    seeds: { type: 'string', default: '1' },
    only: { type: 'string', default: Object.keys(rows).join(',') },
    lengths: { type: 'string', default: '0.5,1,2' },
    precision: { type: 'string', default: 'fp32' },
    jobs: { type: 'string', default: '1' },
    threads: { type: 'string' },
    out: { type: 'string', default: 'runs/results' },
    collect: { type: 'string' },
  },
});

/** The longest runs of a row come last: what there is time for is done first. */
function plan() {
  const epochs = Number(values.epochs);
  const only = values.only.split(',');
  const wanted = values.lengths.split(',').map(Number);
  const unknown = only.find((name) => !Object.hasOwn(rows, name));
  if (unknown) throw new Error(`--only ${unknown}: the rows are ${Object.keys(rows).join(', ')}`);
  const runs = values.seeds.split(',').flatMap((seed) =>
    only.flatMap((name) =>
      rows[name].lengths
        .filter((length) => wanted.includes(length))
        .map((length) => ({
          name,
          seed,
          flags: rows[name].flags,
          epochs: Math.round(epochs * length),
        })),
    ),
  );
  return runs.sort((a, b) => Number(a.seed) - Number(b.seed) || a.epochs - b.epochs);
}

function commandLine({ name, seed, flags, epochs }) {
  const distills = flags[0] === '--teacher';
  if (distills && !values.teacher) throw new Error('give the checkpoint of the teacher: --teacher FILE');
  const optional = (flag) => (values[flag] === undefined ? [] : [`--${flag}`, values[flag]]);
  const folder = join(values.out, `${name}-${epochs}-s${seed}`);
  return {
    folder,
    argv: [
      cli,
      distills ? 'distill' : 'train',
      ...['--data', 'cifar100', distills ? '--student' : '--model', values.student],
      ...(distills ? ['--teacher', values.teacher, '--teacher-model', values['teacher-model'], ...flags.slice(1)] : []),
      ...['--epochs', String(epochs), '--seed', seed, '--out', folder],
      ...['limit-train', 'evaluate-every', 'precision', 'data-dir', 'threads'].flatMap(optional),
      ...(existsSync(join(folder, 'config.json')) ? ['--resume', folder] : []),
    ],
  };
}

async function run({ folder, argv }) {
  if (existsSync(join(folder, 'summary.json'))) return;
  const code = await new Promise((done) => spawn(process.execPath, argv, { stdio: 'inherit' }).on('close', done));
  if (code !== 0) throw new Error(`${folder} ended with exit code ${code}`);
}

/** What a table needs of each run, with the paths of this machine taken out. */
function collect(from, to) {
  for (const name of readdirSync(from).sort()) {
    if (!existsSync(join(from, name, 'config.json'))) continue;
    const target = join(to, name);
    mkdirSync(target, { recursive: true });
    cpSync(join(from, name, 'metrics.jsonl'), join(target, 'metrics.jsonl'));
    for (const file of ['config.json', 'summary.json']) {
      const source = join(from, name, file);
      if (!existsSync(source)) continue;
      const text = JSON.stringify(
        JSON.parse(readFileSync(source, 'utf8')),
        (key, value) => {
          if (key === 'dataDir') return undefined;
          if (key === 'folder') return name;
          return key === 'checkpoint' && typeof value === 'string' ? basename(value) : value;
        },
        2,
      );
      writeFileSync(join(target, file), `${text}\n`);
    }
    console.log(`${target}${existsSync(join(from, name, 'summary.json')) ? '' : ' (not finished)'}`);
  }
}

if (values.collect) {
  collect(resolve(values.out), values.collect);
} else {
  const queue = plan().map(commandLine);
  const worker = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) await run(next);
  };
  await Promise.all(Array.from({ length: Number(values.jobs) }, worker));
}
