/**
 * @file Damaged files by the million: .pth, .safetensors, .onnx, configurations and run folders, each a mutant of a real one.
 * Every one must be read or refused by a UserError, in time, and what is read must be whole. `THRIVE_FUZZ_INPUTS` (1,000,000) is
 * how many in all, `THRIVE_FUZZ` where the seeds begin (1); a failure names its seed.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { UserError } from '../src/base/errors.ts';
import { readRun } from '../src/compare/read.ts';
import { resolveConfig } from '../src/config/config.ts';
import {
  bytesPerElement,
  elementCount,
  parseOnnxInfo,
  parsePth,
  parseSafetensors,
  type StoredTensors,
} from '../src/formats/index.ts';
import { tensorsIn } from '../src/formats/state-dict.ts';
import { createModel } from '../src/models/index.ts';
import { exportOnnx } from '../src/onnx/index.ts';
import { RunFolder } from '../src/run/run-folder.ts';
import { fixture } from './fixtures/formats/fixtures.ts';
import { mutate, type Random, random } from './fuzz/mutate.ts';
import { writeRun } from './run-folders.ts';

const inputs = Number(process.env.THRIVE_FUZZ_INPUTS ?? 1_000_000);
const first = Number(process.env.THRIVE_FUZZ ?? 1) || 1;
/** Milliseconds after which an input counts as a hang. */
const patience = 5000;

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'thrive-heavy-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Try so many seeds. Anything but a reading or a refusal ends the test with the seed. */
async function fuzz(kind: string, count: number, attempt: (pick: Random) => unknown): Promise<void> {
  let read = 0;
  const refusals = new Set<string>();
  let slowest = 0;
  for (let seed = first; seed < first + count; seed++) {
    const begin = performance.now();
    try {
      await attempt(random(seed));
      read++;
    } catch (error) {
      if (!(error instanceof UserError)) throw new Error(`${kind}, seed ${seed}`, { cause: error });
      expect(error.message.length, `${kind}, seed ${seed}`).toBeLessThan(20_000);
      if (refusals.size < 5000) refusals.add(error.message.replace(/'[^']*'|\d[\d,]*|\[[^\]]*\]/g, '…').slice(0, 80));
    }
    const took = performance.now() - begin;
    slowest = Math.max(slowest, took);
    expect(took, `${kind}, seed ${seed}: milliseconds`).toBeLessThan(patience);
  }
  console.log(
    `${kind}: ${count} inputs from seed ${first}: ${read} read, ${count - read} refused in ${refusals.size} ways, slowest ${slowest.toFixed(0)} ms`,
  );
  expect(refusals.size).toBeGreaterThan(5);
}

function whole(tensors: StoredTensors): void {
  for (const [name, { dtype, shape, data }] of tensors) {
    if (data.length !== elementCount(shape) * bytesPerElement[dtype]) throw new Error(`${name} is not whole`);
  }
}
const bytesOf = (name: string): Uint8Array => new Uint8Array(readFileSync(fixture(name)));
const one = <T>(list: readonly T[], pick: Random): T => list[pick(list.length)]!;
const share = (part: number): number => Math.ceil(inputs * part);

describe('mutants are read or refused', () => {
  test('.pth', async () => {
    const corpus = ['zip-2.pth', 'zip-4.pth', 'bare.pth', 'legacy-2.pth'].map(bytesOf);
    await fuzz('.pth', share(0.3), async (pick) =>
      whole(tensorsIn(await parsePth(mutate(one(corpus, pick), pick), 'x'))),
    );
  });

  test('.safetensors', async () => {
    const corpus = [bytesOf('reference.safetensors')];
    await fuzz('.safetensors', share(0.3), (pick) => {
      const mutant = mutate(one(corpus, pick), pick);
      // Half the time make the header's length right again.
      const end = Buffer.from(mutant).lastIndexOf('}');
      if (pick(2) === 0 && end > 8) new DataView(mutant.buffer).setBigUint64(0, BigInt(end - 7), true);
      whole(parseSafetensors(mutant, 'x').tensors);
    });
  });

  test('.onnx', async () => {
    using model = createModel('resnet8', { classes: 4, seed: 1 });
    const file = exportOnnx(model.eval(), { imageSize: 8 });
    // The structure without most of the weights, so that damage meets it.
    const corpus = [file.slice(0, 4000), file.slice(-3000), file];
    await fuzz('.onnx', share(0.1), (pick) => {
      const info = parseOnnxInfo(mutate(one(corpus, pick), pick), 'x');
      for (const { shape } of [...info.inputs, ...info.outputs]) {
        if (shape?.some((size) => typeof size === 'number' && !(size >= 0))) throw new Error('a size below 0');
      }
    });
  });

  test('configurations', async () => {
    const values: readonly unknown[] = [
      null,
      -1,
      0,
      0.5,
      Number.POSITIVE_INFINITY,
      1e9,
      '',
      'kd',
      'cutmix',
      [],
      {},
      [1, 2],
      true,
      '__proto__',
    ];
    const corpus: readonly object[] = [
      { data: 'cifar100', model: 'resnet20', epochs: 10, schedule: { kind: 'step', milestones: [5], gamma: 0.1 } },
      {
        data: 'cifar10',
        model: 'resnet8',
        teacher: { checkpoint: 'x.pth', model: 'resnet56', normalization: 'imagenet' },
        methods: ['crd', 'kd'],
      },
      {
        data: 'synthetic',
        model: 'vgg8',
        teachers: [{ checkpoint: 'a.pth' }, { checkpoint: 'b.pth', weight: 2 }],
        ensemble: 'logits',
      },
    ];
    const changed = (value: unknown, pick: Random): unknown => {
      if (pick(6) === 0) return one(values, pick);
      if (Array.isArray(value)) return value.map((item) => (pick(3) === 0 ? changed(item, pick) : item));
      if (typeof value !== 'object' || value === null) return pick(2) === 0 ? one(values, pick) : value;
      const entries = Object.entries(value).flatMap(([key, item]): [string, unknown][] => {
        const choice = pick(12);
        if (choice === 0) return [];
        if (choice === 1) return [[`${key}x`, item]];
        return [[key, choice < 5 ? changed(item, pick) : item]];
      });
      if (pick(4) === 0)
        entries.push([
          one(['seed', 'epochs', 'lr', 'augment', 'pick', 'method', 'strong', 'kd'], pick),
          one(values, pick),
        ]);
      return Object.fromEntries(entries);
    };
    await fuzz('configurations', share(0.2), (pick) => {
      const config = resolveConfig(changed(one(corpus, pick), pick) as never);
      // What is accepted says the same when it is read again.
      expect(resolveConfig(JSON.parse(JSON.stringify(config)))).toEqual(JSON.parse(JSON.stringify(config)));
    });
  });

  test('run folders', async () => {
    const folder = join(root, 'run');
    writeRun(folder);
    const files = ['config.json', 'metrics.jsonl', 'summary.json'].map((name) => join(folder, name));
    const sound = files.map((file) => new Uint8Array(readFileSync(file)));
    await fuzz('run folders', share(0.1), (pick) => {
      const at = pick(files.length);
      writeFileSync(files[at]!, mutate(sound[at]!, pick));
      try {
        readRun(folder);
        const { run } = RunFolder.open(folder);
        run.epochs();
        run.close();
      } finally {
        writeFileSync(files[at]!, sound[at]!);
      }
    });
  });
});
