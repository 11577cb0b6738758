import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stream } from './random.ts';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');

describe('the number of workers or threads feeding the run does not change one draw', () => {
  const samples = 6000;
  const perSample = 8;
  let folder: string;

  beforeAll(() => {
    // Node 20 runs no TypeScript: the module is compiled as the package is, and each worker imports the result
    folder = mkdtempSync(join(tmpdir(), 'thrive-random-'));
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'), 'junction');
    const compilerOptions = { noEmit: false, outDir: join(folder, 'out'), rootDir: join(root, 'src') };
    const settings = {
      extends: join(root, 'tsconfig.json'),
      compilerOptions,
      include: [],
      files: [join(root, 'src/torch/random.ts')],
    };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(settings));
    const compiler = join(root, 'node_modules/typescript/bin/tsc');
    execFileSync(process.execPath, [compiler, '-p', join(folder, 'tsconfig.json')], { cwd: folder, encoding: 'utf8' });
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const code = `
    const { workerData, parentPort } = require('node:worker_threads');
    import(workerData.module).then(({ stream }) => {
      const out = new Float64Array(workerData.shared);
      const epoch = stream(2012, 'augment', 17);
      for (const sample of workerData.samples) {
        const crop = epoch.child(sample);
        const mix = stream(2012, 'mix', 17, sample, 1);
        out.set([crop.int(9), crop.int(9), crop.bernoulli() ? 1 : 0, mix.beta(1, 1), mix.beta(0.2, 0.2), mix.normal(),
          mix.derangement(64)[5], mix.child('box').uint32()], sample * ${perSample});
      }
      parentPort.postMessage('done');
    });`;

  /** An epoch's parameters, drawn by real threads that each take the samples of one part. */
  async function drawEpoch(parts: number[][]): Promise<Buffer> {
    const shared = new SharedArrayBuffer(samples * perSample * 8);
    const module = pathToFileURL(join(folder, 'out/torch/random.js')).href;
    await Promise.all(
      parts.map((part) => {
        const worker = new Worker(code, { eval: true, workerData: { module, shared, samples: part } });
        return new Promise((done, fail) => {
          worker.once('message', done);
          worker.once('error', fail);
        }).finally(() => worker.terminate());
      }),
    );
    return Buffer.from(shared.slice(0));
  }

  test('1, 2 and 4 worker threads, any split, any order: the same bytes', async () => {
    const all = [...Array(samples).keys()];
    const shuffled = Array.from(stream(5, 'shuffle').permutation(samples));
    const one = await drawEpoch([all]);
    expect(new Set(new BigUint64Array(one.buffer, one.byteOffset, one.length / 8)).size).toBeGreaterThan(samples * 4);
    const halves = await drawEpoch([all.slice(samples / 2).reverse(), all.slice(0, samples / 2)]);
    const strided = await drawEpoch([0, 1, 2, 3].map((k) => all.filter((i) => i % 4 === k)));
    const uneven = await drawEpoch([
      shuffled.slice(0, 10),
      shuffled.slice(10, 400),
      shuffled.slice(400, 401),
      shuffled.slice(401),
    ]);
    for (const other of [halves, strided, uneven]) expect(other.equals(one)).toBe(true);
    // and this thread, which runs the source rather than the compiled module, agrees
    const epoch = stream(2012, 'augment', 17);
    const here = all.map((sample) => epoch.child(sample).int(9));
    expect(all.map((sample) => one.readDoubleLE(sample * perSample * 8))).toEqual(here);
  });
});
